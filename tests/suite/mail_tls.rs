//! Mail over TLS, from the first byte and by STARTTLS, by the real binary to a server whose certificate
//! a made-up authority signed: trusted, it is used; not trusted, nothing is said but the greeting.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rollcall::clock::Clock;
use rollcall::db::Backend;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::binary::{Service, rollcall};
use crate::support::events::{ORGANIZATION, ada, minute};
use crate::support::macros::{Given, on_both};
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    mail_goes_over_tls_from_the_first_byte_to_a_server_of_a_trusted_authority,
    mail_goes_over_starttls_and_says_nothing_before_it,
    a_server_whose_authority_is_not_trusted_hears_neither_password_nor_mail,
);

impl Given for Place {
    async fn given(backend: Backend) -> Self {
        Self::new(backend)
    }
}

/// Makes an authority, and a certificate of it for `localhost`.
fn certificates(folder: &Path) {
    let script = r#"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test authority" \
            -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
            -keyout leaf.key -out leaf.csr
        printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE' > leaf.ext
        openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem
    "#;
    let made = Command::new("bash")
        .args(["-euc", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// A mail server for as long as the test runs; what it was told is kept, TLS or not.
struct TlsMail {
    port: u16,
    told: Arc<Mutex<String>>,
}

impl TlsMail {
    fn start(folder: &Path, from_the_first_byte: bool) -> Self {
        let chain = vec![CertificateDer::from_pem_file(folder.join("leaf.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("leaf.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::<Mutex<String>>::default();
        let keep = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, keep) = (Arc::clone(&config), Arc::clone(&keep));
                std::thread::spawn(move || {
                    let _ = hold(stream, config, from_the_first_byte, &keep);
                });
            }
        });
        Self { port, told }
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }
}

fn hold(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    from_the_first_byte: bool,
    told: &Mutex<String>,
) -> io::Result<()> {
    let tls = |stream| {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok::<_, io::Error>(StreamOwned::new(connection, stream))
    };
    if from_the_first_byte {
        let mut stream = tls(stream)?;
        stream.write_all(b"220 test ESMTP\r\n")?;
        return speak(&mut stream, false, told).map(drop);
    }
    stream.write_all(b"220 test ESMTP\r\n")?;
    if speak(&mut stream, true, told)? {
        return speak(&mut tls(stream)?, false, told).map(drop);
    }
    Ok(())
}

/// Answers until the other side goes, or wants TLS (true).
fn speak(stream: &mut (impl Read + Write), plain: bool, told: &Mutex<String>) -> io::Result<bool> {
    let mut in_text = false;
    loop {
        let line = line(stream)?;
        told.lock()
            .unwrap()
            .push_str(&format!("{}{line}\n", if plain { "plain: " } else { "" }));
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            _ if in_text && line != "." => continue,
            _ if in_text => {
                in_text = false;
                "250 taken"
            }
            "EHLO" if plain => "250-test\r\n250 STARTTLS",
            "EHLO" => "250-test\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n")?;
                return Ok(true);
            }
            "AUTH" => "235 welcome",
            "DATA" => {
                in_text = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
        stream.flush()?;
    }
}

fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// What a test-send says of each of the two ways, with the authority trusted or not.
async fn sent_over(place: &Place, from_the_first_byte: bool, trusted: bool) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let mail = TlsMail::start(folder.path(), from_the_first_byte);
    let mut command = rollcall(&place.url(), folder.path());
    let url = match from_the_first_byte {
        true => format!("smtps://user:s3cret@localhost:{}", mail.port),
        false => format!("smtp://user:s3cret@localhost:{}?tls=required", mail.port),
    };
    command
        .env("ROLLCALL_SMTP_URL", url)
        .env("ROLLCALL_MAIL_FROM", "Rollcall <rollcall@test.example>");
    if trusted {
        command.env("SSL_CERT_FILE", folder.path().join("ca.pem"));
    }
    let (_service, http) = Service::serve(command, &[]).await;
    let hired = ada().created(minute(0));
    let answer = http.deliver(&hired, Clock::System.now()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let path = format!("/v1/profiles?organization_id={ORGANIZATION}");
    let hers = eventually("she is in People", async || {
        let people = http.api("GET", &path, None).await.ok();
        people["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let trigger = json!({"organization_id": ORGANIZATION, "name": format!("welcome {from_the_first_byte}"), "on": "profile.activated",
        "steps": [{"channel": "email", "to": "person", "subject": "Hello", "text": "Dear {{ first_name }}"}]});
    let made = http.api("POST", "/v1/triggers", Some(&trigger)).await.ok();
    let test = format!("/v1/triggers/{}/test", made["id"].as_str().unwrap());
    let asked = json!({"profile_id": hers, "to": "ops@test.example"});
    let told = http.api("POST", &test, Some(&asked)).await.ok();
    (told["data"][0].clone(), mail.told())
}

async fn mail_goes_over_tls_from_the_first_byte_to_a_server_of_a_trusted_authority(place: Place) {
    let (told, heard) = sent_over(&place, true, true).await;
    assert_eq!(told["outcome"], "sent", "{told} {heard}");
    assert!(
        heard.contains("AUTH PLAIN") && heard.contains("\nDear ada"),
        "{heard}"
    );
}

async fn mail_goes_over_starttls_and_says_nothing_before_it(place: Place) {
    let (told, heard) = sent_over(&place, false, true).await;
    assert_eq!(told["outcome"], "sent", "{told} {heard}");
    let plain: Vec<&str> = heard
        .lines()
        .filter_map(|line| line.strip_prefix("plain: "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(plain, ["EHLO", "STARTTLS"]);
    assert!(
        heard.contains("\nAUTH PLAIN") && heard.contains("\nDear ada"),
        "{heard}"
    );
}

async fn a_server_whose_authority_is_not_trusted_hears_neither_password_nor_mail(place: Place) {
    for from_the_first_byte in [true, false] {
        let (told, heard) = sent_over(&place, from_the_first_byte, false).await;
        assert_ne!(told["outcome"], "sent", "{told}");
        assert!(
            !heard.contains("AUTH") && !heard.contains("MAIL"),
            "{heard}"
        );
    }
}
