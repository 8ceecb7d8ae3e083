//! The communities of every company: one by each thing that a rule may ask for.

use serde_json::{Value, json};

/// A community's name and its rules, as `POST /v1/communities` takes them: (condition, role).
pub type Community = (&'static str, Vec<(Value, &'static str)>);

/// What every company has, by name.
pub fn communities(company: u32) -> Vec<Community> {
    let is = |field: &str, value: &str| json!({"field": field, "op": "eq", "value": value});
    vec![
        (
            "by group id",
            vec![(is("group", &format!("g0.d0_{company}")), "member")],
        ),
        (
            "by group name",
            vec![
                (is("group", "Staff"), "member"),
                (
                    json!({"all": [is("group", "Staff"), is("group", "All")]}),
                    "admin",
                ),
            ],
        ),
        (
            "by directory",
            vec![(is("directory", &format!("d1_{company}")), "admin")],
        ),
        (
            "by department",
            vec![
                (is("department", "Sales"), "member"),
                (is("title", "Lead"), "admin"),
            ],
        ),
        (
            "not by group",
            vec![(json!({"not": is("group", "All")}), "member")],
        ),
        (
            "by community",
            vec![(is("community", "by group name"), "member")],
        ),
    ]
}
