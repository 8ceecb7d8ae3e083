//! What a host application asks on each session refresh: `GET /v1/access` over one keep-alive connection
//! against the service, with a token of its own, among ten thousand people on a warm database. The
//! server's own time is what it says in `Server-Timing`: from the request's arrival, token included. Asked
//! twice: with nothing waiting, and with as many removals acknowledged and not looked at, which is what
//! refusing from the 200 on (R91) has to find; and that look-up by itself.
//!
//! ```text
//! cargo bench --bench access -- --events 5000 --only sqlite
//! ```

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use diesel::{RunQueryDsl, sql_query};
use rollcall::app::{App, Options};
use rollcall::clock::Clock;
use rollcall::config::Config;
use rollcall::db::{Conn, Db, DbError, Urgency};
use rollcall::operations::{Actor, Role, tokens};
use rollcall::outbox::enqueue;
use tokio::sync::watch;

use support::{Args, Place, durability, machine, percentile};

const PEOPLE: u64 = 10_000;
/// Others, who are said to have left before the second round.
const LEAVERS: u64 = 10_000;
const ORGANIZATION: &str = "org_01M36MEP00M7R9W71CAXE89K78";
/// Asked before anything is measured: connections are open and pages are read.
const WARM_UP: usize = 500;

fn main() -> Result<()> {
    let args = Args::read()?;
    println!(
        "access: GET /v1/access by address, {PEOPLE} people\n{}\n",
        machine()
    );
    if cfg!(debug_assertions) {
        println!("not optimised: a development build\n");
    }
    println!(
        "{:<34} {:>10} {:>10} {:>12} {:>12}",
        "", "p50 ms", "p99 ms", "p50 ms", "p99 ms"
    );
    println!(
        "{:<34} {:>21} {:>25}",
        "", "at the server", "with the network"
    );
    for place in Place::all(&args)? {
        measure(&place, &args)?;
    }
    Ok(())
}

fn measure(place: &Place, args: &Args) -> Result<()> {
    let mut config = Config::defaults()?;
    config.database.url = place.fresh("access")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let options = Options {
        no_worker: true,
        ..Options::default()
    };
    let app = runtime.block_on(async { App::open(config, Clock::System, options) })?;
    println!("{}: {}", place.name(), durability(&app.db)?);
    let token = filled(&app)?;
    let db = app.db.clone();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (say_stop, stop) = watch::channel(false);
    let served = runtime.spawn(app.serve(listener, stop));
    let asked = (|| {
        let quiet = ask(address, &token, args.events)?;
        said(&db, "dsync.user.deleted", PEOPLE..PEOPLE + LEAVERS)?;
        let waiting = ask(address, &token, args.events)?;
        anyhow::Ok((quiet, waiting))
    })();
    say_stop.send(true)?;
    let _ended = runtime.block_on(served)??;
    let (quiet, waiting) = asked?;
    let name = place.name();
    show(&format!("{name}, nothing waits"), &quiet);
    show(&format!("{name}, {LEAVERS} removals wait"), &waiting);
    println!(
        "{:<34} {:>10.3} {:>10.3}",
        format!("{name}, ratio of the two"),
        ratio(&waiting.0, &quiet.0, 0.5),
        ratio(&waiting.0, &quiet.0, 0.99)
    );
    let alone = look_up(&db)?;
    println!(
        "{:<34} {:>10.3} {:>10.3}   (at the database)",
        format!("{name}, the look-up alone"),
        percentile(&alone, 0.5),
        percentile(&alone, 0.99)
    );
    Ok(())
}

fn show(what: &str, (server, whole): &(Vec<Duration>, Vec<Duration>)) {
    println!(
        "{what:<34} {:>10.3} {:>10.3} {:>12.3} {:>12.3}",
        percentile(server, 0.5),
        percentile(server, 0.99),
        percentile(whole, 0.5),
        percentile(whole, 0.99)
    );
}

fn ratio(of: &[Duration], to: &[Duration], share: f64) -> f64 {
    percentile(of, share) / percentile(to, share).max(f64::MIN_POSITIVE)
}

/// The removals of one directory user that are not settled, as the answer's own statement joins them.
fn look_up(db: &Db) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for number in 0..2_000_u64 {
        let user = (number * 7_919) % (PEOPLE + LEAVERS);
        let sql = format!(
            "SELECT event_id FROM outbox WHERE subject = 'directory_user_{user:026}' AND lane = 0 AND state NOT IN ('done', 'ignored')"
        );
        let one = db.read(|conn| {
            let begun = Instant::now();
            match conn {
                Conn::Sqlite(conn) => sql_query(&sql).execute(conn)?,
                Conn::Postgres(conn) => sql_query(&sql).execute(conn)?,
            };
            Ok::<_, DbError>(begun.elapsed())
        })?;
        took.push(one);
    }
    took.sort_unstable();
    Ok(took)
}

/// People in the roll, and a viewer's token.
fn filled(app: &App) -> Result<String> {
    said(&app.db, "dsync.user.created", 0..PEOPLE + LEAVERS)?;
    ensure!(app.worker(0).drain()? > 0, "nobody was taken in");
    let actor = Actor::cli();
    let now = app.clock.now();
    let made = app.db.write(Urgency::Normal, |conn| {
        tokens::create(conn, &actor, "app", Role::Viewer, None, false, now)
    });
    Ok(made?.token)
}

/// Stores an event about each of the directory users, as the intake does.
fn said(db: &Db, kind: &str, users: Range<u64>) -> Result<()> {
    let event = |user| support::events::event(support::events::body(kind, user, "Engineer"));
    let events: Vec<_> = users.map(event).collect::<Result<_>>()?;
    for some in events.chunks(500) {
        db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(enqueue(conn, some)?)
        })?;
    }
    Ok(())
}

/// Asks about one person after the other; answers the server's own times and ours, sorted.
fn ask(address: SocketAddr, token: &str, times: usize) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let mut to = TcpStream::connect(address)?;
    to.set_nodelay(true)?;
    let mut from = BufReader::new(to.try_clone()?);
    let (mut server, mut whole) = (Vec::with_capacity(times), Vec::with_capacity(times));
    for number in 0..times + WARM_UP {
        let user = (number as u64 * 7_919) % PEOPLE;
        let request = format!(
            "GET /v1/access?organization_id={ORGANIZATION}&email=person.{user}%40fernwood.example HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let sent = Instant::now();
        to.write_all(request.as_bytes())?;
        let said = read_answer(&mut from)?;
        if number >= WARM_UP {
            whole.push(sent.elapsed());
            server.push(said);
        }
    }
    server.sort_unstable();
    whole.sort_unstable();
    Ok((server, whole))
}

/// Reads one answer whole; answers the server's own time.
fn read_answer(from: &mut BufReader<TcpStream>) -> Result<Duration> {
    let (mut took, mut length) = (None, 0);
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            bail!("the server closed the connection");
        }
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            break;
        }
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if let Some(value) = text.strip_prefix("server-timing: answer;dur=") {
            took = Some(Duration::from_secs_f64(value.parse::<f64>()? / 1_000.0));
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    ensure!(
        String::from_utf8_lossy(&body).contains("\"allowed\":true"),
        "somebody was refused: {}",
        String::from_utf8_lossy(&body)
    );
    took.context("the answer has no Server-Timing")
}
