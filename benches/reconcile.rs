//! A large directory compared with WorkOS's own listing, by the real binary in a process of its own, at
//! the pace that WorkOS allows (four calls a second, a hundred people each): first with nobody here
//! (the first import), then with everybody here and one in a thousand changed. The stand-in for WorkOS is
//! the tests'. Told are the time, the calls, and the most memory that the process ever held.
//!
//! ```text
//! cargo bench --bench reconcile -- --people 100000 --only sqlite     # some twenty minutes
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "the stand-in is the tests' own, and may panic"
)]

mod support;

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/suite/support/events.rs"]
mod events;
#[path = "../tests/suite/support/http_sink.rs"]
mod http_sink;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/suite/support/workos.rs"]
mod workos;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use events::{DIRECTORY, ORGANIZATION};
use support::{Args, Place, machine};
use workos::{API_KEY, CLIENT_ID, FakeWorkOs};

/// People of a group, and one of so many is in one.
const OF_A_GROUP: usize = 2_000;
const GROUPED: usize = 5;
/// One of so many is changed before the second comparison.
const CHANGED: usize = 1_000;
/// What WorkOS allows of one directory.
const A_SECOND: usize = 4;

fn main() -> Result<()> {
    let args = Args::read()?;
    println!("reconcile: {} people\n{}\n", args.people, machine());
    if cfg!(debug_assertions) {
        println!("not optimised: a development build, which takes more memory and time\n");
    }
    for place in Place::all(&args)? {
        let fake = FakeWorkOs::start();
        fill(&fake, args.people);
        let url = place.fresh("reconcile")?;
        let run = |words: &[&str]| run(&url, &fake, words);
        println!("{}", place.name());
        run(&["migrate"])?.show("an empty database", None);
        let compare = ["directories", "reconcile", DIRECTORY, "--json", "--yes"];
        let apply = [&compare[..], &["--apply"]].concat();
        let first = run(&apply)?;
        first.show("first import, listed and handed over", Some(&fake));
        ensure!(first.report()?["state"] == "done", "{}", first.said);
        run(&["work", "--once"])?.show("worked off", None);
        change(&fake, args.people);
        let second = run(&compare)?;
        second.show("compared, one in a thousand changed", Some(&fake));
        println!("  it differs: {}", second.report()?["drift"]);
    }
    Ok(())
}

fn id(number: usize) -> String {
    format!("directory_user_{number:026}")
}

fn group_of(number: usize) -> String {
    format!("directory_group_{:026}", number / GROUPED / OF_A_GROUP)
}

/// People as Okta's come, some of them in a group.
fn fill(fake: &FakeWorkOs, people: usize) {
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    let mut all = fake.environment();
    for number in 0..people {
        let user = json!({
            "object": "directory_user", "id": id(number), "directory_id": DIRECTORY, "organization_id": ORGANIZATION,
            "idp_id": format!("00u1bench{number:011}"), "email": format!("person.{number}@fernwood.example"),
            "first_name": "Person", "last_name": format!("Number {number}"), "name": format!("Person Number {number}"),
            "emails": [], "job_title": null, "username": null, "state": "active", "raw_attributes": {}, "groups": [],
            "custom_attributes": {
                "job_title": "Engineer", "department_name": "Engineering", "employee_number": format!("F-{number}"),
                "employee_type": "Full Time", "employment_start_date": "2021-03-15T00:00:00.000Z",
                "manager_email": "lukas.dvorak@fernwood.example", "pronouns": "they/them", "office": "Brno",
            },
            "role": {"slug": "member"}, "roles": [{"slug": "member"}],
            "created_at": "2026-05-04T09:00:02.000Z", "updated_at": "2026-05-04T09:00:02.000Z",
        });
        all.users.insert(id(number), user);
        if number % GROUPED > 0 {
            continue;
        }
        let group = group_of(number);
        all.edges.insert((group.clone(), id(number)));
        all.groups.entry(group.clone()).or_insert_with(|| {
            json!({
                "object": "directory_group", "id": group, "idp_id": group, "directory_id": DIRECTORY,
                "organization_id": ORGANIZATION, "name": group,
                "raw_attributes": {}, "created_at": "2026-05-04T09:00:02.000Z", "updated_at": "2026-05-04T09:00:02.000Z",
            })
        });
    }
}

/// A third of those changed get another title, a third are gone, a third have left their group.
fn change(fake: &FakeWorkOs, people: usize) {
    let mut all = fake.environment();
    for (turn, number) in (0..people).step_by(CHANGED).enumerate() {
        let edge = (group_of(number), id(number));
        match turn % 3 {
            0 => {
                if let Some(user) = all.users.get_mut(&id(number)) {
                    user["custom_attributes"]["job_title"] = json!("Chief");
                }
            }
            1 => {
                all.users.remove(&id(number));
                all.edges.remove(&edge);
            }
            _ => {
                all.edges.remove(&edge);
            }
        }
    }
}

/// What a process did.
struct Done {
    took: Duration,
    /// The most memory it held, in KiB, as the kernel says (`VmHWM`).
    peak: u64,
    said: String,
}

impl Done {
    fn report(&self) -> Result<Value> {
        serde_json::from_str(self.said.trim()).context("the report is not JSON")
    }

    fn show(&self, what: &str, fake: Option<&FakeWorkOs>) {
        let calls = fake.map_or_else(String::new, |fake| {
            let requests = std::mem::take(&mut fake.environment().requests);
            let limited = requests
                .iter()
                .filter(|one| one.contains("/directory_users?") || one.contains("/users?"));
            let limited = limited.count();
            format!(
                ", {} calls, {limited} of them limited ({} s at {A_SECOND} a second)",
                requests.len(),
                limited / A_SECOND
            )
        });
        println!(
            "  {what:<38} {:>7.1} s   at most {:>6.1} MiB{calls}",
            self.took.as_secs_f64(),
            support::mebibytes(self.peak)
        );
    }
}

fn run(url: &str, fake: &FakeWorkOs, words: &[&str]) -> Result<Done> {
    let begun = Instant::now();
    let mut process = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(words)
        .env_clear()
        .env("DATABASE_URL", url)
        .env("WORKOS_API_KEY", API_KEY)
        .env("WORKOS_CLIENT_ID", CLIENT_ID)
        .env("WORKOS_API_URL", fake.url())
        .stdout(Stdio::piped())
        .spawn()
        .context("the binary could not be started")?;
    let mut out = process.stdout.take().context("stdout is piped")?;
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        out.read_to_string(&mut said).map(|_| said)
    });
    let mut peak = 0;
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        peak = support::peak_of(process.id()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = reader.join().unwrap()?;
    ensure!(status.success(), "{words:?}: {status}: {said}");
    Ok(Done {
        took: begun.elapsed(),
        peak,
        said,
    })
}
