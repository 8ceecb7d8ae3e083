//! What a host application asks on each session refresh: `GET /v1/access` over one keep-alive connection
//! against the service, with a token of its own, among ten thousand people on a warm database. The
//! server's own time is what it says in `Server-Timing`: from the request's arrival, token included.
//!
//! ```text
//! cargo bench --bench access -- --events 5000 --only sqlite
//! ```

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rollcall::app::{App, Options};
use rollcall::clock::Clock;
use rollcall::config::Config;
use rollcall::db::{DbError, Urgency};
use rollcall::desk::{Actor, Role, tokens};
use rollcall::outbox::enqueue;
use tokio::sync::watch;

use support::{Args, Place, durability, machine, percentile};

const PEOPLE: u64 = 10_000;
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
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (say_stop, stop) = watch::channel(false);
    let served = runtime.spawn(app.serve(listener, stop));
    let asked = ask(address, &token, args.events);
    say_stop.send(true)?;
    let _ended = runtime.block_on(served)??;
    let (server, whole) = asked?;
    println!(
        "{:<34} {:>10.3} {:>10.3} {:>12.3} {:>12.3}",
        format!("{}, {} answers", place.name(), server.len()),
        percentile(&server, 0.5),
        percentile(&server, 0.99),
        percentile(&whole, 0.5),
        percentile(&whole, 0.99)
    );
    Ok(())
}

/// People in the roll, and a viewer's token.
fn filled(app: &App) -> Result<String> {
    let bodies = (0..PEOPLE).map(|user| {
        support::events::event(support::events::body(
            "dsync.user.created",
            user,
            "Engineer",
        ))
    });
    let events: Vec<_> = bodies.collect::<Result<_>>()?;
    for some in events.chunks(500) {
        app.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(enqueue(conn, some)?)
        })?;
    }
    ensure!(app.worker(0).drain()? > 0, "nobody was taken in");
    let actor = Actor::cli();
    let now = app.clock.now();
    let made = app.db.write(Urgency::Normal, |conn| {
        tokens::create(conn, &actor, "app", Role::Viewer, None, false, now)
    });
    Ok(made?.token)
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
