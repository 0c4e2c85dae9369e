//! The audit trail: what is in it, and that nobody can change it without that being seen.

mod commands;
mod records;
mod retention;
mod tamper;
mod whole;

use serde_json::Value;

use crate::harness::*;

/// What verification says of a trail that nobody touched.
#[track_caller]
fn assert_verified(server: &Server) -> Value {
    let report = server.cli(&["audit", "verify"]);
    assert_eq!((&report["ok"], &report["problem_count"]), (&true.into(), &0.into()), "{report:#}");
    assert!(report["events"].as_u64() > Some(0), "there is something to verify: {report:#}");
    report
}

/// What verification says of one that somebody touched: it must fail.
#[track_caller]
fn assert_tampered(server: &Server, args: &[&str]) -> Value {
    let Err(CliFailure { output }) = server.try_cli(&[&["audit", "verify"], args].concat(), "") else {
        panic!("nobody noticed");
    };
    let line = output.lines().find(|line| line.starts_with("{\"") && line.contains("problem_count"));
    let report: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON");
    assert!(output.contains("tampered"), "{output}");
    assert_eq!(report["ok"], false, "{report:#}");
    report
}

/// Waits until checkpoints state all that was recorded.
async fn until_stated(server: &Server) {
    let begin = std::time::Instant::now();
    while server.cli(&["audit", "verify"])["without_checkpoint"] != 0 {
        assert!(begin.elapsed().as_secs() < 60, "no checkpoint: {}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// What was found, in one word each.
fn kinds(report: &Value) -> Vec<&str> {
    report["problems"].as_array().expect("a list").iter().filter_map(|found| found["what"].as_str()).collect()
}

/// Tokens for a client for itself, one after the other.
async fn issue(client: &Client, count: usize) {
    for _ in 0..count {
        assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
    }
}

fn machine(server: &Server) -> Client {
    Spec::confidential().grants(&["client_credentials"]).scope("read").create(server)
}
