//! The job that measures what changes slowly, such as the size of the database.

use metrics::gauge;

use crate::app::App;

/// Looks at what changes slowly.
pub async fn run(app: App) -> Result<(), String> {
    let size = app.db.size().await.map_err(|e| e.to_string())?;
    gauge!("latchway_database_bytes").set(size.bytes as f64);
    gauge!("latchway_database_wal_bytes").set(size.wal_bytes as f64);
    Ok(())
}

/// Looks at what changes with every request. Cheap: for each time that somebody asks for the metrics.
pub fn load(app: &App) {
    let load = app.db.load();
    gauge!("latchway_database_queue").set(load.waiting as f64);
    gauge!("latchway_database_connections", "state" => "busy").set(load.busy as f64);
    gauge!("latchway_database_connections", "state" => "idle").set(load.idle as f64);
}
