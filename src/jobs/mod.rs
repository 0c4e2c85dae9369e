//! What happens by itself while serving.

mod anomalies;
mod audit;
mod cleanup;
mod clock;
mod file;
mod key_uses;
mod keys;
mod passwords;
mod restraints;

pub use cleanup::{Sweep, sweep_all};

use std::time::Duration;

use crate::app::App;
use crate::support::Seconds;

/// Starts all jobs on the calling thread's runtime; they end with it.
pub fn start(app: &App) {
    let every = |seconds: u64| Duration::from_secs(seconds.max(1));
    repeat(app.clone(), "keys", every(app.config.keys.reload_seconds), keys::reload);
    repeat(app.clone(), "clock", every(1), clock::settle);
    repeat(app.clone(), "database_clock", every(10), clock::compare);
    repeat(app.clone(), "database_file", every(1), file::check);
    repeat(app.clone(), "api_key_uses", every(app.config.api_keys.last_use_seconds), key_uses::flush);
    repeat(app.clone(), "password_parameters", every(3600), passwords::count);
    anomalies::start(app);
    repeat(app.clone(), "restraints", Duration::from_millis(500), restraints::reload);
    repeat(app.clone(), "audit", every(app.config.audit.checkpoint_seconds), audit::run);
    repeat(app.clone(), "cleanup", every(app.config.cleanup.interval_seconds), cleanup::run);
}

/// What is to be done before the process ends.
pub async fn finish(app: &App) {
    if let Err(error) = key_uses::flush(app.clone()).await {
        tracing::warn!(error, "the last uses of API keys could not be written down");
    }
}

/// What a job that did not fail tells of its success.
trait Success {
    /// When the work was last done; `None` if that is not known.
    fn at(self, now: Seconds) -> Option<Seconds>;
}

impl Success for () {
    fn at(self, now: Seconds) -> Option<Seconds> {
        Some(now)
    }
}

/// Of work that one node does for all.
impl Success for Option<Seconds> {
    fn at(self, _: Seconds) -> Option<Seconds> {
        self
    }
}

fn succeeded(job: &'static str, at: Seconds) {
    metrics::gauge!("latchway_job_last_success_timestamp_seconds", "job" => job).set(at as f64);
}

/// Runs a job now and then, and shows in the metrics when it last succeeded.
fn repeat<F, Fut, T>(app: App, name: &'static str, pause: Duration, job: F)
where
    F: Fn(App) -> Fut + 'static,
    Fut: Future<Output = Result<T, String>> + 'static,
    T: Success,
{
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            match job(app.clone()).await {
                Ok(success) => {
                    if let Some(at) = success.at(app.now()) {
                        succeeded(name, at);
                    }
                }
                Err(error) => tracing::error!(job = name, error, "a job failed; it will be tried again"),
            }
        }
    });
}
