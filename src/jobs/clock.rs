//! The jobs that compare this machine's clock with the database's or with its last write.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::storage::{Db, Refusal, StorageError, seen};
use crate::support::{Clock, Pace};

/// A node whose clock differs more from the database's does not take requests, in milliseconds.
const MAX_SKEW_MILLIS: i64 = 30_000;
/// A clock may be so far behind what the database was last written at, in milliseconds.
const MAX_PAST_MILLIS: i64 = 60_000;
/// Beside a server, which notes the time every minute, a clock is not further ahead than this, in milliseconds.
const MAX_AHEAD_OF_SERVER_MILLIS: i64 = 300_000;
/// Without a server nothing tells how long the database was left alone. A clock that is further ahead is asked about, in
/// milliseconds.
const MAX_AHEAD_MILLIS: i64 = 86_400_000;

/// What speaks against this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// PostgreSQL's clock shows another time; by so many milliseconds this one is ahead.
    Skewed { millis: i64 },
    /// The database was last written so many milliseconds later than it is now.
    Past { millis: i64 },
    /// The database was last written so many milliseconds ago.
    Ahead { millis: i64 },
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skewed { millis } => {
                let side = if *millis < 0 { "behind" } else { "ahead of" };
                write!(f, "this machine's clock is {} s {side} PostgreSQL's", millis.abs() / 1000)
            }
            Self::Past { millis } => {
                write!(f, "the database was last written {} s in the future of this machine's clock", millis / 1000)
            }
            Self::Ahead { millis } => {
                write!(f, "this machine's clock is {} s ahead of when the database was last written", millis / 1000)
            }
        }
    }
}

/// Compares a clock with PostgreSQL's or, where there is none, with when the database was last written.
pub async fn doubt(db: &Db, clock: &Clock) -> Result<Option<Doubt>, StorageError> {
    if let Some(millis) = skew(db, clock).await? {
        return Ok((millis.abs() > MAX_SKEW_MILLIS).then_some(Doubt::Skewed { millis }));
    }
    let Some(latest) = db.read("clock.seen", seen::latest).await? else { return Ok(None) };
    let ahead = clock.now_millis() - latest;
    let most = if db.is_served() { MAX_AHEAD_OF_SERVER_MILLIS } else { MAX_AHEAD_MILLIS };
    Ok(match ahead {
        _ if ahead < -MAX_PAST_MILLIS => Some(Doubt::Past { millis: -ahead }),
        _ if ahead > most => Some(Doubt::Ahead { millis: ahead }),
        _ => None,
    })
}

/// By how many milliseconds a clock is ahead of PostgreSQL's; `None` where there is none.
async fn skew(db: &Db, clock: &Clock) -> Result<Option<i64>, StorageError> {
    let before = clock.now_millis();
    let Some(theirs) = db.clock_millis().await? else { return Ok(None) };
    // The answer was somewhere on its way: half of that is the best guess.
    Ok(Some(before + (clock.now_millis() - before) / 2 - theirs))
}

/// Takes this clock for right from now on, whatever was written before.
pub async fn accept(db: &Db, clock: &Clock) -> Result<(), StorageError> {
    let now = clock.now_millis();
    db.append_checkpoint(now, |_| {}).await?;
    note(db, now).await
}

async fn note(db: &Db, now_millis: i64) -> Result<(), StorageError> {
    let work =
        db.write("clock.seen", move |tx| -> Result<_, Refusal<StorageError>> { Ok(seen::note(tx, now_millis)?) });
    work.await
}

/// Watches whether somebody sets the clock.
pub async fn settle(app: App) -> Result<(), String> {
    let pace = app.clock.settle();
    let (ahead, behind, millis) = match pace {
        Pace::Even => (false, false, 0),
        Pace::Ahead { millis } => (true, false, millis),
        Pace::Behind { millis } => (false, true, -millis),
    };
    metrics::gauge!("latchway_clock_jump_seconds").set(millis as f64 / 1000.0);
    let was_ahead = app.readiness.clock_ahead.swap(ahead, Ordering::Relaxed);
    let was_behind = app.readiness.clock_behind.swap(behind, Ordering::Relaxed);
    if (ahead, behind) == (was_ahead, was_behind) {
        return Ok(());
    }
    // Before anything else: until this is known nobody is answered by a clock that may be wrong.
    let compared = compare(app.clone()).await;
    if pace == Pace::Even {
        tracing::info!("the clock is even again");
        return compared;
    }
    let what = if ahead { "forward: followed" } else { "back: not followed, and no requests are taken" };
    tracing::error!(millis, "the system's clock was set {what}");
    let event = Event::failure(EventKind::ClockJump).detail(json!({"severity": "high", "millis": millis}));
    event.record_alone(&app.trail).await;
    compared
}

/// Compares this node's clock with the database's, which all nodes share. SQLite has none: there the time is noted, for
/// whoever starts later.
pub async fn compare(app: App) -> Result<(), String> {
    let said = |e: StorageError| e.to_string();
    match skew(&app.db, &app.clock).await.map_err(said)? {
        Some(skew) => {
            // This one was not followed when it was set back, or time passed while the machine slept: what PostgreSQL's
            // clock agrees with is right.
            let unfollowed = app.clock.system_millis() - app.clock.now_millis();
            let is_right = (skew + unfollowed).abs() <= MAX_SKEW_MILLIS;
            let skew = if skew.abs() > MAX_SKEW_MILLIS && is_right {
                app.clock.believe_system();
                tracing::info!(millis = unfollowed, "this machine's clock agrees with the database's and is followed");
                skew + unfollowed
            } else {
                skew
            };
            metrics::gauge!("latchway_clock_skew_seconds").set(skew as f64 / 1000.0);
            warn_of(&app.readiness.clock_skewed, skew.abs() > MAX_SKEW_MILLIS, skew);
            Ok(())
        }
        None => {
            if app.readiness.clock_past.load(Ordering::Relaxed) {
                let doubt = doubt(&app.db, &app.clock).await.map_err(said)?;
                if matches!(doubt, Some(Doubt::Past { .. })) {
                    return Ok(());
                }
                tracing::info!("this machine's clock has come to when the database was last written");
                app.readiness.clock_past.store(false, Ordering::Relaxed);
            }
            Ok(())
        }
    }
}

/// Notes the time in a database without a clock, while there is no doubt about it.
pub async fn write_down(app: App) -> Result<(), String> {
    if app.db.has_clock() || app.readiness.doubts_time() {
        return Ok(());
    }
    note(&app.db, app.clock.now_millis()).await.map_err(|e| e.to_string())
}

fn warn_of(flag: &AtomicBool, skewed: bool, skew_millis: i64) {
    if flag.swap(skewed, Ordering::Relaxed) == skewed {
        return;
    }
    if skewed {
        tracing::error!(skew_millis, "this node's clock differs from the database's: no requests are taken");
    } else {
        tracing::info!(skew_millis, "this node's clock agrees with the database's again");
    }
}
