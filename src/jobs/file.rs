//! The job that ends the process when the file of the database was removed or replaced.

use crate::app::App;
use crate::support::log_sink;

/// Ends the process when the database's file was removed or replaced under it: whatever it would still acknowledge would
/// be lost.
pub async fn check(app: App) -> Result<(), String> {
    let Some(lock) = &app.server_lock else { return Ok(()) };
    if let Err(error) = lock.check() {
        tracing::error!(%error, "the server ends");
        log_sink::flush();
        std::process::exit(1);
    }
    Ok(())
}
