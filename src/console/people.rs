//! Who works here: a list with search and filters, all of them in the address.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::names;
use crate::operations::profiles::{self, ProfileQuery, ProfileView};

use super::frame::{Frame, Section, page};
use super::link::{Pager, Tab, link, said};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

const PATH: &str = "/console/people";

#[derive(Template)]
#[template(path = "people.html", config = "src/console/askama.toml")]
struct PeoplePage {
    frame: Frame,
    tabs: Vec<Tab>,
    filters: Filters,
    organizations: Vec<(String, String)>,
    communities: Vec<(String, String)>,
    rows: Vec<PersonRow>,
    pager: Pager,
}

/// The filters, as the address has them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    status: Option<String>,
    q: Option<String>,
    department: Option<String>,
    organization: Option<String>,
    community: Option<String>,
    cursor: Option<String>,
}

impl Filters {
    fn cleaned(self) -> Self {
        Self {
            status: said(self.status),
            q: said(self.q),
            department: said(self.department),
            organization: said(self.organization),
            community: said(self.community),
            cursor: said(self.cursor),
        }
    }

    fn with_status<'a>(&'a self, status: Option<&'a str>) -> [(&'static str, Option<&'a str>); 5] {
        [
            ("status", status),
            ("q", self.q.as_deref()),
            ("department", self.department.as_deref()),
            ("organization", self.organization.as_deref()),
            ("community", self.community.as_deref()),
        ]
    }

    fn narrowed(&self) -> bool {
        let named = [
            &self.q,
            &self.department,
            &self.organization,
            &self.community,
        ];
        named.into_iter().any(Option::is_some)
    }
}

/// One line of the list.
#[derive(Debug)]
struct PersonRow {
    id: String,
    name: String,
    email: Option<String>,
    title: Option<String>,
    department: Option<(String, String)>,
    status: String,
    organization: Option<String>,
    communities: usize,
    first_seen: When,
}

pub(super) async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner().cleaned();
    let actor = visitor.actor.clone();
    let query = ProfileQuery {
        organization_id: filters.organization.clone(),
        status: filters.status.clone(),
        q: filters.q.clone(),
        department: filters.department.clone(),
        community_id: filters.community.clone(),
        limit: None,
        cursor: filters.cursor.clone(),
    };
    let (found, organizations, communities) = state
        .read(move |conn| {
            let organizations = names::of_organizations(conn, &actor)?;
            let communities =
                names::all_communities(conn, &actor, query.organization_id.as_deref())?;
            let found = profiles::list(conn, &actor, &query)?;
            Ok((found, organizations, communities))
        })
        .await?;
    let pager = Pager::new(
        PATH,
        &filters.with_status(filters.status.as_deref()),
        filters.cursor.as_deref(),
        found.next_cursor.as_deref(),
    );
    let names: BTreeMap<String, String> = organizations.iter().cloned().collect();
    let rows = found.data.into_iter().map(|one| {
        let department = one.department.clone().map(|name| {
            let to = [
                ("status", filters.status.as_deref()),
                ("department", Some(name.as_str())),
            ];
            let href = link(PATH, &to);
            (name, href)
        });
        row(one, department, &names, &visitor)
    });
    page(&PeoplePage {
        frame: visitor.frame("People", Section::People),
        rows: rows.collect(),
        tabs: tabs(&filters),
        organizations,
        communities,
        pager,
        filters,
    })
}

fn row(
    one: ProfileView,
    department: Option<(String, String)>,
    names: &BTreeMap<String, String>,
    visitor: &Visitor,
) -> PersonRow {
    PersonRow {
        department,
        name: one.display_name,
        email: one.email,
        title: one.title,
        status: one.status,
        // With one organization only, its name says nothing.
        organization: (names.len() > 1)
            .then(|| names.get(&one.organization_id).cloned())
            .flatten(),
        communities: one.communities.len(),
        first_seen: When::new(one.first_seen_at, visitor.now),
        id: one.id,
    }
}

fn tabs(filters: &Filters) -> Vec<Tab> {
    let shown = filters.status.as_deref().unwrap_or("active");
    [
        ("active", "Active"),
        ("on_leave", "On leave"),
        ("pending", "Pending"),
        ("removed", "Removed"),
        ("all", "Everybody"),
    ]
    .into_iter()
    .map(|(status, label)| Tab {
        label,
        current: status == shown,
        href: link(
            PATH,
            &filters.with_status((status != "active").then_some(status)),
        ),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_name_with_markup_stays_text() {
        let hostile = "<script>alert(1)</script>";
        let shown = PeoplePage {
            frame: Frame::bare("People"),
            tabs: tabs(&Filters::default()),
            filters: Filters {
                q: Some("\"><script>".to_owned()),
                ..Filters::default()
            },
            organizations: vec![("org_1".to_owned(), hostile.to_owned())],
            communities: vec![("community_1".to_owned(), hostile.to_owned())],
            rows: vec![PersonRow {
                id: "profile_1".to_owned(),
                name: hostile.to_owned(),
                email: Some(hostile.to_owned()),
                title: Some(hostile.to_owned()),
                department: Some((
                    hostile.to_owned(),
                    link(PATH, &[("department", Some(hostile))]),
                )),
                status: hostile.to_owned(),
                organization: Some(hostile.to_owned()),
                communities: 1,
                first_seen: When::new(Timestamp(0), Timestamp(0)),
            }],
            pager: Pager::default(),
        }
        .render()
        .unwrap();
        assert!(!shown.contains("<script"), "{shown}");
        assert!(
            shown.contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
            "{shown}"
        );
    }

    #[test]
    fn a_tab_keeps_the_other_filters() {
        let filters = Filters {
            q: Some("maria".to_owned()),
            ..Filters::default()
        };
        let tabs = tabs(&filters);
        assert_eq!(tabs[0].href, "/console/people?q=maria");
        assert!(tabs[0].current);
        assert_eq!(tabs[3].href, "/console/people?status=removed&q=maria");
    }
}
