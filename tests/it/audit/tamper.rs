//! Whoever can write the database, and has not the key, changes the trail in every way that we can think of. Each must be
//! found and named; put back, all is well again.

use latchway::domain::chain::Record;
use latchway::support::{Id, hex};
use serde_json::Value;

use super::*;

/// A trail with long and short chains, of a server that has stopped.
async fn trail(db: Db) -> Server {
    let server = Server::start(db, &[]);
    let (client, user) = (machine(&server), User::new(&server));
    issue(&client, 12).await;
    Browser::of(&server, &user).await;
    server.cli(&["scope", "set", "tamper:test", "--title", "Nothing"]);
    assert!(server.stop(), "it stops");
    let report = assert_verified(&server);
    assert_eq!(report["without_checkpoint"], 0, "a graceful stop states all: {report:#}");
    assert!(report["writers"].as_array().expect("writers").iter().all(|writer| writer["ended"] == true), "{report:#}");
    for table in ["audit_events", "audit_checkpoints", "settings"] {
        server.database.execute(&format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}"));
    }
    server
}

fn put_back(server: &Server) {
    for table in ["audit_events", "audit_checkpoints", "settings"] {
        server.database.execute(&format!("DELETE FROM {table}"));
        server.database.execute(&format!("INSERT INTO {table} SELECT * FROM saved_{table}"));
    }
}

/// The writer of most events.
const LONG: &str = "(SELECT writer FROM saved_audit_events GROUP BY writer ORDER BY count(*) DESC, writer LIMIT 1)";

fn events_of(server: &Server) -> Vec<Value> {
    let file = server.dir.join(format!("{}.jsonl", random(6)));
    server.cli(&["audit", "export", "--out", &file.display().to_string()]);
    let text = std::fs::read_to_string(file).expect("an export");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["record"] == "event").collect()
}

fn id(value: &Value) -> Id {
    value.as_str().and_then(|text| text.parse().ok()).expect("an id")
}

fn bytes(db: &Database, bytes: &[u8]) -> String {
    match db {
        Database::Sqlite { .. } => format!("x'{}'", hex(bytes)),
        Database::Postgres { .. } => format!("'\\x{}'::bytea", hex(bytes)),
    }
}

/// The hash of an event as the documentation says, which needs no key.
fn link(event: &Value, previous: &[u8; 32]) -> [u8; 32] {
    let text = |name: &str| event[name].as_str();
    let detail = event["detail"].is_object().then(|| event["detail"].to_string());
    let record = Record {
        writer: id(&event["writer"]),
        sequence: event["sequence"].as_i64().expect("a number"),
        id: id(&event["id"]),
        at_millis: event["at_millis"].as_i64().expect("a time"),
        kind: text("type").expect("a type"),
        outcome: text("outcome").expect("an outcome"),
        reason: text("reason"),
        client_id: text("client_id"),
        subject_hash: text("subject"),
        operator: text("operator"),
        address: text("address"),
        request_id: text("request_id"),
        detail: detail.as_deref(),
    };
    record.link(previous, &mut Vec::new())
}

fn hash_of(event: &Value) -> [u8; 32] {
    let text = event["hash"].as_str().expect("a hash");
    latchway::support::unhex(text).and_then(|bytes| bytes.try_into().ok()).expect("32 bytes")
}

/// Fails if a changed column of any event goes unnoticed, or if it is not told which event that is.
async fn every_column(db: Db) {
    let server = trail(db).await;
    let events = events_of(&server);
    let long = |n: i64| {
        let of = |event: &&Value| event["type"] == "token_issued" && event["sequence"] == n;
        id(&events.iter().find(of).expect("an event")["id"])
    };
    let sequence = server.database.number(&format!(
        "SELECT max(sequence) - 3 FROM saved_audit_events WHERE writer = {LONG} AND kind = 'token_issued'"
    ));
    let victim = long(sequence).to_string();
    for change in [
        "at_millis = at_millis + 1",
        "kind = 'token_revoked'",
        "outcome = 'failure'",
        "reason = 'because'",
        "client_id = 'somebody'",
        "client_id = NULL",
        "subject_hash = 'somebody'",
        "operator = 'root'",
        "address = '192.0.2.1'",
        "request_id = NULL",
        "detail = '{}'",
    ] {
        server
            .database
            .execute(&format!("UPDATE audit_events SET {change} WHERE writer = {LONG} AND sequence = {sequence}"));
        let report = assert_tampered(&server, &[]);
        assert_eq!(kinds(&report), ["changed"], "{change}: {report:#}");
        assert_eq!(report["problems"][0]["id"], *victim, "{change}: {report:#}");
        assert!(report["problems"][0]["time"].is_string(), "{change}: {report:#}");
        put_back(&server);
    }
    let (writer, place) = (bytes(&server.database, &[7; 16]), bytes(&server.database, &[1; 16]));
    let hash = bytes(&server.database, &[9; 32]);
    for (change, found) in [
        ("sequence = sequence + 1".to_owned(), "missing"),
        ("sequence = NULL".to_owned(), "unchained"),
        (format!("writer = {writer}"), "missing"),
        ("writer = NULL".to_owned(), "unchained"),
        (format!("id = {place}"), "missing"),
        (format!("hash = {hash}"), "changed"),
        ("hash = NULL".to_owned(), "unchained"),
    ] {
        server
            .database
            .execute(&format!("UPDATE audit_events SET {change} WHERE writer = {LONG} AND sequence = {sequence}"));
        let report = assert_tampered(&server, &[]);
        assert!(kinds(&report).contains(&found), "{change}: {report:#}");
        put_back(&server);
    }
    assert_verified(&server);
}

/// Fails if something that was removed, added or put elsewhere goes unnoticed.
async fn rows(db: Db) {
    let server = trail(db).await;
    let database = &server.database;
    let last = database.number(&format!("SELECT max(sequence) FROM saved_audit_events WHERE writer = {LONG}"));
    let tamper = |statement: &str, found: &str, says: &str| {
        database.execute(statement);
        let report = assert_tampered(&server, &[]);
        let told = report["problems"].as_array().expect("a list").iter().any(|problem| {
            problem["what"] == found && problem["message"].as_str().is_some_and(|message| message.contains(says))
        });
        assert!(told, "{statement}: {report:#}");
        put_back(&server);
    };
    let of_long = format!("DELETE FROM audit_events WHERE writer = {LONG}");
    tamper(&format!("{of_long} AND sequence = 5"), "missing", "events 5 to 5");
    tamper(&format!("{of_long} AND sequence IN (5, 6, 7)"), "missing", "events 5 to 7");
    tamper(&format!("{of_long} AND sequence < 5"), "missing", "events 1 to 4");
    tamper(&format!("{of_long} AND sequence > {}", last - 2), "missing", &format!("events {} to {last}", last - 1));
    tamper(&of_long, "missing", "all events of writer");
    tamper("DELETE FROM audit_events WHERE kind = 'user_created'", "missing", "all events of writer");
    tamper("DELETE FROM audit_events", "missing", "all events of writer");

    // Two events change places: their contents, then their places in time.
    let swapped = |column: &str| {
        let of = |n: i64| format!("(SELECT {column} FROM saved_audit_events WHERE writer = {LONG} AND sequence = {n})");
        format!(
            "UPDATE audit_events SET {column} = CASE sequence WHEN 4 THEN {} ELSE {} END \
             WHERE writer = {LONG} AND sequence IN (4, 6)",
            of(6),
            of(4)
        )
    };
    tamper(&swapped("request_id"), "changed", "it was changed");
    let of = |n: i64| format!("(SELECT id FROM saved_audit_events WHERE writer = {LONG} AND sequence = {n})");
    let spare = bytes(database, &[0; 16]);
    database.execute(&format!("UPDATE audit_events SET id = {spare} WHERE id = {}", of(4)));
    database.execute(&format!("UPDATE audit_events SET id = {} WHERE id = {}", of(4), of(6)));
    tamper(&format!("UPDATE audit_events SET id = {} WHERE id = {spare}", of(6)), "reordered", "comes after");

    // One more, in a chain that is there, and in one of its own with hashes that are right.
    let events = events_of(&server);
    let columns =
        "id, at_millis, kind, outcome, client_id, subject_hash, address, request_id, detail, reason, operator";
    let copy = |id: Id, writer: Id, sequence: i64, hash: &[u8]| {
        format!(
            "INSERT INTO audit_events ({columns}, writer, sequence, hash) \
             SELECT {}, at_millis, kind, outcome, client_id, subject_hash, address, request_id, detail, reason, operator, \
             {}, {sequence}, {} FROM saved_audit_events WHERE writer = {LONG} AND sequence = 5",
            bytes(database, id.as_bytes()),
            bytes(database, writer.as_bytes()),
            bytes(database, hash),
        )
    };
    let (fifth, end) = long_events(&server, &events, last);
    let (clock, rng) = (latchway::support::Clock::system(), latchway::support::Rng::system());
    let (fresh, stranger) = (Id::new(&clock, &rng), Id::new(&clock, &rng));
    let forged = |writer: Id, sequence: i64, previous: &[u8; 32]| {
        let mut event = fifth.clone();
        (event["id"], event["writer"]) = (fresh.to_string().into(), writer.to_string().into());
        event["sequence"] = sequence.into();
        copy(fresh, writer, sequence, &link(&event, previous))
    };
    let writer = id(&fifth["writer"]);
    tamper(&forged(writer, 5, &hash_of(&fifth)), "reordered", "comes after");
    tamper(&forged(stranger, 1, &[0; 32]), "changed", "had not the key");
    // At the end of a chain whose server has stopped, and with the hash that the next event would have.
    tamper(&forged(writer, last + 1, &hash_of(&end)), "appended", "had ended");
    tamper(&forged(stranger, 7, &[0; 32]), "missing", "events 1 to 6");
    assert_verified(&server);
}

/// The fifth and the last event of the longest chain.
fn long_events(server: &Server, events: &[Value], last: i64) -> (Value, Value) {
    let ids = server.database.rows("saved_audit_events", &format!("writer = {LONG} AND sequence IN (5, {last})"));
    let hashes: Vec<String> =
        ids.iter().map(|row| row["hash"].as_str().expect("a hash").trim_start_matches("\\x").to_lowercase()).collect();
    let of = |n: i64| {
        let of = |event: &&Value| event["sequence"] == n && hashes.iter().any(|hash| event["hash"] == **hash);
        events.iter().find(of).expect("an event").clone()
    };
    (of(5), of(last))
}

/// Fails if it is enough to compute all hashes anew: they are no secret, and the checkpoints are signed.
async fn a_chain_that_is_right_and_another(db: Db) {
    let server = trail(db).await;
    let events = events_of(&server);
    let last = server.database.number(&format!("SELECT max(sequence) FROM saved_audit_events WHERE writer = {LONG}"));
    let (fifth, _) = long_events(&server, &events, last);
    let mut chain: Vec<Value> = events.iter().filter(|event| event["writer"] == fifth["writer"]).cloned().collect();
    chain.sort_by_key(|event| event["sequence"].as_i64());
    let mut previous = hash_of(&chain[3]);
    for event in &mut chain[4..] {
        event["client_id"] = "somebody-else".into();
        previous = link(event, &previous);
        server.database.execute(&format!(
            "UPDATE audit_events SET client_id = 'somebody-else', hash = {} WHERE writer = {LONG} AND sequence = {}",
            bytes(&server.database, &previous),
            event["sequence"]
        ));
    }
    let report = assert_tampered(&server, &[]);
    assert!(kinds(&report).contains(&"rewritten"), "{report:#}");
    assert!(!kinds(&report).contains(&"changed"), "the hashes are right: {report:#}");
    put_back(&server);

    // From the first event on not even that is possible: what comes before it is known to nobody.
    let first = chain[0].clone();
    let mut forged = first.clone();
    forged["client_id"] = "somebody-else".into();
    let hash = link(&forged, &[0; 32]);
    server.database.execute(&format!(
        "UPDATE audit_events SET client_id = 'somebody-else', hash = {} WHERE writer = {LONG} AND sequence = 1",
        bytes(&server.database, &hash)
    ));
    assert!(kinds(&assert_tampered(&server, &[])).contains(&"changed"));
    put_back(&server);
    assert_verified(&server);
}

/// Fails if the checkpoints themselves can be changed or removed.
async fn checkpoints(db: Db) {
    let server = trail(db).await;
    let database = &server.database;
    let receipt = assert_verified(&server)["last_checkpoint"]["receipt"].as_str().expect("a receipt").to_owned();
    let count = database.number("SELECT count(*) FROM audit_checkpoints");
    assert!(count >= 4, "{count} checkpoints");
    for (change, found) in [
        ("DELETE FROM audit_checkpoints".to_owned(), "checkpoint_missing"),
        ("DELETE FROM audit_checkpoints WHERE number = 1".to_owned(), "checkpoint_missing"),
        ("DELETE FROM audit_checkpoints WHERE number = 3".to_owned(), "checkpoint_missing"),
        ("DELETE FROM audit_checkpoints WHERE number < 3".to_owned(), "checkpoint_missing"),
        ("UPDATE audit_checkpoints SET number = 99 WHERE number = 2".to_owned(), "checkpoint_missing"),
        (
            "UPDATE audit_checkpoints SET body = replace(body, '\"sequence\":', '\"sequence\":1') WHERE number = 2"
                .to_owned(),
            "checkpoint_changed",
        ),
        (
            format!("UPDATE audit_checkpoints SET mac = {} WHERE number = 2", bytes(database, &[1; 32])),
            "checkpoint_changed",
        ),
        ("UPDATE audit_checkpoints SET at_millis = 5 WHERE number = 2".to_owned(), "checkpoint_changed"),
    ] {
        database.execute(&change);
        let report = assert_tampered(&server, &[]);
        assert!(kinds(&report).contains(&found), "{change}: {report:#}");
        put_back(&server);
    }
    // The end cut off, checkpoints and all: the trail of an earlier moment. Whoever noted the last checkpoint sees it.
    server.cli(&["audit", "verify", "--expect", &receipt]);
    database.execute(&format!("DELETE FROM audit_checkpoints WHERE number = {count}"));
    let report = assert_tampered(&server, &["--expect", &receipt]);
    assert!(kinds(&report).contains(&"checkpoint_missing"), "{report:#}");
    put_back(&server);
    let other = format!("{}:{}", receipt.split(':').next().expect("a number"), "0".repeat(64));
    assert!(kinds(&assert_tampered(&server, &["--expect", &other])).contains(&"checkpoint_changed"));
    assert!(server.try_cli(&["audit", "verify", "--expect", "nonsense"], "").is_err());
    server.cli(&["audit", "verify", "--expect", &receipt]);

    // The key: without it, or with another, nothing is certain.
    database.execute("DELETE FROM settings WHERE name = 'audit_key'");
    assert!(server.try_cli(&["audit", "verify"], "").is_err(), "a trail without a key");
    put_back(&server);
    database.execute("UPDATE settings SET value = 'c29tZXRoaW5nIGVsc2U=' WHERE name = 'audit_key'");
    let refused = server.try_cli(&["audit", "verify"], "").expect_err("another key").output;
    assert!(refused.contains("encryption_key is another one"), "{refused}");
    // And nothing that would have to be recorded is done.
    let refused = server.try_cli(&["scope", "set", "x:y", "--title", "x"], "").expect_err("recorded by nobody").output;
    assert!(refused.contains("audit trail"), "{refused}");
    assert!(server.database.rows("scopes", "name = 'x:y'").is_empty());
    put_back(&server);
    assert_verified(&server);
}

/// Fails if a running server does not notice that checkpoints are gone, or if an export hides what was done to it.
async fn while_running_and_in_an_export(db: Db) {
    let server = Server::start(db, &[("audit.checkpoint_seconds", "1")]);
    let client = machine(&server);
    issue(&client, 3).await;
    until_stated(&server).await;
    let file = server.dir.join("whole.jsonl").display().to_string();
    server.cli(&["audit", "export", "--out", &file]);
    let report = server.cli(&["audit", "verify", "--file", &file]);
    assert_eq!((&report["ok"], &report["signatures"]), (&true.into(), &true.into()), "{report:#}");
    let text = std::fs::read_to_string(&file).expect("an export");
    for (name, changed) in [
        ("changed", text.replace(&client.id, "somebody-else")),
        ("missing", {
            let is_token = |(_, line): &(usize, &str)| line.contains("token_issued");
            let last = text.lines().enumerate().filter(is_token).last().expect("a token").0;
            text.lines().enumerate().filter(|(n, _)| *n != last).map(|(_, line)| format!("{line}\n")).collect()
        }),
        ("checkpoint_missing", {
            let first = text.lines().position(|line| line.contains("\"record\":\"checkpoint\"")).expect("a checkpoint");
            text.lines().enumerate().filter(|(n, _)| *n != first + 1).map(|(_, line)| format!("{line}\n")).collect()
        }),
    ] {
        let file = server.dir.join(format!("{name}.jsonl"));
        std::fs::write(&file, changed).expect("a file");
        let report = assert_tampered(&server, &["--file", &file.display().to_string()]);
        assert!(kinds(&report).contains(&name), "{name}: {report:#}");
    }
    let half = server.dir.join("half.jsonl");
    std::fs::write(&half, &text[..text.len() - 20]).expect("a file");
    assert!(server.try_cli(&["audit", "verify", "--file", &half.display().to_string()], "").is_err());

    server.database.execute("DELETE FROM audit_checkpoints WHERE number > 1");
    issue(&client, 3).await;
    server.logged("somebody removed it");
}

both![every_column, rows, a_chain_that_is_right_and_another, checkpoints, while_running_and_in_an_export];
