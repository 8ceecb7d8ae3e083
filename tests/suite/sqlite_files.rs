//! What happens to SQLite's files under a running server: deleted, moved, replaced, torn. Nothing is
//! acknowledged that would be lost, and health, log and doctor say in plain words what is the matter.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{ada, employee, minute};
use crate::support::http::Caller;
use crate::support::place::Place;
use crate::support::wait::eventually;

fn file_of(place: &Place) -> PathBuf {
    PathBuf::from(place.url().trim_start_matches("sqlite://"))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", file.display()))
}

async fn database_of(http: &Caller) -> (u16, String) {
    let ready = http.call("GET", "/health/ready").await;
    let words = ready.body["checks"]["database"].as_str().unwrap();
    (ready.status, words.to_owned())
}

fn doctor(place: &Place, part: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&place.url(), folder.path());
    let output = block_in_place(|| command.args(["doctor", "--json"]).output().unwrap());
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let found = checks.iter().find(|check| check["name"] == part).cloned();
    found.unwrap_or_else(|| panic!("{part}: {checks:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_database_file_that_is_moved_replaced_or_deleted_takes_nothing_more() {
    let app = TestApp::start(Backend::Sqlite).await;
    app.leave_work();
    app.apply(&ada().created(minute(0))).await;
    let file = file_of(&app.place);
    let away = beside(&file, ".away");
    let event = employee("ben").created(minute(1));
    for ending in ["", "-wal", "-shm"] {
        let there = beside(&file, ending);
        // Moved: refused until it is back, and then nothing is missing.
        std::fs::rename(&there, &away).unwrap();
        assert_eq!(app.deliver(&event).await.status, 503, "{ending}");
        let (status, told) = database_of(&app.http).await;
        assert_eq!(status, 503, "{ending}");
        assert!(told.contains("deleted, moved or replaced"), "{told}");
        // Another one in its place: the same.
        std::fs::copy(&away, &there).unwrap();
        assert_eq!(app.deliver(&event).await.status, 503, "{ending}");
        assert_eq!(database_of(&app.http).await.0, 503);
        std::fs::rename(&away, &there).unwrap();
        assert_eq!(app.deliver(&event).await.status, 200, "{ending}");
        assert!(!database_of(&app.http).await.1.contains("replaced"));
    }
    app.drain();
    assert_eq!(
        app.people().len(),
        2,
        "nothing that was acknowledged is lost"
    );
    std::fs::remove_file(&file).unwrap();
    let late = employee("eve").created(minute(2));
    assert_eq!(app.deliver(&late).await.status, 503, "deleted");
    assert!(
        block_in_place(|| app.worker.run_once()).is_err(),
        "and nothing is worked off"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_file_that_cannot_be_opened_says_why_and_what_to_do() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let start = |url: &str| {
        let mut command = rollcall(url, folder.path());
        let ended = block_in_place(|| command.arg("serve").output().unwrap());
        assert_eq!(ended.status.code(), Some(69), "{ended:?}");
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    std::fs::write(
        file_of(&place),
        "no database at all, though long enough for one".repeat(99),
    )
    .unwrap();
    let words = start(&place.url());
    assert!(words.contains("restore a back-up"), "{words}");
    assert!(
        doctor(&place, "database")["finding"]
            .as_str()
            .unwrap()
            .contains("damaged")
    );
    // A folder stands where the file should.
    let in_the_way = folder.path().join("roll.db");
    std::fs::create_dir(&in_the_way).unwrap();
    let words = start(&format!("sqlite://{}", in_the_way.display()));
    assert!(words.contains("df -i"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_the_log_and_the_doctor_say_that_the_file_was_replaced() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let (service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    assert_eq!(doctor(&place, "database file")["result"], "ok");
    let file = file_of(&place);
    std::fs::copy(&file, beside(&file, ".copy")).unwrap();
    std::fs::rename(beside(&file, ".copy"), &file).unwrap();
    let refused = http
        .deliver(&ada().created(minute(0)), Clock::System.now())
        .await;
    assert_eq!(refused.unwrap().status, 503);
    eventually("the log says so", async || {
        let words = service.words();
        words
            .contains("is not the one that was opened")
            .then_some(())
    })
    .await;
    let found = doctor(&place, "database file");
    assert_eq!(found["result"], "fail", "{found}");
    assert!(
        found["advice"]
            .as_str()
            .unwrap()
            .contains("put the file back")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_torn_page_is_told_at_the_start_and_by_the_doctor() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let file = file_of(&place);
    let made = block_in_place(|| {
        let mut command = rollcall(&place.url(), folder.path());
        command.arg("migrate").output().unwrap()
    });
    assert!(made.status.success(), "{made:?}");
    assert_eq!(doctor(&place, "pages")["result"], "ok");
    let mut stranger = SqliteConnection::establish(&file.to_string_lossy()).unwrap();
    stranger
        .batch_execute(
            "CREATE TABLE torn (text TEXT); \
             INSERT INTO torn SELECT hex(randomblob(2000)) FROM json_each('[1,2,3,4,5,6,7,8,9,10]'); \
             PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
    drop(stranger);
    // The last page is one of that table's.
    let torn = std::fs::File::options().write(true).open(&file).unwrap();
    let length = torn.metadata().unwrap().len();
    torn.write_all_at(&[0x5a; 4_096], length - 4_096).unwrap();

    let (service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    eventually("readiness says so", async || {
        let (status, told) = database_of(&http).await;
        (status == 503 && told.contains("damaged")).then_some(())
    })
    .await;
    assert!(service.words().contains("the database is damaged"));
    let found = doctor(&place, "pages");
    assert_eq!(found["result"], "fail", "{found}");
    assert!(
        found["advice"]
            .as_str()
            .unwrap()
            .contains("restore a back-up")
    );
    // What does not need the page goes on.
    let event = ada().created(minute(0));
    let taken = http.deliver(&event, Clock::System.now()).await.unwrap();
    assert_eq!(taken.status, 200);
    eventually("it is applied", async || {
        let path = format!("/v1/events/{}", event.id());
        let shown = http.api("GET", &path, None).await.ok();
        (shown["outcome"] == "applied").then_some(())
    })
    .await;
}
