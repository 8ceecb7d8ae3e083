//! A company moves for a long while, with attacks beside it: all of it arrives in time, once, and neither memory nor
//! open files grow. 20 seconds unless ROLLCALL_SOAK_SECONDS says more; every second is written to
//! `target/soak/`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::company::Company;
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::Place;

on_both!(r75_r94_a_long_time_under_attack_costs_no_memory_and_loses_nothing);

/// Deliveries a second, from all senders.
const PACE: usize = 12;
/// Connections that send a byte a second.
const SLOW: usize = 40;
/// What may be kept more in the end than in the beginning, in KiB.
const MORE_MEMORY: usize = 128 * 1024;
/// Connections of the service's own: to the database, to those it sends to.
const OWN_FILES: usize = 120;

async fn r75_r94_a_long_time_under_attack_costs_no_memory_and_loses_nothing(backend: Backend) {
    let seconds: usize =
        std::env::var("ROLLCALL_SOAK_SECONDS").map_or(20, |text| text.parse().unwrap());
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), seconds * PACE / 28 + 1);
    let mut command = company.command();
    command.env("ROLLCALL_LOG", "error");
    let (service, http) = company.serve_by(command, &[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut attacks = attacks(&http, &stop);
    company.begin(Duration::from_millis(4_000 / PACE as u64));

    let (began, mut table) = (
        Instant::now(),
        "second,memory_kib,files,acknowledged\n".to_owned(),
    );
    let (mut memory, mut files) = (Vec::new(), Vec::new());
    while began.elapsed().as_secs() < seconds as u64 {
        // A row of the table for each second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        memory.push(service.memory());
        files.push(service.open_files());
        let (now, taken) = (began.elapsed().as_secs(), company.acknowledged());
        let (kib, open) = (memory[memory.len() - 1], files[files.len() - 1]);
        writeln!(table, "{now},{kib},{open},{taken}").unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while attacks.join_next().await.is_some() {}
    let metrics = http.call("GET", "/metrics").await.text.len();
    keep(backend, &table);
    company.reckon(&http, false).await;

    let quarter = memory.len() / 4;
    let most = |part: &[usize]| part.iter().copied().max().unwrap();
    let (first, last) = (
        most(&memory[..quarter]),
        most(&memory[memory.len() - quarter..]),
    );
    println!(
        "memory: {first} KiB in the first quarter, {last} KiB in the last; at most {} files open",
        most(&files)
    );
    assert!(last < first + MORE_MEMORY, "{first} KiB, then {last} KiB");
    assert!(most(&files) < SLOW + 64 + OWN_FILES, "{files:?}");
    assert!(
        service.open_files() < OWN_FILES,
        "{} files stay open",
        service.open_files()
    );
    assert!(metrics < 200_000, "/metrics has {metrics} bytes");
}

fn keep(backend: Backend, table: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/soak");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{backend:?}.csv").to_lowercase());
    std::fs::write(file, table).unwrap();
}

/// What goes on beside it, each of them as fast as it is answered.
fn attacks(http: &Caller, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut attacks = JoinSet::new();
    let mut begin = |attack: fn(Caller, usize) -> Attack| {
        let (http, stop) = (http.clone(), Arc::clone(stop));
        attacks.spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                attack(http.clone(), number).await;
                number += 1;
                // Enough of them to tell growth, few enough that two cores do the company's work, too.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    };
    begin(|http, number| Box::pin(strange_requests(http, number)));
    begin(|http, number| Box::pin(forged_deliveries(http, number)));
    begin(|http, number| Box::pin(expensive_questions(http, number)));
    let address = http.url("").replace("http://", "");
    for _ in 0..SLOW {
        let (address, stop) = (address.clone(), Arc::clone(stop));
        attacks.spawn_blocking(move || slow_connections(&address, &stop));
    }
    attacks
}

type Attack = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Methods, paths and tokens that nobody knows.
async fn strange_requests(http: Caller, number: usize) {
    let method = format!("X{number}");
    http.call(&method, &format!("/nowhere/{number}")).await;
    let token = format!("{number:0>40}");
    let answer = http
        .unchecked(
            Some(&token),
            "GET",
            &format!("/v1/profiles?q={number}"),
            None,
        )
        .await;
    assert!(matches!(answer.status, 401 | 429 | 503), "{answer:?}");
}

/// Wrong signatures over large bodies, right ones over what is no event.
async fn forged_deliveries(http: Caller, number: usize) {
    let large = vec![b'x'; 1_000 * (1 + number % 1_000)];
    let signature = format!("t={}, v1={:0>64}", Clock::System.now().millis(), number);
    let headers = [("WorkOS-Signature", signature.as_str())];
    // An error is a connection that was closed under a body too large to be wanted.
    if let Ok(answer) = http.deliver_raw(large, &headers).await {
        assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    }
    let broken = format!(
        "{{\"id\":\"event_{number}\",\"data\":{}",
        "[".repeat(number % 5_000)
    );
    let answer = http
        .deliver_signed(broken.into_bytes(), Clock::System.now())
        .await
        .unwrap();
    assert!(matches!(answer.status, 400 | 503), "{answer:?}");
}

/// Long searches, texts that nest, cursors that are none.
async fn expensive_questions(http: Caller, number: usize) {
    let long = "%25_".repeat(60);
    for path in [
        format!("/v1/events?q={long}&limit=200"),
        format!("/v1/profiles?q={long}&limit=200"),
        format!("/v1/events?cursor={number:0>300}"),
        "/v1/events?limit=200".to_owned(),
    ] {
        let answer = http.plain("GET", &path).await;
        assert!(
            answer.status < 500 || answer.status == 503,
            "{path}: {answer:?}"
        );
    }
    let text = format!("{{{{ {}1 }}}}", "-".repeat(number % 60_000));
    let body = json!({
        "organization_id": "org_0000", "name": "x", "on": "profile.activated", "status": "draft",
        "steps": [{"channel": "email", "to": "person", "subject": "x", "text": text}],
    });
    let answer = http
        .post_text("POST", "/v1/triggers", &body.to_string())
        .await;
    assert!(answer.status < 500 || answer.status == 503, "{answer:?}");
}

/// A byte a second, until the server has had enough of it.
fn slow_connections(address: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else {
            return;
        };
        for byte in b"POST /webhooks/workos HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
            .iter()
            .cycle()
        {
            if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                break;
            }
            // The attack is that it is slow.
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
