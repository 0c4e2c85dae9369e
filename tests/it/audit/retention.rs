//! What is old of the trail goes, and what is left verifies: removal can be told from tampering.

use super::*;

const DAY: i64 = 86_400;

/// Fails if removal looks like tampering, if tampering looks like removal, or if too much or too little goes.
async fn what_is_old_goes_and_the_rest_verifies(db: Db) {
    let config = [
        ("cleanup.audit_days", "1"),
        ("cleanup.interval_seconds", "86400"),
        ("cleanup.batch", "3"),
        ("audit.checkpoint_seconds", "1"),
    ];
    let (server, faults) = Server::prepared_with_faults(db, &config);
    server.cli_at(&faults, -4 * DAY, &["migrate"]);
    let old = |days: i64, n: i64| {
        server.cli_at(&faults, -days * DAY, &["scope", "set", &format!("old:{days}-{n}"), "--title", "Old"]);
    };
    (0..3).for_each(|n| old(4, n));
    (0..4).for_each(|n| old(2, n));
    let client = machine(&server);
    assert_verified(&server);
    // The clock of this server is a day behind that of the command line, as one may be that was wrong for a while.
    let server = if db == Db::Sqlite { server.with_flags(&["--yes-the-clock-is-right"]) } else { server };
    if db == Db::Sqlite {
        // A server whose chain is a day old in its middle. On PostgreSQL one whose clock is off takes no requests.
        faults.clock_is_off(2 - DAY);
        server.spawn();
        for _ in 0..8 {
            issue(&client, 1).await;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    } else {
        server.spawn();
        issue(&client, 8).await;
    }
    assert_verified(&server);
    let cleanup = match db {
        Db::Sqlite => vec!["cleanup", "--yes-the-clock-is-right"],
        Db::Postgres => vec!["cleanup"],
    };
    let before = server.cli(&["audit", "verify"])["events"].as_u64().expect("a number");
    let report = server.cli(&cleanup);
    let (events, checkpoints) = (&report["removed"]["audit_events"], &report["removed"]["audit_checkpoints"]);
    assert!(events.as_u64() >= Some(7) && checkpoints.as_u64() >= Some(3), "{report}");
    assert!(audit(&server, "detail LIKE '%old:%'").is_empty(), "old events are still there");
    let after = assert_verified(&server);
    assert_eq!(after["events"].as_u64().expect("a number") + events.as_u64().expect("a number"), before, "{after:#}");
    let cut = |report: &Value| {
        let writers = report["writers"].as_array().expect("writers").clone();
        writers.into_iter().filter(|writer| writer["from_sequence"].as_i64() > Some(1)).count()
    };
    if db == Db::Sqlite {
        assert_eq!(cut(&after), 1, "no chain was cut in its middle: {after:#}");
    }
    issue(&client, 3).await;
    server.cli(&cleanup);
    assert_verified(&server);
    let export = server.dir.join("after.jsonl").display().to_string();
    server.cli(&["audit", "export", "--out", &export]);
    assert_eq!(server.cli(&["audit", "verify", "--file", &export])["ok"], true);
    assert!(server.stop());
    let report = assert_verified(&server);

    // Whoever removes the next event has nobody who signs for it, and whoever says that it was removed neither.
    let place =
        |order: &str| format!("(SELECT id FROM audit_events WHERE kind = 'token_issued' ORDER BY id {order} LIMIT 1)");
    server.database.execute("CREATE TABLE saved AS SELECT * FROM audit_events");
    server.database.execute(&format!("DELETE FROM audit_events WHERE id = {}", place("ASC")));
    assert!(kinds(&assert_tampered(&server, &[])).contains(&"missing"), "{report:#}");
    server.database.execute("DELETE FROM audit_events");
    server.database.execute("INSERT INTO audit_events SELECT * FROM saved");
    let pruning = "body LIKE '%pruned%'";
    assert!(server.database.number(&format!("SELECT count(*) FROM audit_checkpoints WHERE {pruning}")) >= 3);
    server.database.execute(&format!(
        "UPDATE audit_checkpoints SET body = replace(body, '\"sequence\":', '\"sequence\":1') WHERE {pruning}"
    ));
    assert!(kinds(&assert_tampered(&server, &[])).contains(&"checkpoint_changed"));
}

both![what_is_old_goes_and_the_rest_verifies];
