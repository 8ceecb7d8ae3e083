//! Claimed to settled: a backlog of events about as many people as it is long, worked off by one
//! worker, batch by batch; each batch is one transaction.
//!
//! ```text
//! cargo bench --bench drain -- --events 5000 --only postgres
//! ```

mod support;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rollcall::clock::Clock;
use rollcall::db::{Db, DbError, Urgency, migrate};
use rollcall::outbox::{NewEvent, enqueue};
use rollcall::worker::{BatchSettings, Worker};

use support::{Args, Place, durability, machine, percentile};

const BATCHES: [usize; 4] = [1, 50, 200, 500];
/// A backlog for batches of one is this much shorter: it is that much slower.
const SHORTER: usize = 5;

fn main() -> Result<()> {
    let args = Args::read()?;
    println!("drain: claimed to settled, one worker\n{}", machine());
    println!(
        "{} events (for batches of one a {SHORTER}th): 60 % hires, 35 % updates of a title, 5 % removals\n",
        args.events
    );
    println!(
        "{:<28} {:>9} {:>13} {:>13}",
        "", "events/s", "batch p50 ms", "batch p99 ms"
    );
    for place in Place::all(&args)? {
        for batch in BATCHES {
            let events = if batch == 1 {
                args.events / SHORTER
            } else {
                args.events
            };
            drain(&place, batch, events)?;
        }
    }
    Ok(())
}

fn drain(place: &Place, batch: usize, count: usize) -> Result<()> {
    let db = Db::open(&place.fresh(&format!("drain_{batch}"))?, 4)?;
    db.maintain(migrate)?;
    if batch == 1 {
        println!("{}: {}", place.name(), durability(&db)?);
    }
    for group in backlog(count)?.chunks(500) {
        db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(enqueue(conn, group)?)
        })?;
    }
    let settings = BatchSettings {
        max_attempts: 5,
        messaging_for_new: false,
    };
    let worker = Worker::new(db, Clock::System, settings, batch, 0);
    let (mut settled, mut batches) = (0, Vec::new());
    let begun = Instant::now();
    loop {
        let one = Instant::now();
        match worker.run_once()? {
            0 => break,
            done => settled += done,
        }
        batches.push(one.elapsed());
    }
    let took: Duration = begun.elapsed();
    ensure!(settled == count, "{settled} of {count} events were settled");
    batches.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = settled as f64 / took.as_secs_f64();
    println!(
        "{:<28} {rate:>9.0} {:>13.2} {:>13.2}",
        format!("{}, batches of {batch}", place.name()),
        percentile(&batches, 0.5),
        percentile(&batches, 0.99)
    );
    Ok(())
}

/// Hires first, then what happens to those people.
fn backlog(count: usize) -> Result<Vec<NewEvent>> {
    let hires = count * 60 / 100;
    let updates = count * 35 / 100;
    let all = (0..count).map(|place| {
        let user = u64::try_from(place % hires.max(1))?;
        let (kind, title) = match place {
            hire if hire < hires => ("dsync.user.created", "Engineer"),
            update if update < hires + updates => ("dsync.user.updated", "Lead Engineer"),
            _ => ("dsync.user.deleted", "Engineer"),
        };
        support::events::event(support::events::body(kind, user, title))
    });
    all.collect()
}
