//! The job that signs checkpoints of the audit trail.

use crate::app::App;
use crate::audit::{self, LATEST_MILLIS};

/// States, signed, how far the audit trail goes, and looks now and then for events of processes that died before they
/// could.
pub async fn run(app: App) -> Result<(), String> {
    let now = app.clock.now_millis();
    if app.readiness.clock_past.load(std::sync::atomic::Ordering::Relaxed) {
        // A checkpoint of now would make the time before it look right.
        return Ok(());
    }
    app.db.checkpoint(now).await.map_err(|e| e.to_string())?;
    if app.readiness.doubts_time() {
        // What is late and what is not is told by the clock.
        return Ok(());
    }
    let millis = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000) * 1000;
    let (pause, timeout) = (millis(app.config.audit.checkpoint_seconds), millis(app.config.database.timeout_seconds));
    let late = 2 * timeout + if app.db.kind() == "sqlite" { 0 } else { LATEST_MILLIS };
    let Some(adopted) = audit::adopt(&app.db, now, pause, late).await.map_err(|e| e.to_string())? else {
        return Ok(());
    };
    if adopted.writers > 0 {
        tracing::info!(
            writers = adopted.writers,
            "signed audit events that a process left which ended without doing so"
        );
    }
    metrics::gauge!("latchway_audit_broken_chains").set(adopted.broken.len() as f64);
    if !adopted.broken.is_empty() {
        let writers: Vec<String> = adopted.broken.iter().map(ToString::to_string).collect();
        tracing::error!(?writers, "audit events were changed since they were written; run `latchway audit verify`");
    }
    Ok(())
}
