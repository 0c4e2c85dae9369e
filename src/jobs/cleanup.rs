//! The job that removes expired rows, in batches, on one node at a time.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::config::Config;
use crate::domain::chain::Checkpoint;
use crate::storage::cleanup;
use crate::storage::cleanup::{CleanupMethod, Cursor, Horizon, PlanBatch, SweepBatch, Swept, TASKS, carry_out};
use crate::storage::lease::{self, Asked, Lease};
use crate::storage::{Conn, Db, Refusal, StorageError, audit_checkpoints};
use crate::support::{Clock, Id, Rng, Seconds};

const LEASE: &str = "lease.cleanup";
/// After each batch the database rests for this many times as long as the batch took…
const REST: u32 = 2;
/// …but not longer, so that no load keeps the cleaning from its 5,000 rows in a second.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Another process may append a checkpoint as often as this.
const ATTEMPTS: usize = 20;

/// What became of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sweep {
    /// How many rows went from each table.
    Done(Vec<(&'static str, u64)>),
    /// All tables but those of the audit trail are clean: there this many events have expired, which is more than a tenth of it.
    TrailKept(i64),
    /// Another process is at it.
    Elsewhere { last_success: Option<Seconds> },
}

/// What is done if more than a tenth of the audit trail has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeShare {
    Remove,
    Keep,
}

/// Removes what has expired, batch by batch, so that whoever waits for the database waits for one batch at most. Tells
/// when that was last done to its end, here or on another node.
pub async fn run(app: App) -> Result<Option<Seconds>, String> {
    if app.readiness.doubts_time() {
        // What a wrong clock calls expired would be gone for good.
        return Err("the clock is in doubt, so nothing is removed".to_owned());
    }
    let count = |table, rows| metrics::counter!("latchway_cleanup_rows_total", "table" => table).increment(rows);
    let swept = sweep_all(&app.db, &app.config, (&app.clock, &app.rng), LargeShare::Keep, count).await;
    match swept.map_err(|e| e.to_string())? {
        Sweep::Done(_) => Ok(Some(app.now())),
        Sweep::TrailKept(events) => Err(too_many(&app.config, events)
            + "; nothing of the trail was removed: run `latchway cleanup` to confirm it, or raise audit_days"),
        Sweep::Elsewhere { last_success } => Ok(last_success),
    }
}

/// What is to be confirmed.
pub fn too_many(config: &Config, events: i64) -> String {
    let days = config.cleanup.audit_days;
    format!("{events} events, more than a tenth of the audit trail, are older than [cleanup] audit_days = {days}")
}

fn horizon(config: &Config, now: Seconds) -> Horizon {
    Horizon {
        now,
        access_token_seconds: config.tokens.access_token_seconds,
        refresh_idle_seconds: config.tokens.refresh_idle_seconds,
        audit_days: config.cleanup.audit_days,
        batch: config.cleanup.batch,
    }
}

/// How many events of the audit trail have expired, if they are too large a part of it to go without a person's word.
pub async fn large_share_of_trail(db: &Db, config: &Config, clock: &Clock) -> Result<Option<i64>, StorageError> {
    let horizon = horizon(config, clock.now());
    db.read("cleanup.share", move |conn| cleanup::large_share_of_trail(conn, &horizon)).await
}

/// All tables once, unless another process is doing that. `progress` hears of each batch.
pub async fn sweep_all(
    db: &Db,
    config: &Config,
    (clock, rng): (&Clock, &Rng),
    large_share: LargeShare,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Sweep, StorageError> {
    let now = clock.now();
    let horizon = horizon(config, now);
    let owner = Id::new(clock, rng);
    let asked = db
        .write("cleanup.lease", move |tx| -> Result<_, Refusal<StorageError>> {
            Ok(lease::ask(tx, LEASE, owner, now)?)
        })
        .await?;
    let mut lease = match asked {
        Asked::Granted(lease) => lease,
        Asked::Taken { last_success } => return Ok(Sweep::Elsewhere { last_success }),
    };
    let kept = match large_share {
        LargeShare::Remove => None,
        LargeShare::Keep => large_share_of_trail(db, config, clock).await?,
    };
    let mut removed = Vec::new();
    for task in TASKS.iter().filter(|task| kept.is_none() || !task.is_of_audit_trail()) {
        let table = task.table;
        let (mut rows, mut next) = (0, Some(Cursor::Start));
        while let Some(cursor) = next {
            let begin = Instant::now();
            let batch = async {
                match task.method {
                    CleanupMethod::Sweep(sweep) => batch(db, &lease, sweep, cursor, horizon, clock.now()).await,
                    CleanupMethod::Planned(plan) => planned_batch(db, &lease, plan, cursor, horizon, clock).await,
                }
            };
            let Some((kept, swept)) = batch.await? else {
                return Ok(Sweep::Elsewhere { last_success: None });
            };
            (lease, next) = (kept, swept.next);
            rows += swept.rows as u64;
            progress(table, swept.rows as u64);
            if next.is_some() {
                tokio::time::sleep((begin.elapsed() * REST).min(LONGEST_REST)).await;
            }
        }
        removed.push((table, rows));
    }
    if let Some(events) = kept {
        db.write("cleanup.lease", move |tx| -> Result<_, Refusal<StorageError>> { Ok(lease.give_back(tx)?) }).await?;
        return Ok(Sweep::TrailKept(events));
    }
    let end = clock.now();
    db.write("cleanup.lease", move |tx| -> Result<_, Refusal<StorageError>> { Ok(lease.finish(tx, end)?) }).await?;
    Ok(Sweep::Done(removed))
}

/// One batch and the renewal of the lease. `None`: the lease is lost, and nothing was removed.
async fn batch(
    db: &Db,
    lease: &Lease,
    sweep: SweepBatch,
    cursor: Cursor,
    horizon: Horizon,
    now: Seconds,
) -> Result<Option<(Lease, Swept)>, StorageError> {
    let lease = lease.clone();
    db.write("cleanup", move |tx| -> Result<_, Refusal<StorageError>> {
        let Some(kept) = lease.renewed(tx, now)? else { return Ok(None) };
        Ok(Some((kept, sweep(tx, &cursor, &horizon)?)))
    })
    .await
}

/// One batch of the audit trail: planned, stated in a checkpoint that is signed, removed together with writing that. Another
/// process may append a checkpoint meanwhile; then all again.
async fn planned_batch(
    db: &Db,
    lease: &Lease,
    plan: PlanBatch,
    cursor: Cursor,
    horizon: Horizon,
    clock: &Clock,
) -> Result<Option<(Lease, Swept)>, StorageError> {
    let mut lease = lease.clone();
    for _ in 0..ATTEMPTS {
        let cursor = cursor.clone();
        let read = move |conn: &mut Conn| Ok((plan(conn, &cursor, &horizon)?, audit_checkpoints::last(conn)?));
        let (plan, last) = db.read("cleanup.plan", read).await?;
        let Some(plan) = plan else { return Ok(Some((lease, Swept { rows: 0, next: None }))) };
        let mut checkpoint = Checkpoint::after(last.as_ref(), clock.now_millis());
        let sealed = if plan.state(&mut checkpoint) { Some(db.chain().key()?.seal(&checkpoint)) } else { None };
        let (before, now) = (lease.clone(), clock.now());
        let done = db
            .write("cleanup", move |tx| -> Result<_, Refusal<StorageError>> {
                let Some(kept) = before.renewed(tx, now)? else { return Ok(None) };
                if let Some(sealed) = &sealed
                    && !audit_checkpoints::append(tx, sealed)?
                {
                    return Ok(Some((kept, None)));
                }
                Ok(Some((kept, Some(carry_out(tx, &plan)?))))
            })
            .await?;
        match done {
            None => return Ok(None),
            Some((kept, Some(swept))) => return Ok(Some((kept, swept))),
            Some((kept, None)) => lease = kept,
        }
    }
    Err(StorageError::Busy)
}
