use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::support::Pace;

/// A node whose clock differs more from the database's does not take requests, in milliseconds.
const MAX_SKEW_MILLIS: i64 = 30_000;

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
    if pace == Pace::Even {
        tracing::info!("the clock is even again");
        return Ok(());
    }
    let what = if ahead { "forward: followed" } else { "back: not followed, and no requests are taken" };
    tracing::error!(millis, "the system's clock was set {what}");
    let event = Event::failure(EventKind::ClockJump).detail(json!({"severity": "high", "millis": millis}));
    event.record_alone(&app.trail).await;
    Ok(())
}

/// Compares this node's clock with the database's, which all nodes share.
pub async fn compare(app: App) -> Result<(), String> {
    let before = app.clock.now_millis();
    let Some(theirs) = app.db.clock_millis().await.map_err(|e| e.to_string())? else { return Ok(()) };
    // The answer was somewhere on its way: half of that is the best guess.
    let ours = before + (app.clock.now_millis() - before) / 2;
    let skew = ours - theirs;
    metrics::gauge!("latchway_clock_skew_seconds").set(skew as f64 / 1000.0);
    warn_of(&app.readiness.clock_skewed, skew.abs() > MAX_SKEW_MILLIS, skew);
    Ok(())
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
