//! A large installation, made quickly: a small company is worked off by the real worker, and its rows
//! are multiplied in the database, ids and times moved. Half of the copies belong to one large
//! organization, the other half are small organizations of their own.

use anyhow::{Context, Result};
use diesel::connection::SimpleConnection;
use rollcall::clock::{Clock, Timestamp};
use rollcall::db::{Conn, Db, DbError, Urgency};
use rollcall::desk::communities::{self, NewCommunity};
use rollcall::desk::{Actor, triggers};
use rollcall::outbox::{NewEvent, enqueue};
use rollcall::people::organizations;
use rollcall::triggers::Policy;
use rollcall::worker::{BatchSettings, Worker};
use rollcall::workos::{new_event_id, read_envelope};
use serde_json::{Value, json};

/// People of the company that is multiplied.
pub const PEOPLE: u64 = 1_000;
/// Events about each of them.
const EVENTS: u64 = 10;
pub const ORGANIZATION: &str = "org_01LARGE";
const DIRECTORY: &str = "directory_01LARGE";

/// Fills a fresh database with `copies` times the small company. Answers how many rows it has.
pub fn fill(db: &Db, copies: u64) -> Result<()> {
    company(db)?;
    eprintln!("  the company is worked off; multiplying it {copies} times");
    db.write(Urgency::Normal, |conn| {
        each_table(conn, "CREATE TABLE small_T AS SELECT * FROM T")
    })?;
    for copy in 1..copies {
        db.write(Urgency::Normal, |conn| multiply(conn, copy))
            .with_context(|| format!("copy {copy}"))?;
    }
    db.write(Urgency::Normal, |conn| {
        each_table(conn, "DROP TABLE small_T")
    })?;
    db.maintain(|conn| -> Result<(), DbError> {
        let done = match conn {
            Conn::Sqlite(c) => c.batch_execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)"),
            Conn::Postgres(c) => c.batch_execute("VACUUM (ANALYZE)"),
        };
        Ok(done?)
    })?;
    Ok(())
}

/// The company: a directory, people, some of whom left, communities by rule and by hand, messages.
fn company(db: &Db) -> Result<()> {
    let begun = Timestamp::from_millis(1_760_000_000_000);
    let clock = Clock::fixed(begun);
    let settings = BatchSettings {
        max_attempts: 5,
        arm_new: true,
    };
    let worker = Worker::new(db.clone(), clock.clone(), settings, 200, 0);
    take(db, &[directory(begun)?])?;
    worker.drain()?;
    db.write(Urgency::Normal, |conn| -> Result<(), anyhow::Error> {
        arrange(conn, clock.now())
    })?;
    for round in 0..EVENTS {
        clock.advance(std::time::Duration::from_secs(3_600));
        let at = clock.now();
        let events: Result<Vec<NewEvent>> = (0..PEOPLE).map(|one| event(one, round, at)).collect();
        for some in events?.chunks(500) {
            take(db, some)?;
        }
        worker.drain()?;
    }
    settle_messages(db)
}

fn take(db: &Db, events: &[NewEvent]) -> Result<()> {
    db.write(Urgency::Normal, |conn| {
        enqueue(conn, events)?;
        Ok::<_, DbError>(())
    })?;
    Ok(())
}

fn arrange(conn: &mut Conn, now: Timestamp) -> Result<()> {
    let actor = Actor::cli();
    organizations::ensure(conn, &[ORGANIZATION.to_owned()], true, now)?;
    for department in DEPARTMENTS {
        let draft: NewCommunity = serde_json::from_value(json!({
            "organization_id": ORGANIZATION, "name": department,
            "rules": [{"when": {"field": "department", "op": "eq", "value": department}, "role": "member"}],
        }))?;
        communities::create(conn, &actor, &draft, now)?;
    }
    let welcome = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "email", "to": "person", "subject": "Welcome", "text": "Welcome, {{ first_name }}."}],
    });
    let policy = Policy {
        allow_private_targets: true,
        slack_bot: false,
    };
    triggers::create(conn, &actor, &welcome, policy, now)?;
    Ok(())
}

const DEPARTMENTS: [&str; 10] = [
    "Engineering",
    "Sales",
    "Support",
    "Finance",
    "Legal",
    "People",
    "Design",
    "Research",
    "Care",
    "Supply",
];

fn directory(at: Timestamp) -> Result<NewEvent> {
    read(
        "dsync.activated",
        at,
        json!({
            "object": "directory", "id": DIRECTORY, "organization_id": ORGANIZATION, "external_key": "k",
            "type": "okta scim v2.0", "state": "active", "name": "Large", "domains": [],
            "created_at": at.to_string(), "updated_at": at.to_string(),
        }),
    )
}

/// One in a hundred cannot be used, one in fifty people leaves in the end.
fn event(one: u64, round: u64, at: Timestamp) -> Result<NewEvent> {
    let kind = match round {
        0 => "dsync.user.created",
        9 if one.is_multiple_of(50) => "dsync.user.deleted",
        _ => "dsync.user.updated",
    };
    let department = DEPARTMENTS[usize::try_from((one + round / 5) % 10)?];
    let mut data = json!({
        "object": "directory_user", "id": format!("directory_user_{one:08}"), "directory_id": DIRECTORY,
        "organization_id": ORGANIZATION, "idp_id": format!("00u{one:08}"),
        "email": format!("person.{one}@large.example"), "first_name": format!("Person{one}"),
        "last_name": format!("Number{}", one % 97), "emails": [], "state": "active", "raw_attributes": {},
        "custom_attributes": {
            "department_name": department, "job_title": format!("Role {round}"), "employee_number": format!("F-{one}"),
            "employee_type": "Full Time", "employment_start_date": "2021-03-15T00:00:00.000Z",
            "manager_email": format!("person.{}@large.example", one / 10), "office": "Brno", "pronouns": "they/them",
        },
        "role": {"slug": "member"}, "created_at": at.to_string(), "updated_at": at.to_string(),
    });
    if round == 5 && one % 50 == 3 {
        data["directory_id"] = Value::Null;
    }
    read(kind, at.plus(std::time::Duration::from_millis(one)), data)
}

fn read(kind: &str, at: Timestamp, data: Value) -> Result<NewEvent> {
    let body = json!({
        "object": "event", "id": new_event_id(at), "event": kind, "data": data,
        "created_at": at.to_string(), "context": {},
    })
    .to_string();
    let envelope = read_envelope(body.as_bytes())?;
    Ok(NewEvent {
        event_id: envelope.id,
        event_type: envelope.event,
        organization_id: envelope.organization_id,
        directory_id: envelope.directory_id,
        subject: envelope.subject,
        removal: envelope.removal,
        occurred_at: at,
        received_at: at,
        body,
    })
}

/// Most messages went; some failed, some may have gone, some were cancelled, some are still due.
fn settle_messages(db: &Db) -> Result<()> {
    let sql = "UPDATE deliveries SET state = 'sent', settled_at = due_at, recipient = 'person', subject = 'Welcome', body = 'Welcome.';
        UPDATE deliveries SET state = 'failed', reason = 'the mail server refused it: 550 mailbox unavailable' WHERE profile_id IN (SELECT id FROM profiles WHERE email LIKE '%.%11@%');
        UPDATE deliveries SET state = 'unknown', reason = 'the connection ended' WHERE profile_id IN (SELECT id FROM profiles WHERE email LIKE '%.%22@%');
        UPDATE deliveries SET state = 'cancelled', reason = 'the person has left' WHERE profile_id IN (SELECT id FROM profiles WHERE email LIKE '%.%33@%');";
    db.write(Urgency::Normal, |conn| run(conn, sql))?;
    Ok(())
}

fn run(conn: &mut Conn, sql: &str) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(c) => c.batch_execute(sql)?,
        Conn::Postgres(c) => c.batch_execute(sql)?,
    }
    Ok(())
}

/// A table, its columns, and what becomes of some of them.
type Copied = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Tables, and of each column that is not copied as it is, what it becomes: `$` is the copy's mark,
/// `#` how much later it is, in microseconds, `@` the copy's organization.
const TABLES: &[Copied] = &[
    (
        "outbox",
        "event_id event_type organization_id directory_id subject lane part state outcome reason error attempts available_at occurred_at received_at settled_at",
        &[
            ("event_id", "event_id || $"),
            ("organization_id", "@"),
            ("directory_id", "directory_id || $"),
            ("subject", "subject || $"),
            ("available_at", "available_at + #"),
            ("occurred_at", "occurred_at + #"),
            ("received_at", "received_at + #"),
            ("settled_at", "settled_at + #"),
        ],
    ),
    (
        "event_bodies",
        "event_id body received_at",
        &[
            ("event_id", "event_id || $"),
            ("received_at", "received_at + #"),
            ("body", "replace(body, '@large', $ || '@large')"),
        ],
    ),
    (
        "event_attempts",
        "event_id at what detail actor",
        &[("event_id", "event_id || $"), ("at", "at + #")],
    ),
    (
        "profiles",
        "id organization_id status first_name last_name display_name email email_key title department pronouns start_date manager_email employee_number attributes warnings remembered period search first_seen_at recorded_at updated_at removed_at removed_reason",
        &[
            ("id", "id || $"),
            ("organization_id", "@"),
            ("email", "replace(email, '@', $ || '@')"),
            ("email_key", "replace(email_key, '@', $ || '@')"),
            ("search", "replace(search, '@', $ || '@')"),
            ("first_seen_at", "first_seen_at + #"),
            ("recorded_at", "recorded_at + #"),
            ("updated_at", "updated_at + #"),
        ],
    ),
    (
        "links",
        "directory_user_id organization_id directory_id idp_id profile_id state remembered last_at last_removal last_event_id question",
        &[
            ("directory_user_id", "directory_user_id || $"),
            ("organization_id", "@"),
            ("profile_id", "profile_id || $"),
            ("directory_id", "directory_id || $"),
            ("last_event_id", "last_event_id || $"),
        ],
    ),
    (
        "statements",
        "event_id directory_user_id organization_id at removal said",
        &[
            ("event_id", "event_id || $"),
            ("directory_user_id", "directory_user_id || $"),
            ("organization_id", "@"),
        ],
    ),
    (
        "link_keys",
        "organization_id key directory_user_id",
        &[
            ("organization_id", "@"),
            ("key", "key || $"),
            ("directory_user_id", "directory_user_id || $"),
        ],
    ),
    (
        "changes",
        "organization_id profile_id what name old new event_id directory_id actor at removal recorded_at",
        &[
            ("organization_id", "@"),
            ("profile_id", "profile_id || $"),
            ("event_id", "event_id || $"),
            ("directory_id", "directory_id || $"),
            ("at", "at + #"),
            ("recorded_at", "recorded_at + #"),
        ],
    ),
    (
        "deliveries",
        "id key organization_id profile_id trigger_id step period on_event channel event_id state reason recipient subject body html attempts due_at created_at settled_at trigger_version welcome destination planned_at",
        &[
            ("id", "id || $"),
            ("key", "key || $"),
            ("organization_id", "@"),
            ("profile_id", "profile_id || $"),
            ("event_id", "event_id || $"),
            ("due_at", "due_at + #"),
            ("created_at", "created_at + #"),
            ("settled_at", "settled_at + #"),
            ("planned_at", "planned_at + #"),
        ],
    ),
    (
        "operator_acts",
        "at actor act target organization_id detail",
        &[("at", "at + #"), ("organization_id", "@")],
    ),
];

/// Runs a statement for each table that is multiplied, `T` in it.
fn each_table(conn: &mut Conn, sql: &str) -> Result<(), DbError> {
    let names = TABLES
        .iter()
        .map(|(name, _, _)| *name)
        .chain(["memberships"]);
    for name in names {
        let sql = sql.replace("small_T", &format!("small_{name}"));
        run(conn, &sql.replace(" T", &format!(" {name}")))?;
    }
    Ok(())
}

fn multiply(conn: &mut Conn, copy: u64) -> Result<(), DbError> {
    let mark = format!("'_{copy}'");
    // An hour and a minute apart: the copies' days overlap.
    let later = copy * 3_660_000_000;
    let small = copy % 2 == 1;
    let organization = if small {
        format!("org_01SMALL{copy}")
    } else {
        ORGANIZATION.to_owned()
    };
    for (table, columns, changed) in TABLES {
        let columns: Vec<&str> = columns.split(' ').collect();
        let values: Vec<String> = columns
            .iter()
            .map(|column| {
                let rule = changed.iter().find(|(name, _)| name == column);
                let text = rule.map_or(*column, |(_, becomes)| *becomes);
                text.replace('$', &mark)
                    .replace('#', &later.to_string())
                    .replace("'@'", "\u{1}")
                    .replace("'@large'", "\u{2}")
                    .replace('@', &format!("'{organization}'"))
                    .replace('\u{1}', "'@'")
                    .replace('\u{2}', "'@large'")
            })
            .collect();
        let sql = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM small_{table}",
            columns.join(", "),
            values.join(", ")
        );
        run(conn, &sql)?;
    }
    run(conn, &surroundings(copy, &organization, small, later))
}

/// Organization, directory, communities and memberships of a copy.
fn surroundings(copy: u64, organization: &str, small: bool, later: u64) -> String {
    let mut sql = format!(
        "INSERT INTO directories (id, organization_id, directory_type, name, state, timeline, first_seen_at, last_event_at)
         SELECT id || '_{copy}', '{organization}', directory_type, name, state, timeline, first_seen_at + {later}, last_event_at + {later}
         FROM directories WHERE id = '{DIRECTORY}';"
    );
    let community = if small {
        sql += &format!(
            "INSERT INTO organizations (id, name, armed_at, settings, first_seen_at)
             SELECT '{organization}', 'Small {copy}', armed_at, settings, first_seen_at + {later} FROM organizations WHERE id = '{ORGANIZATION}';
             INSERT INTO communities (id, organization_id, name, rules, created_at, updated_at, orphaned_at)
             SELECT id || '_{copy}', '{organization}', name, rules, created_at, updated_at, orphaned_at FROM communities WHERE organization_id = '{ORGANIZATION}';"
        );
        format!("community_id || '_{copy}'")
    } else {
        "community_id".to_owned()
    };
    sql += &format!(
        "INSERT INTO memberships (community_id, profile_id, source, organization_id, role, former_role, granted_at, ended_at, ended_reason)
         SELECT {community}, profile_id || '_{copy}', source, '{organization}', role, former_role, granted_at + {later}, ended_at + {later}, ended_reason
         FROM small_memberships;"
    );
    sql
}
