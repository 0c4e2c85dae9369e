//! `audit list`, `audit export`, `events`, and the page that documents them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn list(server: &Server, args: &[&str]) -> Vec<Value> {
    let all = [&["audit", "list", "--limit", "1000"], args].concat();
    server.cli(&all).as_array().expect("a list").clone()
}

/// Fails if a filter lets something else through, or hides what it should show.
async fn list_finds_what_is_asked_for(server: Shared) {
    let (user, client) = (User::new(server), Client::confidential(server));
    let browser = Browser::new(server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&tokens);
    assert_ig(&client.redeem(&request, "nonsense").await);
    let request_id = tokens.header("x-request-id").expect("a request id").to_owned();

    let person = list(server, &["--user", &user.username]);
    let types: Vec<&str> = person.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["user_created", "login_succeeded", "consent_given", "code_issued", "token_issued"]);
    assert!(person.iter().all(|event| event["subject"] == person[0]["subject"]));
    let operator = person[0]["operator"].as_str().expect("who made the account");
    assert!(!operator.is_empty() && person[1]["operator"].is_null(), "{person:?}");
    assert!(person[1]["address"] == "127.0.0.1" && person[0]["address"].is_null(), "{person:?}");

    let of_client = list(server, &["--client", &client.id]);
    assert_eq!(of_client.len(), 5, "created, allowed, code, tokens, refused: {of_client:?}");
    let refused = list(server, &["--client", &client.id, "--outcome", "failure"]);
    assert_eq!((refused.len(), &refused[0]["reason"]), (1, &"invalid_grant".into()), "{refused:?}");
    assert_eq!(list(server, &["--client", &client.id, "--reason", "invalid_grant"]), refused);
    let issued = list(server, &["--client", &client.id, "--type", "token_issued", "--type", "code_issued"]);
    assert_eq!(issued.len(), 2, "{issued:?}");
    assert_eq!(list(server, &["--request", &request_id]), issued[1..]);
    assert_eq!(list(server, &["--client", &client.id, "--operator", operator]), of_client[..1]);
    assert_eq!(list(server, &["--client", &client.id, "--address", "192.0.2.7"]), Vec::<Value>::new());
    assert_eq!(list(server, &["--client", &client.id, "--since", "1h", "--until", "30m"]), Vec::<Value>::new());
    assert_eq!(list(server, &["--client", &client.id, "--since", "1h"]), of_client);
    let middle = of_client[2]["time"].as_str().expect("a time");
    let since = list(server, &["--client", &client.id, "--since", middle]);
    assert!(since.len() >= 2 && since.len() <= 4, "{since:?}");
    let last = server.cli(&["audit", "list", "--client", &client.id, "--limit", "2"]);
    assert_eq!(last.as_array().expect("a list")[..], of_client[3..], "the last ones, the oldest first");
    for wrong in
        [&["--type", "nonsense"][..], &["--since", "yesterday"], &["--user", "nobody-there"], &["--limit", "0"]]
    {
        assert!(server.try_cli(&[&["audit", "list"], wrong].concat(), "").is_err(), "{wrong:?}");
    }
}

/// Fails if an event is missed or shown twice, whichever node wrote it, or if it does not end.
async fn events_are_followed(db: Db) {
    let server = Server::start(db, &[]);
    let node = (db == Db::Postgres).then(|| server.another_node());
    let client = machine(&server);
    issue(&client, 2).await;
    let mut child = server.printing(&["events", "--follow", "--limit", "1", "--type", "token_issued"]);
    let (send, lines) = mpsc::channel();
    let stdout = child.stdout.take().expect("its stdout");
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = send.send(serde_json::from_str::<Value>(&line).expect("a line of JSON"));
        }
    });
    let first = lines.recv_timeout(Duration::from_secs(20)).expect("the last event");
    assert_eq!(first["type"], "token_issued");
    let mut wanted = Vec::new();
    for n in 0..10 {
        let at = node.as_ref().filter(|_| n % 2 == 0).map_or_else(|| client.at(&server), |node| client.at(node));
        let answer = at.token(&[("grant_type", "client_credentials")]).await;
        wanted.push(answer.header("x-request-id").expect("a request id").to_owned());
        // Of another kind, which is not to be shown.
        assert_ig(&Client::confidential(&server).redeem(&client.request(), "nonsense").await);
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    // All of them, however long that takes, and a moment more for those that come twice.
    while let Ok(event) = lines.recv_timeout(Duration::from_secs(if seen.len() < wanted.len() { 60 } else { 1 })) {
        assert_eq!(event["type"], "token_issued");
        *seen.entry(event["request_id"].as_str().expect("a request").to_owned()).or_default() += 1;
    }
    assert_eq!(seen.len(), wanted.len(), "{seen:?}");
    assert!(wanted.iter().all(|id| seen.get(id) == Some(&1)), "{seen:?}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    assert!(child.wait().expect("its end").success(), "Ctrl-C is no failure");
}

/// The ids of the events that a command prints from now on.
fn following(server: &Server, args: &[&str]) -> (std::process::Child, mpsc::Receiver<String>) {
    let mut child = server.printing(args);
    let (send, ids) = mpsc::channel();
    let stdout = child.stdout.take().expect("its stdout");
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).expect("a line of JSON");
            let _ = send.send(event["id"].as_str().expect("an id").to_owned());
        }
    });
    (child, ids)
}

fn interrupt(mut child: std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    assert!(child.wait().expect("its end").success(), "Ctrl-C is no failure");
    ended(child.id());
}

/// Fails if whoever follows loses an event while the database is gone, or between two runs.
async fn a07_following_loses_nothing(db: Db) {
    let server = Server::start(db, &[]);
    let client = machine(&server);
    let all = |server: &Server| -> Vec<String> {
        let listed = list(server, &["--client", &client.id, "--type", "token_issued"]);
        listed.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    };
    issue(&client, 3).await;
    let proxy = (db == Db::Postgres).then(|| Proxy::new(&server.database));
    let follower = match &proxy {
        Some(proxy) => server.node(&[("database.url", &proxy.url)]),
        None => server.node(&[]),
    };
    let arguments = ["events", "--follow", "--type", "token_issued", "--limit", "1"];
    let (child, ids) = following(&follower, &arguments);
    let mut seen = vec![ids.recv_timeout(Duration::from_secs(60)).expect("the last event")];
    if let Some(proxy) = &proxy {
        proxy.set(Line::Cut);
        issue(&client, 5).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        proxy.set(Line::Passes);
    } else {
        issue(&client, 5).await;
    }
    issue(&client, 2).await;
    while seen.len() < 8 {
        seen.push(ids.recv_timeout(Duration::from_secs(60)).expect("every event"));
    }
    assert_eq!(seen, all(&server)[2..]);
    interrupt(child);

    // What comes while nobody looks is shown by the next run.
    issue(&client, 4).await;
    let last = seen.last().expect("an event").clone();
    let arguments = ["events", "--follow", "--type", "token_issued", "--after", &last];
    let (child, ids) = following(&follower, &arguments);
    let wanted = all(&server)[10..].to_vec();
    let mut found = Vec::new();
    while found.len() < wanted.len() {
        let id = ids.recv_timeout(Duration::from_secs(60)).expect("every event since");
        assert_ne!(id, last);
        if !all(&server)[..10].contains(&id) {
            found.push(id);
        }
    }
    assert_eq!(found, wanted);
    interrupt(child);
    assert!(server.try_cli(&["events", "--follow", "--after", "nonsense"], "").is_err());
}

/// Fails if an export of a part does not verify, or an existing file is lost.
async fn export_is_whole_or_a_part(db: Db) {
    let server = Server::start(db, &[]);
    let client = machine(&server);
    issue(&client, 3).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let middle = latchway_time();
    issue(&client, 4).await;
    assert!(server.stop());
    let path = |name: &str| server.dir.join(name).display().to_string();
    let whole = server.cli(&["audit", "export", "--out", &path("whole.jsonl")]);
    let part = server.cli(&["audit", "export", "--since", &middle, "--out", &path("part.jsonl")]);
    assert_eq!(part["events"], 4, "{part}");
    assert!(whole["events"].as_u64() > Some(7), "{whole}");
    assert!(server.try_cli(&["audit", "export", "--out", &path("part.jsonl")], "").is_err(), "a file was replaced");
    for name in ["whole.jsonl", "part.jsonl"] {
        let report = server.cli(&["audit", "verify", "--file", &path(name)]);
        assert_eq!((&report["ok"], &report["part"]), (&true.into(), &(name == "part.jsonl").into()), "{report:#}");
        // Away from here, and without the key: the hashes can be checked, and it says that this is all.
        let copy = tempfile::tempdir().expect("a directory");
        std::fs::copy(path(name), copy.path().join("x.jsonl")).expect("a copy");
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchway"));
        command.env_clear().current_dir(copy.path()).args(["audit", "verify", "--file", "x.jsonl", "--json"]);
        let output = command.output().expect("latchway");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(output.status.success() && report["signatures"] == false && report["ok"] == true, "{report:#}");
        let text = std::fs::read_to_string(path(name)).expect("an export");
        let second = text.lines().filter(|line| line.contains("token_issued")).nth(1).expect("an event");
        let changed = second.replace("127.0.0.1", "192.0.2.1");
        std::fs::write(copy.path().join("x.jsonl"), text.replace(second, &changed)).expect("a file");
        assert!(!command.output().expect("latchway").status.success(), "{name}: a change goes unnoticed");
    }
    let all = server.cli(&["audit", "verify"])["events"].clone();
    assert_eq!(all, whole["events"]);
}

fn latchway_time() -> String {
    latchway::audit::time(now() * 1000)
}

both![a07_following_loses_nothing, list_finds_what_is_asked_for, events_are_followed, export_is_whole_or_a_part];
