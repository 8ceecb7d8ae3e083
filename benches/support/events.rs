//! Bodies to measure with: a directory user as Okta sends one, each with an id of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use rollcall::clock::Timestamp;
use rollcall::outbox::NewEvent;
use rollcall::workos::read_envelope;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A body whose event id no other one has, about directory user `user`.
pub fn body(kind: &str, user: u64, title: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // A millisecond apart, so that order is by time and not by chance.
    let at = Timestamp::from_millis(1_790_000_000_000 + i64::try_from(number).unwrap_or(0));
    format!(
        r#"{{"object":"event","id":"event_{number:026}","event":"{kind}","data":{{"object":"directory_user","id":"directory_user_{user:026}","directory_id":"directory_01M6DM9KD02PFC5B4ZQ0MEVDB6","organization_id":"org_01M36MEP00M7R9W71CAXE89K78","idp_id":"00u1bench{user:011}","email":"person.{user}@fernwood.example","first_name":"Person","last_name":"Number {user}","name":"Person Number {user}","emails":[],"job_title":null,"username":null,"state":"active","raw_attributes":{{}},"custom_attributes":{{"job_title":"{title}","department_name":"Engineering","employee_number":"F-{user}","employee_type":"Full Time","employment_start_date":"2021-03-15T00:00:00.000Z","manager_email":"lukas.dvorak@fernwood.example","pronouns":"they/them","office":"Brno"}},"role":{{"slug":"member"}},"roles":[{{"slug":"member"}}],"created_at":"{at}","updated_at":"{at}"}},"created_at":"{at}","context":{{}}}}"#
    )
}

/// An update of one of ten thousand people, each in their turn.
pub fn update() -> String {
    let user = NEXT.load(Ordering::Relaxed) % 10_000;
    body("dsync.user.updated", user, "Engineer")
}

/// A body as the webhook would hand it to the intake.
pub fn event(body: String) -> Result<NewEvent> {
    let envelope = read_envelope(body.as_bytes())?;
    let at = envelope.occurred_at.unwrap_or(Timestamp(0));
    Ok(NewEvent::new(envelope, body, at))
}
