//! What happens by itself while serving.

mod cleanup;
mod clock;
mod file;
mod keys;

pub use cleanup::sweep_all;

use std::time::Duration;

use crate::app::App;

/// Starts all jobs on the calling thread's runtime; they end with it.
pub fn start(app: &App) {
    let every = |seconds: u64| Duration::from_secs(seconds.max(1));
    repeat(app.clone(), "keys", every(app.config.keys.reload_seconds), keys::reload);
    repeat(app.clone(), "clock", every(1), clock::settle);
    repeat(app.clone(), "database_clock", every(10), clock::compare);
    repeat(app.clone(), "database_file", every(1), file::check);
    repeat(app.clone(), "cleanup", every(app.config.cleanup.interval_seconds), cleanup::run);
}

/// Runs a job now and then, and shows in the metrics when it last succeeded.
fn repeat<F, Fut>(app: App, name: &'static str, pause: Duration, job: F)
where
    F: Fn(App) -> Fut + 'static,
    Fut: Future<Output = Result<(), String>> + 'static,
{
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            match job(app.clone()).await {
                Ok(()) => {
                    metrics::gauge!("latchway_job_last_success_timestamp_seconds", "job" => name).set(app.now() as f64)
                }
                Err(error) => tracing::error!(job = name, error, "a job failed; it will be tried again"),
            }
        }
    });
}
