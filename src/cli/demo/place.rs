//! Where the demo plays: an address on loopback, a fresh database in `.rollcall/demo`, and the
//! secrets of `serve --dev`. The environment and `rollcall.toml` say nothing here: a demo is the same
//! everywhere, and touches nothing that anybody keeps.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::app;
use crate::cli::serve::{lock_database, prepare_dev};
use crate::cli::{Context, Exit, Failure};
use crate::config::{Config, Origin};

const FOLDER: &str = ".rollcall/demo";
/// What the demo may be told by flags: where to listen and what to log. A container's environment says
/// to listen to everybody, which is not meant for it.
const HEARD: [&str; 3] = ["ROLLCALL_LISTEN", "ROLLCALL_LOG", "ROLLCALL_LOG_FORMAT"];

pub(super) struct Place {
    pub(super) config: Config,
    pub(super) listener: TcpListener,
    /// Held while the demo runs: nobody else empties its database.
    _only_one: Option<File>,
}

impl Place {
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.config.http.listen)
    }

    pub(super) fn database(&self) -> &str {
        &self.config.database.url
    }
}

/// Makes the place ready.
pub(super) fn prepare(context: &Context) -> Result<Place, Failure> {
    let loaded = context.loaded_alone(&HEARD)?;
    let mut config = loaded.config;
    let (folder, _only_one) = own_folder()?;
    config.database.url = database_in(&folder);
    prepare_dev(&mut config)?;
    empty(&folder)?;
    let said = loaded
        .rows
        .iter()
        .any(|row| row.name == "ROLLCALL_LISTEN" && row.origin != Origin::Default);
    let listener = if said {
        app::bind(config.http.listen)
            .map_err(|why| Failure::new(Exit::Unavailable, format!("{why:#}")))
    } else {
        super::free(config.http.listen).map_err(|why| {
            Failure::new(
                Exit::Unavailable,
                format!("could not listen on this machine: {why}"),
            )
        })
    }?;
    config.http.listen = listener.local_addr().unwrap_or(config.http.listen);
    Ok(Place {
        config,
        listener,
        _only_one,
    })
}

/// The demo's folder, or one of its own for a second demo beside a first.
fn own_folder() -> Result<(PathBuf, Option<File>), Failure> {
    let usual = PathBuf::from(FOLDER);
    make(&usual)?;
    match lock_database(&database_in(&usual)) {
        Ok(lock) => Ok((usual, lock)),
        Err(_) => {
            let own = std::env::temp_dir().join(format!("rollcall-demo-{}", std::process::id()));
            make(&own)?;
            let lock = lock_database(&database_in(&own))?;
            Ok((own, lock))
        }
    }
}

fn database_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("rollcall.db").display())
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|why| failed(folder, &why))
}

/// Away with an earlier demo's database.
fn empty(folder: &Path) -> Result<(), Failure> {
    for name in ["rollcall.db", "rollcall.db-wal", "rollcall.db-shm"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(folder, &why));
            }
            _ => {}
        }
    }
    Ok(())
}

fn failed(folder: &Path, why: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Unavailable,
        format!(
            "the demo cannot keep its database in {}: {why}",
            folder.display()
        ),
    )
    .hint("run it in a folder that you may write to")
}
