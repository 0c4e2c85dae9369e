//! The table of all metrics, from which they are described and registered at the start.

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::defense::anomaly::Rule;
use crate::http::routes;
use crate::oauth::token::GRANTS;
use crate::storage::cleanup::TASKS;

/// What is measured.
struct Metric {
    name: &'static str,
    kind: Kind,
    /// The names of its labels.
    labels: &'static [&'static str],
    /// The label values that there certainly will be: these series exist from the start, so that the first event is a rise.
    series: fn() -> Vec<Vec<&'static str>>,
    help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    series: fn() -> Vec<Vec<&'static str>>,
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, series, help }
}

/// Without labels there is one series.
fn one() -> Vec<Vec<&'static str>> {
    vec![Vec::new()]
}

fn each(values: impl IntoIterator<Item = &'static str>) -> Vec<Vec<&'static str>> {
    values.into_iter().map(|value| vec![value]).collect()
}

/// Every metric of ours. `docs/reference/metrics.md` has the same table, which `scripts/docs` writes.
const METRICS: &[Metric] = &[
    metric(
        "latchway_build_info",
        Kind::Gauge,
        &["version"],
        || each([env!("CARGO_PKG_VERSION")]),
        "Always 1; the label has the version of this binary.",
    ),
    metric(
        "latchway_http_responses_total",
        Kind::Counter,
        &["status"],
        || each(["2xx", "3xx", "4xx", "5xx"]),
        "Answers by the class of their HTTP status, timeouts included.",
    ),
    metric(
        "latchway_http_request_seconds",
        Kind::Histogram,
        &["route", "status"],
        || vec![vec!["/oauth2/token", "2xx"]],
        "Seconds from the head of a request to its answer, by route and class of the status.",
    ),
    metric(
        "latchway_requests_shed_total",
        Kind::Counter,
        &[],
        one,
        "Requests that were answered 503 because [server] max_requests, or what one address may have of them, were under way.",
    ),
    metric(
        "latchway_connections_refused_total",
        Kind::Counter,
        &[],
        one,
        "Connections that were closed because their address had [server] max_connections_per_address of them.",
    ),
    metric(
        "latchway_requests_limited_total",
        Kind::Counter,
        &["route"],
        || each(routes::labels()),
        "Requests that were answered 429 because of a limit by address, by route.",
    ),
    metric(
        "latchway_token_requests_total",
        Kind::Counter,
        &["grant", "outcome"],
        token_requests,
        "Requests to /oauth2/token, by grant type and outcome: success, failure, or pending for a device that polls.",
    ),
    metric(
        "latchway_device_requests_total",
        Kind::Counter,
        &["outcome"],
        || each(["success", "failure"]),
        "Requests to /oauth2/device_authorization by authenticated clients.",
    ),
    metric(
        "latchway_device_user_codes_total",
        Kind::Counter,
        &["outcome"],
        || each(["found", "wrong", "too_many"]),
        "User codes that were entered on the page for devices.",
    ),
    metric(
        "latchway_device_decisions_total",
        Kind::Counter,
        &["decision"],
        || each(["allowed", "refused"]),
        "Decisions of people about devices.",
    ),
    metric(
        "latchway_api_key_uses_total",
        Kind::Counter,
        &["outcome"],
        || each(["accepted", "refused", "limited", "unknown"]),
        "API keys that were presented; unknown: the database could not tell.",
    ),
    metric(
        "latchway_forward_auth_total",
        Kind::Counter,
        &["answer", "by"],
        || vec![vec!["login", "none"], vec!["unknown", "none"]],
        "Answers of forward authentication, by answer and kind of credential.",
    ),
    metric(
        "latchway_anomalies_total",
        Kind::Counter,
        &["rule"],
        || each(Rule::ALL.iter().map(|rule| rule.as_str())),
        "Findings of the anomaly rules of this node, by rule.",
    ),
    metric(
        "latchway_webhook_deliveries_total",
        Kind::Counter,
        &["outcome"],
        || each(["delivered", "failed", "dropped"]),
        "Findings on their way to [anomalies] webhook_url.",
    ),
    metric("latchway_database_up", Kind::Gauge, &[], Vec::new, "1 while the database takes work, 0 while it does not."),
    metric(
        "latchway_database_seconds",
        Kind::Histogram,
        &["work"],
        || vec![vec!["readyz"]],
        "Seconds from the moment work is handed to the database until it is done, waiting included, by kind of work.",
    ),
    metric("latchway_database_batch", Kind::Histogram, &[], one, "Pieces of work that shared one commit."),
    metric("latchway_database_queue", Kind::Gauge, &[], one, "Pieces of work that wait for the database."),
    metric(
        "latchway_database_connections",
        Kind::Gauge,
        &["state"],
        || each(["busy", "idle"]),
        "Threads that work for the database with a connection each.",
    ),
    metric(
        "latchway_database_bytes",
        Kind::Gauge,
        &[],
        one,
        "Size of the database, without SQLite's write-ahead log. Looked at every 30 seconds.",
    ),
    metric(
        "latchway_database_wal_bytes",
        Kind::Gauge,
        &[],
        one,
        "Size of SQLite's write-ahead log; 0 with PostgreSQL. A reader that stays open keeps it from being cut back.",
    ),
    metric(
        "latchway_password_verifications_total",
        Kind::Counter,
        &["parameters"],
        Vec::new,
        "Passwords that were compared, by the parameters of their Argon2id hash.",
    ),
    metric("latchway_password_queue", Kind::Gauge, &[], one, "Passwords that wait to be hashed or are being hashed."),
    metric(
        "latchway_job_last_success_timestamp_seconds",
        Kind::Gauge,
        &["job"],
        Vec::new,
        "Unix time at which a job last succeeded; the start of the process before it first did.",
    ),
    metric(
        "latchway_job_interval_seconds",
        Kind::Gauge,
        &["job"],
        Vec::new,
        "Seconds between the end of a job and its next run.",
    ),
    metric(
        "latchway_cleanup_rows_total",
        Kind::Counter,
        &["table"],
        || each(TASKS.iter().map(|task| task.table)),
        "Expired rows that this node removed, by table.",
    ),
    metric("latchway_audit_broken_chains", Kind::Gauge, &[], one, "Chains of the audit trail that were found changed."),
    metric(
        "latchway_clock_jump_seconds",
        Kind::Gauge,
        &[],
        one,
        "By how much the system's clock was set, forward or back, of late.",
    ),
    metric(
        "latchway_clock_skew_seconds",
        Kind::Gauge,
        &[],
        one,
        "By how much this node's clock is ahead of the database's.",
    ),
    metric(
        "latchway_nodes_with_other_settings",
        Kind::Gauge,
        &[],
        one,
        "Nodes of the same database that run with other settings where all should have the same.",
    ),
    metric(
        "latchway_panics_total",
        Kind::Counter,
        &[],
        one,
        "Panics, each of which ended one request or one piece of work.",
    ),
    metric(
        "latchway_log_lines_dropped_total",
        Kind::Counter,
        &[],
        one,
        "Lines of the log that were lost because standard error did not take them.",
    ),
];

fn token_requests() -> Vec<Vec<&'static str>> {
    let grants = GRANTS.iter().map(|grant| grant.grant_type.as_str()).chain(["other"]);
    grants.flat_map(|grant| ["success", "failure", "pending"].map(|outcome| vec![grant, outcome])).collect()
}

/// Describes every metric and makes the series that there will be.
pub fn register() {
    for metric in METRICS {
        let (name, help) = (metric.name, metric.help);
        match metric.kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, help),
        }
        for values in (metric.series)() {
            let pairs = metric.labels.iter().zip(values);
            let labels: Vec<Label> = pairs.map(|(label, value)| Label::from_static_parts(label, value)).collect();
            match metric.kind {
                Kind::Counter => counter!(name, labels).increment(0),
                Kind::Gauge => gauge!(name, labels).increment(0.0),
                // Asking for it is enough.
                Kind::Histogram => drop(histogram!(name, labels)),
            }
        }
    }
    gauge!("latchway_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::reference::{check_block, table};

    #[test]
    fn reference_has_every_metric() {
        let rows = METRICS.iter().map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            [format!("`{}`", metric.name), kind, labels.join(", "), metric.help.to_owned()]
        });
        check_block("metrics.md", "metrics", &table(["metric", "kind", "labels", "what"], rows));
    }
}
