//! S14, A13: metrics exist before their first event, are described, and the documented alerts fire.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::*;

fn promtool(args: &[&str], stdin: &str) {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool, which scripts/test installs with the package prometheus");
    child.stdin.take().expect("its stdin").write_all(stdin.as_bytes()).expect("the metrics");
    let output = child.wait_with_output().expect("its end");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "promtool {args:?}: {}{}", said(&output.stdout), said(&output.stderr));
}

/// A row of docs/reference/metrics.md.
struct Row<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
}

fn documented() -> Vec<Row<'static>> {
    let page = include_str!("../../../docs/reference/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `latchway_"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Row { name: cells[1].trim_matches('`'), kind: cells[2], help: cells[4] }
    })
    .collect()
}

/// The metrics that the code writes, by their names in it.
fn written(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            written(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            for (at, _) in text.match_indices("(\"latchway_") {
                let name = text[at + 2..].split('"').next().expect("a name");
                let before = &text[..at];
                if ["counter!", "gauge!", "histogram!"].iter().any(|macro_name| before.ends_with(macro_name)) {
                    names.insert(name.to_owned());
                }
            }
        }
    }
}

/// Fails if a metric appears with its first event alone, whose rise nobody sees then, if one has no help, or if the page that
/// documents them says something else.
async fn s14_metrics_exist_before_their_first_event(db: Db) {
    let begin = now();
    let server = Server::start(db, &[]);
    let page = Answer::of(http().get(server.metrics_url())).await.body;
    promtool(&["check", "metrics"], &page);
    let rows = documented();
    assert!(rows.len() > 25, "{} rows", rows.len());
    for Row { name, kind, help } in &rows {
        assert!(page.contains(&format!("# HELP {name} {help}\n")), "{name}: {help:?} is not its help:\n{page}");
        assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ', '_']));
        assert!(page.lines().any(of), "{name} has no series:\n{page}");
    }
    let described: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    let served = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in served.filter(|name| name.starts_with("latchway_")) {
        assert!(described.contains(name), "{name} is not in docs/reference/metrics.md");
    }
    let mut names = BTreeSet::new();
    written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    assert!(names.len() > 20, "{names:?}");
    for name in &names {
        assert!(described.contains(name.as_str()), "{name} is written and not in the table");
    }
    for zero in [
        "latchway_panics_total 0",
        "latchway_requests_shed_total 0",
        "latchway_log_lines_dropped_total 0",
        "latchway_webhook_deliveries_total{outcome=\"failed\"} 0",
        "latchway_http_responses_total{status=\"5xx\"} 0",
        "latchway_token_requests_total{grant=\"refresh_token\",outcome=\"failure\"} 0",
        "latchway_audit_broken_chains 0",
        "latchway_database_up 1",
    ] {
        assert!(page.lines().any(|line| line == zero), "{zero}:\n{page}");
    }
    for job in ["keys", "clock", "anomalies", "restraints", "audit", "cleanup", "measure"] {
        let series = format!("latchway_job_last_success_timestamp_seconds{{job=\"{job}\"}} ");
        let at: f64 = page.lines().find_map(|line| line.strip_prefix(&series)).expect(job).parse().expect("a time");
        assert!(at >= begin as f64, "{job} succeeded at {at}");
    }
}

/// Fails if one cannot see the process, its version, its database or what waits.
async fn a13_what_the_process_uses(db: Db) {
    let server = Server::start(db, &[]);
    let client = Spec::confidential().create(&server);
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
    let begin = std::time::Instant::now();
    let page = loop {
        let page = Answer::of(http().get(server.metrics_url())).await.body;
        if !page.contains("\nlatchway_database_bytes 0\n") {
            break page;
        }
        assert!(begin.elapsed().as_secs() < 20, "nobody measures the database:\n{page}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let value = |series: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series}:\n{page}")).parse().expect("a number")
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") > 5.0 && value("process_max_fds") > 5.0 && value("process_threads") > 3.0);
    assert!(value("process_cpu_seconds_total") >= 0.0 && value("process_start_time_seconds") > 1e9);
    assert!((value(&format!("latchway_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))) - 1.0).abs() < 0.1);
    assert!(value("latchway_database_bytes") > 10_000.0);
    assert!(db == Db::Postgres || value("latchway_database_wal_bytes") > 0.0);
    let connections =
        ["busy", "idle"].map(|state| value(&format!("latchway_database_connections{{state=\"{state}\"}}")));
    assert!(connections.iter().sum::<f64>() >= 1.0, "{connections:?}");
    assert!(value("latchway_database_queue") >= 0.0 && value("latchway_password_queue") >= 0.0);
}

async fn s14_the_documented_alerts_fire() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let path = |name: &str| folder.join(name).display().to_string();
    promtool(&["check", "rules", &path("alerts.yml")], "");
    promtool(&["test", "rules", &path("alerts_test.yml")], "");
    // What the page says that there is.
    let (page, rules) =
        (include_str!("../../../docs/reference/metrics.md"), include_str!("../../../packaging/alerts.yml"));
    let listed = page.lines().filter_map(|line| line.strip_prefix("| `Latchway")?.split('`').next());
    let listed: BTreeSet<String> = listed.map(|name| format!("Latchway{name}")).collect();
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    assert_eq!(alerts.map(str::to_owned).collect::<BTreeSet<_>>(), listed);
}

both![s14_metrics_exist_before_their_first_event, a13_what_the_process_uses];
once![s14_the_documented_alerts_fire];
