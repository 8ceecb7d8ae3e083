//! A page view of a large installation: a database is filled with a million events and a hundred
//! thousand people, the real server is started on it, and every page of the console and the main lists
//! of the API are asked for, one after the other.
//!
//! ```text
//! cargo bench --bench pages -- --events 1000000 --rounds 30
//! ```

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use diesel::connection::SimpleConnection as _;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, redirect};
use rollcall::app::{App, Options, bind};
use rollcall::clock::{Clock, Timestamp};
use rollcall::config::Config;
use rollcall::db::{Conn, Db, migrate};
use rollcall::desk::Cursor;
use serde_json::Value;
use support::crowd::{self, ORGANIZATION};
use support::{Args, Place, durability, machine, percentile};
use tokio::sync::watch;

const TOKEN: &str = "a-token-of-the-bench";
/// What the median of every page shall stay under.
const WANTED: f64 = 100.0;

fn main() -> Result<()> {
    let (rounds, rest) = rounds()?;
    let args = Args::of(rest)?;
    let copies = (args.events as u64 / 10 / crowd::PEOPLE).max(1);
    println!(
        "pages: one view after the other, a large installation\n{}",
        machine()
    );
    for place in Place::all(&args)? {
        let url = place.fresh("pages")?;
        let db = Db::open(&url, 4)?;
        db.maintain(migrate)?;
        let begun = Instant::now();
        crowd::fill(&db, copies)?;
        println!("\n{}: {}", place.name(), durability(&db)?);
        println!(
            "{}, filled in {} s; {rounds} rounds",
            told(&db)?,
            begun.elapsed().as_secs()
        );
        drop(db);
        tokio::runtime::Runtime::new()?.block_on(measure(&url, rounds))?;
    }
    Ok(())
}

/// `--rounds N`, and the flags that all benches know.
fn rounds() -> Result<(usize, Vec<String>)> {
    let mut all: Vec<String> = std::env::args().skip(1).collect();
    let Some(at) = all.iter().position(|word| word == "--rounds") else {
        return Ok((30, all));
    };
    let value = all.get(at + 1).context("--rounds needs a value")?.parse()?;
    all.drain(at..=at + 1);
    Ok((value, all))
}

/// The server, in this process, with a worker that has nothing to do.
async fn measure(url: &str, rounds: usize) -> Result<()> {
    let mut config = Config::defaults()?;
    config.database.url = url.to_owned();
    config.webhook.secrets = Some("a-secret-of-the-bench".into());
    config.access.admin_token = Some(TOKEN.into());
    let listener = bind("127.0.0.1:0".parse()?)?;
    let address = listener.local_addr()?;
    let app = tokio::task::spawn_blocking(|| App::open(config, Clock::System, Options::default()))
        .await??;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(app.serve(listener, stopped));
    let caller = Caller::sign_in(address).await?;
    let pages = pages(&caller).await?;
    println!("{:<74} {:>9} {:>9} {:>9}", "", "p50 ms", "p99 ms", "worst");
    let mut slow = 0;
    for page in &pages {
        let mut took = Vec::new();
        caller.get(page).await?;
        for _ in 0..rounds {
            let begun = Instant::now();
            caller.get(page).await?;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let median = percentile(&took, 0.5);
        let mark = if median > WANTED { " !" } else { "" };
        slow += usize::from(median > WANTED);
        let worst = took
            .last()
            .map_or(0.0, |one: &Duration| one.as_secs_f64() * 1_000.0);
        println!(
            "{:<74} {median:>9.1} {:>9.1} {worst:>9.1}{mark}",
            short(page),
            percentile(&took, 0.99)
        );
    }
    println!(
        "{} of {} under {WANTED} ms at the median",
        pages.len() - slow,
        pages.len()
    );
    let _ = stop.send(true);
    serving.await??;
    Ok(())
}

/// An address fit for a table.
fn short(page: &str) -> String {
    if page.chars().count() <= 72 {
        return page.to_owned();
    }
    page.chars().take(71).chain(['…']).collect()
}

struct Caller {
    address: SocketAddr,
    client: Client,
    cookie: String,
}

impl Caller {
    async fn sign_in(address: SocketAddr) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()?;
        let answer = client
            .post(format!("http://{address}/console/session"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={TOKEN}"))
            .send()
            .await?;
        let cookie = answer
            .headers()
            .get(SET_COOKIE)
            .context("the console let nobody in")?;
        let cookie = cookie
            .to_str()?
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            address,
            client,
            cookie,
        })
    }

    async fn get(&self, page: &str) -> Result<String> {
        let request = self.client.get(format!("http://{}{page}", self.address));
        let request = if page.starts_with("/console") {
            request.header(COOKIE, &self.cookie)
        } else {
            request.bearer_auth(TOKEN)
        };
        let answer = request.send().await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "{page}: {status} {:?}",
            answer.headers().get(LOCATION)
        );
        Ok(answer.text().await?)
    }

    async fn json(&self, page: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.get(page).await?)?)
    }

    async fn first(&self, page: &str) -> Result<Value> {
        let told = self.json(page).await?;
        match told["data"].get(0) {
            Some(first) => Ok(first.clone()),
            None => bail!("{page} is empty"),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every page with what it is about in the middle of the list, and the lists from their beginning,
/// from their middle, filtered and searched.
async fn pages(caller: &Caller) -> Result<Vec<String>> {
    let event = caller.first("/v1/events?outcome=applied").await?;
    let person = caller
        .first(&format!("/v1/profiles?organization_id={ORGANIZATION}"))
        .await?;
    let left = caller.first("/v1/profiles?status=removed").await?;
    let community = caller
        .first(&format!("/v1/communities?organization_id={ORGANIZATION}"))
        .await?;
    let delivery = caller.first("/v1/deliveries?state=sent").await?;
    let at =
        Timestamp::parse(event["received_at"].as_str().unwrap_or_default()).unwrap_or_default();
    let middle = at.minus(Duration::from_secs(50 * 3_660)).to_string();
    let (event, person, left) = (text(&event["id"]), text(&person["id"]), text(&left["id"]));
    let (community, delivery) = (text(&community["id"]), text(&delivery["id"]));
    let mut all: Vec<String> = Vec::new();
    let events = [
        String::new(),
        format!("?until={middle}"),
        "?state=parked".to_owned(),
        "?state=ready".to_owned(),
        "?state=held".to_owned(),
        "?state=ignored".to_owned(),
        "?outcome=applied".to_owned(),
        "?outcome=stale".to_owned(),
        "?outcome=failed".to_owned(),
        "?type=dsync.user.deleted".to_owned(),
        "?type=dsync.group.deleted".to_owned(),
        "?q=person.77".to_owned(),
        "?q=nobody-says-this".to_owned(),
        format!("?q={event}"),
        "?error=directory_id".to_owned(),
        "?error=nobody-says-this".to_owned(),
    ];
    all.extend(events.iter().map(|rest| format!("/console/events{rest}")));
    all.push(format!("/console/events?person={person}"));
    all.push("/console/events?directory=directory_01LARGE_7".to_owned());
    all.extend(events.iter().map(|rest| format!("/v1/events{rest}")));
    all.push("/v1/events?organization_id=org_01SMALL7".to_owned());
    all.push("/v1/events?organization_id=org_01SMALL7&outcome=stale".to_owned());
    all.push(format!("/v1/events?since={middle}&type=dsync.user.created"));
    all.push(format!(
        "/v1/events?cursor={}",
        middle_of(caller, "/v1/events", 500_000).await?
    ));
    all.extend(
        [
            "",
            "/people",
            "/communities",
            "/deliveries",
            "/failures",
            "/jobs",
            "/conflicts",
            "/communities/seats",
            "/triggers",
            "/destinations",
            "/audit",
            "/directory-sync",
        ]
        .map(|page| format!("/console{page}")),
    );
    all.extend([
        format!("/console/events/{event}"),
        format!("/console/people/{person}"),
        format!("/console/people/{left}"),
        format!("/console/communities/{community}"),
        format!("/console/deliveries/{delivery}"),
        "/console/people?q=person77".to_owned(),
        "/console/people?q=nobody-is-called-this".to_owned(),
        "/console/people?status=removed".to_owned(),
        "/console/people?status=all".to_owned(),
        "/console/people?department=Sales".to_owned(),
        "/console/deliveries?state=failed".to_owned(),
        "/console/deliveries?state=due".to_owned(),
        "/console/deliveries?channel=slack".to_owned(),
        "/console/deliveries?q=nobody-says-this".to_owned(),
        "/v1/profiles".to_owned(),
        format!("/v1/profiles?organization_id={ORGANIZATION}&limit=200"),
        "/v1/profiles?q=person77".to_owned(),
        "/v1/profiles?department=Sales".to_owned(),
        format!("/v1/profiles/{person}"),
        format!("/v1/profiles/{person}/history"),
        format!("/v1/access?organization_id={ORGANIZATION}&email=person.77@large.example"),
        "/v1/communities".to_owned(),
        format!("/v1/communities/{community}/members"),
        "/v1/deliveries".to_owned(),
        "/v1/deliveries?state=failed".to_owned(),
        format!("/v1/deliveries?profile_id={person}"),
        "/v1/directories".to_owned(),
        "/v1/organizations".to_owned(),
        "/v1/holds".to_owned(),
        "/v1/failures".to_owned(),
        "/v1/jobs".to_owned(),
        "/v1/triggers".to_owned(),
        "/health/ready".to_owned(),
        "/metrics".to_owned(),
    ]);
    Ok(all)
}

/// A cursor so many rows into the list of events.
async fn middle_of(caller: &Caller, page: &str, rows: i64) -> Result<String> {
    let told = caller.json(page).await?;
    let next = Cursor::parse(
        told["next_cursor"]
            .as_str()
            .context("there is one page only")?,
    )?;
    let newest: i64 = next.id.parse()?;
    let id = (newest - rows).max(newest / 2).to_string();
    Ok(Cursor { at: next.at, id }.encode())
}

/// How large it is.
fn told(db: &Db) -> Result<String> {
    let mut told = Vec::new();
    for table in [
        "outbox",
        "profiles",
        "changes",
        "deliveries",
        "memberships",
        "statements",
    ] {
        let rows: i64 = db.read(|conn| count(conn, table))?;
        told.push(format!("{rows} {table}"));
    }
    db.maintain(|conn| -> Result<(), rollcall::db::DbError> {
        if let Conn::Sqlite(c) = conn {
            c.batch_execute("PRAGMA optimize")?;
        }
        Ok(())
    })?;
    Ok(told.join(", "))
}

fn count(conn: &mut Conn, table: &str) -> Result<i64, rollcall::db::DbError> {
    use diesel::RunQueryDsl as _;
    let query = diesel::sql_query(format!("SELECT count(*) AS n FROM {table}"));
    let row: Count = match conn {
        Conn::Sqlite(c) => query.get_result(c)?,
        Conn::Postgres(c) => query.get_result(c)?,
    };
    Ok(row.n)
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}
