use crate::app::App;
use crate::config::Config;
use crate::storage::cleanup::{Horizon, TABLES, sweep};
use crate::storage::{Db, Refusal, StorageError};
use crate::support::Seconds;

/// Removes what has expired, batch by batch, so that whoever waits for the database waits for one batch at most.
pub async fn run(app: App) -> Result<(), String> {
    app.limiter.shrink();
    if app.readiness.doubts_time() {
        // What a wrong clock calls expired would be gone for good.
        return Err("the clock is in doubt, so nothing is removed".to_owned());
    }
    let removed = sweep_all(&app.db, &app.config, app.now()).await.map_err(|e| e.to_string())?;
    for (table, rows) in removed {
        metrics::counter!("latchway_cleanup_rows_total", "table" => table).increment(rows);
    }
    Ok(())
}

/// All tables once; tells how many rows went from each.
pub async fn sweep_all(db: &Db, config: &Config, now: Seconds) -> Result<Vec<(&'static str, u64)>, StorageError> {
    let horizon = Horizon {
        now,
        access_token_seconds: config.tokens.access_token_seconds,
        refresh_idle_seconds: config.tokens.refresh_idle_seconds,
        audit_days: config.cleanup.audit_days,
        batch: config.cleanup.batch,
    };
    let mut removed = Vec::new();
    for &table in TABLES {
        let mut rows = 0;
        loop {
            let batch = db
                .write("cleanup", move |tx| -> Result<_, Refusal<StorageError>> { Ok(sweep(tx, table, &horizon)?) })
                .await?;
            rows += batch as u64;
            if i64::try_from(batch).unwrap_or(0) < horizon.batch {
                break;
            }
        }
        removed.push((table, rows));
    }
    Ok(removed)
}
