//! What the machine gives out: space, files, the lock on a file. A company moves meanwhile, and goes on when there is
//! enough again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rollcall::db::Backend;

use crate::support::company::Company;
use crate::support::macros::on_both;
use crate::support::own_postgres::OwnPostgres;
use crate::support::place::Place;
use crate::support::wait::lasts;

on_both!(
    r74_r92_few_open_files_cost_time_and_nothing_else,
    r74_r92_a_full_disk_costs_a_503_and_goes_on_when_there_is_room,
);

const PAUSE: Duration = Duration::from_millis(10);

async fn r74_r92_few_open_files_cost_time_and_nothing_else(backend: Backend) {
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), 40);
    let (service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(50).await;
    for more in [0, 2, 4] {
        service.limit_open_files(service.open_files() + more);
        lasts(Duration::from_secs(3)).await;
        service.limit_open_files(1024);
        company.moves_on(50).await;
    }
    company.reckon(&http, true).await;
}

/// A small file system of the test's own; only root may make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=0777"),
                "rollcall-test",
            ])
            .arg(&folder)
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test mounts a small tmpfs, which wants root (or CAP_SYS_ADMIN): run .ci/nightly as root"
        );
        Self(folder)
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let block = [1_u8; 4096];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A database on the small disk: SQLite's file, or a tablespace of a PostgreSQL server.
fn database_on(disk: &Path, backend: Backend) -> (String, Option<OwnPostgres>) {
    match backend {
        Backend::Sqlite => (format!("sqlite://{}", disk.join("roll.db").display()), None),
        Backend::Postgres => {
            let server = OwnPostgres::start();
            server.database_in(&disk.join("space"), "small");
            let url = server.url().replacen("/postgres?", "/small?", 1);
            (url, Some(server))
        }
    }
}

async fn r74_r92_a_full_disk_costs_a_503_and_goes_on_when_there_is_room(backend: Backend) {
    let disk = SmallDisk::new("48m");
    let (url, _server) = database_on(&disk.0, backend);
    let mut company = Company::new(&url, 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    disk.fill();
    company.is_refused(50).await;
    disk.make_room();
    let room = Instant::now();
    company.moves_on(1).await;
    println!("deliveries are taken again after {:?}", room.elapsed());
    assert!(room.elapsed() < Duration::from_secs(5));
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_sqlite_file_that_somebody_locks_costs_a_503_and_goes_on() {
    let place = Place::new(Backend::Sqlite);
    let mut company = Company::new(&place.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    let mut stranger = place.stranger();
    stranger.run("BEGIN IMMEDIATE");
    company.is_refused(4).await;
    stranger.let_go();
    let free = Instant::now();
    company.moves_on(1).await;
    println!("deliveries are taken again after {:?}", free.elapsed());
    assert!(free.elapsed() < Duration::from_secs(3));
    company.reckon(&http, true).await;
}
