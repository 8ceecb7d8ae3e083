//! Request to durable: signed webhooks over keep-alive connections against the service, beside a
//! verify-only endpoint of the same build, and the commit alone, one event and a full group at a time.
//!
//! ```text
//! cargo bench --bench ingest -- --seconds 3 --only sqlite
//! ```

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, bail};
use rollcall::app::{App, Options};
use rollcall::clock::Clock;
use rollcall::config::Config;
use rollcall::db::{Db, DbError, Urgency, migrate};
use rollcall::outbox::enqueue;
use rollcall::workos::{Secrets, read_envelope, sign, verify};
use secrecy::SecretString;
use tokio::sync::watch;

use support::{Args, Place, durability, machine, percentile};

const SECRET: &str = "bench-secret";
/// Measured after this much of the time has passed.
const WARM_UP: f64 = 0.2;
const CONNECTIONS: usize = 64;
/// As many as the intake puts into one transaction at most.
const GROUPS: [usize; 5] = [1, 8, 64, 256, 512];

fn main() -> Result<()> {
    let args = Args::read()?;
    println!("ingest: request to durable\n{}", machine());
    println!(
        "bodies of {} bytes, each signed by its client; {} s a line, the first {:.0} % unmeasured\n",
        support::events::body("dsync.user.updated", 0, "Engineer").len(),
        args.seconds,
        WARM_UP * 100.0
    );
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9}",
        "", "req/s", "p50 ms", "p99 ms", "ratio"
    );
    let bare = (verify_only(1, &args)?, verify_only(CONNECTIONS, &args)?);
    show("verify only, 1 connection", &bare.0, None);
    show(
        &format!("verify only, {CONNECTIONS} connections"),
        &bare.1,
        None,
    );
    for place in Place::all(&args)? {
        let name = place.name();
        let (single, durable) = stored(&place, 1, true, &args)?;
        println!("\n{name}: {durable}");
        show(
            &format!("{name}, single commits (1 connection)"),
            &single,
            Some(&bare.0),
        );
        let (group, _) = stored(&place, CONNECTIONS, true, &args)?;
        show(
            &format!("{name}, group commit ({CONNECTIONS} connections)"),
            &group,
            Some(&bare.1),
        );
        let (working, _) = stored(&place, CONNECTIONS, false, &args)?;
        show(
            &format!("{name}, the same with a worker beside it"),
            &working,
            Some(&bare.1),
        );
        commits(&place, &args)?;
        removals(&place, &args)?;
    }
    Ok(())
}

fn show(what: &str, got: &Measured, bare: Option<&Measured>) {
    let ratio = bare.map_or_else(String::new, |bare| format!("{:.3}", got.rate / bare.rate));
    println!(
        "{what:<44} {:>9.0} {:>9.2} {:>9.2} {ratio:>9}",
        got.rate,
        percentile(&got.latencies, 0.5),
        percentile(&got.latencies, 0.99)
    );
    if got.refused > 0 {
        println!("{:<44} {} answers were not 200", "", got.refused);
    }
}

struct Measured {
    rate: f64,
    /// Sorted.
    latencies: Vec<Duration>,
    refused: usize,
}

/// The same verification and the same reading of the envelope, and nothing stored.
fn verify_only(connections: usize, args: &Args) -> Result<Measured> {
    async fn answer(
        request: HttpRequest,
        body: web::Bytes,
        secrets: web::Data<Secrets>,
    ) -> HttpResponse {
        let headers: Vec<&[u8]> = request
            .headers()
            .get_all("workos-signature")
            .map(|value| value.as_bytes())
            .collect();
        let fresh = verify(
            &headers,
            &body,
            &secrets,
            Duration::from_secs(300),
            Clock::System.now(),
        );
        match (fresh, read_envelope(&body)) {
            (Ok(_), Ok(_)) => HttpResponse::Ok().json(serde_json::json!({ "status": "accepted" })),
            _ => HttpResponse::Unauthorized().finish(),
        }
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let secrets = web::Data::new(Secrets::parse(SECRET)?);
    let server = runtime.block_on(async {
        let server = HttpServer::new(move || {
            ActixApp::new()
                .app_data(secrets.clone())
                .route("/webhooks/workos", web::post().to(answer))
        });
        anyhow::Ok(server.disable_signals().listen(listener)?.run())
    })?;
    let handle = server.handle();
    let served = runtime.spawn(server);
    let measured = drive(address, connections, args.seconds);
    runtime.block_on(handle.stop(true));
    runtime.block_on(served)??;
    measured
}

/// The service as it is.
fn stored(
    place: &Place,
    connections: usize,
    no_worker: bool,
    args: &Args,
) -> Result<(Measured, String)> {
    let mut config = Config::defaults()?;
    config.database.url = place.fresh(&format!("ingest_{connections}_{no_worker}"))?;
    config.webhook.secrets = Some(SecretString::from(SECRET));
    let options = Options {
        no_worker,
        ..Options::default()
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let app = runtime.block_on(async { App::open(config, Clock::System, options) })?;
    let durable = durability(&app.db)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (say_stop, stop) = watch::channel(false);
    let served = runtime.spawn(app.serve(listener, stop));
    let measured = drive(address, connections, args.seconds);
    say_stop.send(true)?;
    let _ended = runtime.block_on(served)??;
    Ok((measured?, durable))
}

/// Posts over so many connections, each as fast as its answers come.
fn drive(address: SocketAddr, connections: usize, seconds: f64) -> Result<Measured> {
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let measured_from = begun + Duration::from_secs_f64(seconds * WARM_UP);
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || client(address, measured_from, &stop))
        })
        .collect();
    thread::sleep(Duration::from_secs_f64(seconds));
    stop.store(true, Ordering::Relaxed);
    let span = measured_from.elapsed();
    let (mut latencies, mut refused) = (Vec::new(), 0);
    for client in clients {
        let Ok(done) = client.join() else {
            bail!("a client panicked")
        };
        let (mut its, not_taken) = done?;
        latencies.append(&mut its);
        refused += not_taken;
    }
    latencies.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = latencies.len() as f64 / span.as_secs_f64();
    Ok(Measured {
        rate,
        latencies,
        refused,
    })
}

fn client(
    address: SocketAddr,
    measured_from: Instant,
    stop: &AtomicBool,
) -> Result<(Vec<Duration>, usize)> {
    let mut to = TcpStream::connect(address)?;
    to.set_nodelay(true)?;
    let mut from = BufReader::new(to.try_clone()?);
    let (mut latencies, mut refused) = (Vec::with_capacity(65_536), 0);
    while !stop.load(Ordering::Relaxed) {
        let body = support::events::update();
        let signature = sign(SECRET, Clock::System.now(), body.as_bytes());
        let request = format!(
            "POST /webhooks/workos HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nWorkOS-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        to.write_all(request.as_bytes())?;
        if read_answer(&mut from)? != 200 {
            refused += 1;
        } else if sent > measured_from {
            latencies.push(sent.elapsed());
        }
    }
    Ok((latencies, refused))
}

/// Reads one answer whole; answers its status.
fn read_answer(from: &mut BufReader<TcpStream>) -> Result<u16> {
    let (mut status, mut length) = (None, 0);
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            bail!("the server closed the connection");
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        match (status, text.split_once(':')) {
            (None, _) => status = text.split(' ').nth(1).and_then(|code| code.parse().ok()),
            (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    status.context("the answer has no status")
}

/// The commit alone: is a full group anywhere slower than single commits?
fn commits(place: &Place, args: &Args) -> Result<()> {
    let mut rates = Vec::new();
    for group in GROUPS {
        let db = Db::open(&place.fresh(&format!("commits_{group}"))?, 2)?;
        db.maintain(migrate)?;
        let (mut done, mut busy) = (0_usize, Duration::ZERO);
        while busy.as_secs_f64() < args.seconds / 3.0 {
            let bodies = (0..group).map(|_| support::events::event(support::events::update()));
            let events: Vec<_> = bodies.collect::<Result<_>>()?;
            let begun = Instant::now();
            db.write(Urgency::Normal, |conn| {
                Ok::<_, DbError>(enqueue(conn, &events)?)
            })?;
            busy += begun.elapsed();
            done += group;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let rate = done as f64 / busy.as_secs_f64();
        println!(
            "{:<44} {rate:>9.0}   events/s",
            format!("{}, the commit alone, {group} in it", place.name())
        );
        rates.push(rate);
    }
    let single = rates.first().copied().unwrap_or_default();
    let never = rates.iter().all(|rate| *rate >= single);
    println!(
        "{}: a full group is not slower than single commits: {}",
        place.name(),
        if never { "yes" } else { "no" }
    );
    Ok(())
}

/// Whether it costs the intake anything that removals are found before anybody works them off (R91):
/// full groups of removals, which enter the index of those, and of updates, which do not, in turn.
fn removals(place: &Place, args: &Args) -> Result<()> {
    const GROUP: u64 = 512;
    let db = Db::open(&place.fresh("removals")?, 2)?;
    db.maintain(migrate)?;
    let (mut ratios, mut busy, mut user) = (Vec::new(), Duration::ZERO, 0);
    while busy.as_secs_f64() < args.seconds || ratios.len() < 9 {
        let mut took = [Duration::ZERO; 2];
        for (took, kind) in took
            .iter_mut()
            .zip(["dsync.user.deleted", "dsync.user.updated"])
        {
            let bodies = (user..user + GROUP)
                .map(|user| support::events::event(support::events::body(kind, user, "Engineer")));
            let events: Vec<_> = bodies.collect::<Result<_>>()?;
            let begun = Instant::now();
            db.write(Urgency::Normal, |conn| {
                Ok::<_, DbError>(enqueue(conn, &events)?)
            })?;
            *took = begun.elapsed();
            busy += *took;
            user += GROUP;
        }
        let [removals, updates] = took;
        ratios.push(removals.as_secs_f64() / updates.as_secs_f64());
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!(
        "{}: a commit of {GROUP} removals takes {:.2} of one of {GROUP} updates (median of {} pairs)",
        place.name(),
        ratios.get(ratios.len() / 2).copied().unwrap_or_default(),
        ratios.len()
    );
    Ok(())
}
