//! What the metrics show of every job.

use std::time::Duration;

use crate::support::Seconds;

/// What the metrics show of a job from its start.
pub(super) fn begun(job: &'static str, pause: Duration, now: Seconds) {
    metrics::gauge!("latchway_job_interval_seconds", "job" => job).set(pause.as_secs_f64());
    // Before it succeeded for the first time, an alert counts from here.
    succeeded(job, now);
}

pub(super) fn succeeded(job: &'static str, at: Seconds) {
    metrics::gauge!("latchway_job_last_success_timestamp_seconds", "job" => job).set(at as f64);
}
