//! R14 under rules that screen people: who is excluded or on leave comes out the same in any order,
//! and the reference model agrees (R34, R45).

use serde_json::json;

use super::any_order::{agrees, arrivals, for_all, same, sorted};
use super::desk::Desk;
use super::reference::Model;
use super::story::History;

/// Engineers are excluded, and a Lead is on leave.
fn desk() -> Desk {
    let title = |title: &str| json!({"field": "title", "op": "eq", "value": title});
    let settings = json!({
        "exclude": [{"when": title("Engineer")}],
        "on_leave": {"when": title("Lead")},
    });
    Desk {
        settings: serde_json::from_value(settings).unwrap(),
        ..Desk::default()
    }
}

fn as_it_came(history: &History) -> Desk {
    let mut desk = desk();
    for batch in arrivals(history) {
        desk.take(batch);
    }
    desk
}

#[test]
fn r14_r34_r45_whom_rules_screen_is_the_same_in_any_order() {
    for_all(|history| {
        let mut in_order = desk();
        for told in sorted(history) {
            in_order.take(vec![told]);
        }
        same(&in_order, &as_it_came(history))
    });
}

#[test]
fn r34_r45_the_simple_model_agrees_on_whom_rules_screen() {
    for_all(|history| {
        let mut model = Model::screening();
        for told in sorted(history) {
            model.tell(&told);
        }
        agrees(&model, &as_it_came(history))
    });
}
