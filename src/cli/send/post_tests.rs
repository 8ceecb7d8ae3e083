//! Posting, against a listener that answers from a script.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::cli::client::http_client;
use crate::workos;

const KEY: &str = "hunter2";

fn target(port: u16) -> Target {
    let url = Url::parse(&format!("http://127.0.0.1:{port}/webhooks/workos")).unwrap();
    Target {
        client: http_client(&url).unwrap(),
        url,
        secrets: Secrets::parse(KEY).unwrap(),
    }
}

fn bodies(count: usize) -> Vec<Body> {
    (0..count)
        .map(|number| {
            Body::new(
                format!("{{\"id\":\"event_{number}\"}}").into_bytes(),
                "test",
            )
        })
        .collect()
}

/// Answers one connection after another from `script`; gives the requests back.
async fn service(script: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let mut requests = Vec::new();
        for head in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.ends_with('}') {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).await.unwrap();
                request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            requests.push(request);
            let answer =
                format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (port, answering)
}

async fn all(mut outcomes: UnboundedReceiver<Outcome>) -> Vec<Outcome> {
    let mut gathered = Vec::new();
    while let Some(outcome) = outcomes.recv().await {
        gathered.push(outcome);
    }
    gathered
}

fn answered(status: u16, retries: u32) -> Outcome {
    Outcome::Answered {
        status,
        body: "{}".to_owned(),
        retries,
    }
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_a_refusal_is_not() {
    let script = &[
        "503 Busy\r\nRetry-After: 0",
        "503 Busy\r\nRetry-After: 0",
        "200 OK",
        "401 No",
    ];
    let (port, answering) = service(script).await;
    let outcomes = all(start(target(port), bodies(2), 1, None)).await;
    assert_eq!(outcomes, [answered(200, 2), answered(401, 0)]);
    assert_eq!(answering.await.unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_sent_carries_a_signature_that_verifies() {
    let (port, answering) = service(&["200 OK"]).await;
    all(start(target(port), bodies(1), 1, None)).await;
    let request = answering.await.unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /webhooks/workos HTTP/1.1"), "{head}");
    let header = head
        .lines()
        .find_map(|line| line.strip_prefix("workos-signature: "))
        .unwrap();
    let secrets = Secrets::parse(KEY).unwrap();
    let minute = Duration::from_secs(60);
    workos::verify(
        &[header.as_bytes()],
        body.as_bytes(),
        &secrets,
        minute,
        Clock::System.now(),
    )
    .unwrap();
    assert!(!request.contains(KEY));
}

#[tokio::test]
async fn a_service_that_was_never_there_ends_the_sending_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outcomes = all(start(target(port), bodies(100), 1, None)).await;
    assert!(
        matches!(outcomes.as_slice(), [Outcome::Unreachable(_)]),
        "{outcomes:?}"
    );
}

#[test]
fn retry_after_is_honoured_within_reason() {
    assert_eq!(patience(Some("3")), Duration::from_secs(3));
    assert_eq!(patience(Some("86400")), LONGEST_WAIT);
    assert_eq!(
        patience(Some("Wed, 21 Oct 2026 07:28:00 GMT")),
        Duration::from_secs(1)
    );
    assert_eq!(patience(None), Duration::from_secs(1));
}
