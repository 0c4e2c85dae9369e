//! What happens by itself while serving.

mod anomalies;
mod audit;
mod cleanup;
mod clock;
mod file;
mod job_metrics;
mod key_uses;
mod keys;
mod measure;
mod nodes;
mod passwords;
mod restraints;

pub use cleanup::{LargeShare, Sweep, large_share_of_trail, sweep_all, too_many};
pub use clock::{Doubt, accept as accept_clock, doubt as doubt_clock, write_down as write_down_time};
pub use measure::load as observe_load;
pub use nodes::{Mismatch, Pins, change_issuer, pin, running as running_nodes, tell as tell_of_node};

use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use crate::app::App;
use crate::storage::StorageError;
use crate::storage::audit_checkpoints::report;
use crate::support::Seconds;

/// What closing the database may take beyond the times that `[database] timeout_seconds` bounds.
const CLOSE_MARGIN: Duration = Duration::from_secs(1);

/// The jobs that run.
pub struct Running(Vec<JoinHandle<()>>);

/// Starts all jobs on the calling thread's runtime.
pub fn start(app: &App) -> Running {
    let every = |seconds: u64| Duration::from_secs(seconds.max(1));
    let refusals = app.config.limits.audited_refusals_per_address;
    let mut running = vec![
        repeat(app.clone(), "keys", every(app.config.keys.reload_seconds), keys::reload),
        repeat(app.clone(), "clock", every(1), clock::settle),
        repeat(app.clone(), "database_clock", every(10), clock::compare),
        repeat(app.clone(), "clock_seen", every(60), clock::write_down),
        repeat(app.clone(), "nodes", every(10), nodes::tell),
        repeat(app.clone(), "database_file", every(1), file::check),
        repeat(app.clone(), "api_key_uses", every(app.config.api_keys.last_use_seconds), key_uses::flush),
        repeat(app.clone(), "password_parameters", every(3600), passwords::count),
        repeat(app.clone(), "audit_refusals", every(refusals.seconds.into()), refusals_counted),
        repeat(app.clone(), "restraints", Duration::from_millis(500), restraints::reload),
        repeat(app.clone(), "measure", Duration::from_secs(30), measure::run),
        repeat(app.clone(), "audit", every(app.config.audit.checkpoint_seconds), audit::run),
        repeat(app.clone(), "cleanup", every(app.config.cleanup.interval_seconds), cleanup::run),
    ];
    running.extend(anomalies::start(app));
    // The others have time; what the metrics show of the database is wanted at once.
    running.push(actix_web::rt::spawn({
        let app = app.clone();
        async move { drop(measure::run(app).await) }
    }));
    Running(running)
}

/// Records the refusals that were counted and not recorded one by one.
async fn refusals_counted(app: App) -> Result<(), String> {
    app.trail.flush().await.map_err(|error| error.to_string())
}

/// Ends the jobs, writes down what they would have written, and closes the database: explicitly, because a worker thread may
/// hold a clone of the [`App`] for longer than the process lives.
pub async fn finish(app: &App, running: Running) {
    for job in running.0 {
        job.abort();
        let _ = job.await;
    }
    let longest = Duration::from_secs(app.config.database.timeout_seconds);
    let last = async {
        if let Err(error) = app.trail.flush().await {
            tracing::warn!(%error, "the number of the last refusals could not be recorded");
        }
        if let Err(error) = key_uses::flush(app.clone()).await {
            tracing::warn!(error, "the last uses of API keys could not be written down");
        }
        app.db.close().await
    };
    // What is queued may take as long as a piece of work may, and so may the checkpoint after it.
    let closed = tokio::time::timeout(2 * longest + CLOSE_MARGIN, last).await;
    report(closed.unwrap_or(Err(StorageError::Timeout)));
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

/// Runs a job now and then, and shows in the metrics when it last succeeded.
fn repeat<F, Fut, T>(app: App, name: &'static str, pause: Duration, job: F) -> JoinHandle<()>
where
    F: Fn(App) -> Fut + 'static,
    Fut: Future<Output = Result<T, String>> + 'static,
    T: Success,
{
    job_metrics::begun(name, pause, app.now());
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            match job(app.clone()).await {
                Ok(success) => {
                    if let Some(at) = success.at(app.now()) {
                        job_metrics::succeeded(name, at);
                    }
                }
                Err(error) => tracing::error!(job = name, error, "a job failed; it will be tried again"),
            }
        }
    })
}
