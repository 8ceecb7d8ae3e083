//! `rollcall healthcheck`: asks the service on the configured address whether it is ready, for
//! containers without a shell. Speaks HTTP/1.0 over a bare socket: it runs every few seconds and
//! must not load certificates to talk to its own machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Context, Exit, Failure, output};

/// The whole of connecting, asking and reading; a container's own time limit is usually longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// An answer longer than this is not ours.
const MOST_BYTES: u64 = 64 * 1024;

/// Ask the running service whether it is ready: exit 0 when it is, 1 when not
#[derive(Debug, clap::Args)]
#[command(after_help = "Asks GET /health/ready on the configured listen address.

Examples:
  rollcall healthcheck
  rollcall healthcheck --listen 127.0.0.1:9000
  HEALTHCHECK CMD [\"/usr/local/bin/rollcall\", \"healthcheck\"]")]
pub struct Args {}

/// Exits with 0 when the service says that it is ready, else says why not.
pub async fn run(_: Args, context: &Context) -> Result<Exit, Failure> {
    let http = context.config()?.http;
    let at = reachable(http.metrics_listen.unwrap_or(http.listen));
    let not_ready = |why: String| {
        Failure::new(
            Exit::SomeFailed,
            format!("the service on {at} is not ready: {why}"),
        )
        .hint("`rollcall doctor` looks for the cause")
    };
    let answer = match tokio::time::timeout(PATIENCE, ask(at)).await {
        Err(_) => {
            return Err(not_ready(format!(
                "no answer within {} s",
                PATIENCE.as_secs()
            )));
        }
        Ok(Err(why)) => return Err(not_ready(why.to_string())),
        Ok(Ok(answer)) => answer,
    };
    let (status, body) =
        read(&answer).ok_or_else(|| not_ready("its answer is not HTTP".to_owned()))?;
    if status != 200 {
        return Err(not_ready(format!(
            "{status} {}",
            output::plain(body.trim())
        )));
    }
    context.output.line(output::plain(body.trim()));
    Ok(Exit::Done)
}

async fn ask(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let question = format!("GET /health/ready HTTP/1.0\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Status and body of an HTTP/1.x answer.
fn read(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some((status, body))
}

/// "Every address" is where one listens, not where one connects to.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_what_is_not_http_is_not() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}"), Some((200, "{}")));
        assert_eq!(
            read("HTTP/1.0 503 Service Unavailable\r\n\r\n"),
            Some((503, ""))
        );
        assert_eq!(read("SSH-2.0-OpenSSH"), None);
    }

    #[test]
    fn the_unspecified_address_is_reached_on_loopback() {
        assert_eq!(
            reachable("0.0.0.0:8080".parse().unwrap()).to_string(),
            "127.0.0.1:8080"
        );
        assert_eq!(
            reachable("[::]:8080".parse().unwrap()).to_string(),
            "[::1]:8080"
        );
        assert_eq!(
            reachable("10.1.2.3:80".parse().unwrap()).to_string(),
            "10.1.2.3:80"
        );
    }
}
