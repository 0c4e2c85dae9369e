//! What happens by itself while serving.

mod cleanup;
mod keys;

pub use cleanup::{Sweep, sweep_all};

use std::time::Duration;

use crate::app::App;
use crate::support::Seconds;

/// Starts all jobs on the calling thread's runtime; they end with it.
pub fn start(app: &App) {
    let every = |seconds: u64| Duration::from_secs(seconds.max(1));
    repeat(app.clone(), "keys", every(app.config.keys.reload_seconds), keys::reload);
    repeat(app.clone(), "cleanup", every(app.config.cleanup.interval_seconds), cleanup::run);
}

/// Runs a job now and then, and shows in the metrics when it last succeeded: what a job returns, as that may have been on
/// another node.
fn repeat<F, Fut>(app: App, name: &'static str, pause: Duration, job: F)
where
    F: Fn(App) -> Fut + 'static,
    Fut: Future<Output = Result<Option<Seconds>, String>> + 'static,
{
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            match job(app.clone()).await {
                Ok(Some(at)) => {
                    metrics::gauge!("latchway_job_last_success_timestamp_seconds", "job" => name).set(at as f64)
                }
                Ok(None) => {}
                Err(error) => tracing::error!(job = name, error, "a job failed; it will be tried again"),
            }
        }
    });
}
