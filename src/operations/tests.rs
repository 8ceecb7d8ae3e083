//! The desk on a SQLite file: who may see and do what, and what an act leaves behind.

use std::collections::BTreeMap;

use super::access::{AccessQuery, access};
use super::communities::{self, CommunityQuery, NewCommunity};
use super::profiles::{self, EntryKind, ProfileQuery};
use super::*;
use crate::clock::Timestamp;
use crate::db::{Db, Urgency, migrate};
use crate::domain::{Person, Profile, Role as Seat, Status};
use crate::store::profiles::{ToSave, save};
use crate::workos::clean;

const ORG: &str = "org_1";
const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

struct House {
    db: Db,
    _folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("roll.db").display());
        let db = Db::open(&url, 2).unwrap();
        db.maintain(migrate).unwrap();
        let house = Self {
            db,
            _folder: folder,
        };
        house.person("profile_ann", Status::Active);
        house.person("profile_bob", Status::Removed);
        house
    }

    fn person(&self, id: &str, status: Status) {
        let name = id.trim_start_matches("profile_").to_owned();
        let fields = BTreeMap::from([
            ("display_name", name.clone()),
            ("email", format!("{name}@example.com")),
        ]);
        let person = Person {
            id: id.to_owned(),
            made_for: String::new(),
            status,
            ever_active: true,
            admitted: true,
            excluded: None,
            let_go: None,
            left: None,
            left_reason: None,
            period: "first".to_owned(),
            period_told: false,
            possible_rehire_of: None,
            first_seen: NOW,
            updated: NOW,
        };
        let profile = Profile {
            address_key: clean::key(&format!("{name}@example.com")),
            id: id.to_owned(),
            status,
            fields,
            roles: Vec::new(),
            start_unreadable: None,
            attributes: serde_json::Map::new(),
            warnings: Vec::new(),
            period: "first".to_owned(),
            first_seen: NOW,
            updated: NOW,
            removed_at: None,
            removed_reason: None,
        };
        self.desk(|conn| {
            let row = ToSave {
                organization_id: ORG,
                profile: &profile,
                person: &person,
                recorded_at: NOW,
            };
            Ok(save(conn, &[row])?)
        })
        .unwrap();
    }

    fn desk<T>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        self.db.write(Urgency::Normal, work)
    }

    fn community(&self) -> String {
        let new = NewCommunity {
            organization_id: ORG.to_owned(),
            name: "Runners".to_owned(),
            rules: Vec::new(),
        };
        let made = self.desk(|conn| communities::create(conn, &Actor::cli(), &new, NOW));
        made.unwrap().id
    }
}

fn actor(role: Role, organization: Option<&str>) -> Actor {
    Actor {
        name: "tester".to_owned(),
        role,
        organization_id: organization.map(str::to_owned),
        sensitive: false,
    }
}

#[test]
fn putting_somebody_in_twice_leaves_one_change_and_taking_them_out_another() {
    let house = House::new();
    let id = house.community();
    let ops = actor(Role::Operator, None);
    let put = |seat| {
        house.desk(|conn| communities::put_member(conn, &ops, &id, "profile_ann", seat, NOW))
    };
    assert_eq!(put(Seat::Member).unwrap().role, "member");
    assert_eq!(put(Seat::Member).unwrap().role, "member");
    assert_eq!(put(Seat::Admin).unwrap().role, "admin");
    let remove =
        || house.desk(|conn| communities::remove_member(conn, &ops, &id, "profile_ann", NOW));
    remove().unwrap();
    assert!(matches!(remove(), Err(OperationError::NotFound { .. })));
    let history = house
        .desk(|conn| {
            profiles::history(
                conn,
                &ops,
                "profile_ann",
                &profiles::HistoryQuery::default(),
            )
        })
        .unwrap();
    let told: Vec<&str> = history
        .data
        .iter()
        .map(|entry| entry.sentence.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "Joined the community “Runners” as member (by tester).",
            "Role in the community “Runners” changed from member to admin (by tester).",
            "Left the community “Runners” (was admin) (by tester).",
        ]
    );
    let by_hand = |entry: &profiles::Entry| entry.kind == EntryKind::Operator;
    assert!(history.data.iter().all(by_hand));
}

#[test]
fn who_left_joins_nothing_and_is_refused_with_the_reason() {
    let house = House::new();
    let id = house.community();
    let ops = actor(Role::Operator, None);
    let put = house
        .desk(|conn| communities::put_member(conn, &ops, &id, "profile_bob", Seat::Member, NOW));
    assert!(matches!(put, Err(OperationError::Conflict(_))), "{put:?}");
    let ask = |email: &str| {
        let query = AccessQuery {
            organization_id: Some(ORG.to_owned()),
            email: Some(email.to_owned()),
            profile_id: None,
        };
        let answer = house.desk(|conn| access(conn, &ops, &query)).unwrap();
        (answer.allowed, answer.reason)
    };
    assert_eq!(ask("Ann@Example.com"), (true, "active".to_owned()));
    assert_eq!(ask("bob@example.com"), (false, "removed".to_owned()));
    assert_eq!(ask("eve@example.com"), (false, "unknown".to_owned()));
}

#[test]
fn a_viewer_changes_nothing_and_a_stranger_sees_nothing() {
    let house = House::new();
    let id = house.community();
    let viewer = actor(Role::Viewer, Some(ORG));
    let refused = house.desk(|conn| communities::delete(conn, &viewer, &id, NOW));
    assert!(matches!(refused, Err(OperationError::Forbidden(_))));
    let stranger = actor(Role::Admin, Some("org_2"));
    let hidden = house.desk(|conn| communities::show(conn, &stranger, &id));
    assert!(matches!(hidden, Err(OperationError::NotFound { .. })));
    let hidden = house.desk(|conn| profiles::show(conn, &stranger, "profile_ann"));
    assert!(matches!(hidden, Err(OperationError::NotFound { .. })));
    let all = |actor: &Actor| {
        let query = CommunityQuery::default();
        let page = house.desk(|conn| communities::list(conn, actor, &query));
        page.unwrap().data.len()
    };
    assert_eq!((all(&viewer), all(&stranger)), (1, 0));
}

#[test]
fn a_list_shows_who_is_active_unless_all_are_asked_for() {
    let house = House::new();
    let shown = |status: Option<&str>| {
        let query = ProfileQuery {
            status: status.map(str::to_owned),
            ..ProfileQuery::default()
        };
        let page = house.desk(|conn| profiles::list(conn, &Actor::cli(), &query));
        let all: Vec<(String, bool)> = page
            .unwrap()
            .data
            .into_iter()
            .map(|one| (one.display_name, one.access))
            .collect();
        all
    };
    assert_eq!(shown(None), [("ann".to_owned(), true)]);
    assert_eq!(shown(Some("removed")), [("bob".to_owned(), false)]);
    assert_eq!(shown(Some("all")).len(), 2);
}
