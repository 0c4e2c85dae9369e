//! B1, A1, A2: the log never ends, blocks or fails the server, and has one form.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::*;

const CC: &[(&str, &str)] = &[("grant_type", "client_credentials")];

fn dev_full() -> File {
    File::options().write(true).open("/dev/full").expect("/dev/full")
}

/// Asks for what is refused, and meanwhile for what must go on.
async fn refused_300_times(server: &Server, client: &Client, token: &str) {
    for _ in 0..10 {
        let mut refused = JoinSet::new();
        for n in 0..30 {
            let (url, impostor) =
                (server.url("/nothing"), Client { secret: Some("wrong".to_owned()), ..client.clone() });
            refused.spawn(async move {
                match n % 3 {
                    0 => (404, Answer::of(http().get(url)).await),
                    1 => (401, impostor.token(CC).await),
                    _ => (401, impostor.introspect("nothing").await),
                }
            });
        }
        while let Some(answered) = refused.join_next().await {
            let (status, answer) = answered.expect("an answer");
            assert_eq!(answer.status, status, "{answer:?}");
        }
        assert_eq!(Answer::of(http().get(server.url("/livez"))).await.status, 200);
        assert_tokens(&client.token(CC).await);
        assert_eq!(client.introspect(token).await.json()["active"], true);
    }
}

async fn dropped(server: &Server) -> u64 {
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("latchway_log_lines_dropped_total "));
    line.expect("the metric").parse().expect("a number")
}

/// Fails if a standard error that is full, closed or not read ends a request or the process, or keeps it from ending.
async fn b1_a_log_that_nobody_takes(db: Db) {
    let (server, faults) = Server::prepared_with_faults(db, &[]);
    server.spawn();
    let client = Spec::confidential().create(&server);
    let token = client.token(CC).await.text("access_token");
    assert!(server.stop());

    let path = server.dir.join("server.log");
    let (gone, closed) = std::io::pipe().expect("a pipe");
    drop(gone);
    let (_unread, full) = std::io::pipe().expect("a pipe");
    let file = File::create(&path).expect("a file");
    let outputs: [(&str, Stdio, Stdio); 4] = [
        ("/dev/full", dev_full().into(), dev_full().into()),
        ("a closed pipe", closed.try_clone().expect("a pipe").into(), closed.into()),
        ("a pipe that is not read", full.try_clone().expect("a pipe").into(), full.into()),
        ("a file on a full disk", Stdio::null(), file.into()),
    ];
    for (what, stdout, stderr) in outputs {
        server.spawn_writing_to(stdout, stderr);
        if what == "a file on a full disk" {
            faults.log_disk_is_full();
        }
        refused_300_times(&server, &client, &token).await;
        if what != "a pipe that is not read" {
            assert!(dropped(&server).await >= 300, "{what}: lines are counted");
        }
        if what == "a file on a full disk" {
            faults.clear();
            assert_eq!(Answer::of(http().get(server.url("/nothing"))).await.status, 404);
        }
        let status = server.stop_within(Duration::from_secs(35)).unwrap_or_else(|| panic!("{what}: it does not end"));
        assert_eq!(status.code(), Some(0), "{what}: {status}");
    }
    let written = std::fs::read_to_string(path).expect("the log");
    let told = written.lines().filter(|line| line.contains("log lines were lost")).count();
    assert_eq!(told, 1, "once, when it works again:\n{written}");
    assert!(written.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{written}");
}

/// Fails if anybody can write the log full, or if what was left out is not told.
async fn b1_refusals_are_sampled(db: Db) {
    let server = Server::start(db, &[("log.level", "info")]);
    let client = Client { secret: Some("wrong".to_owned()), ..Spec::confidential().create(&server) };
    for _ in 0..120 {
        assert_ic(&client.token(CC).await);
    }
    let begin = std::time::Instant::now();
    loop {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = lines.filter(|line| line["code"] == "invalid_client").collect();
        let (refused, more): (Vec<&Value>, Vec<&Value>) = lines.iter().partition(|line| line["message"] == "refused");
        let more: u64 = more.iter().filter_map(|line| line["count"].as_u64()).sum();
        if refused.len() as u64 + more == 120 {
            // Five a second and the number of the rest.
            let seconds = begin.elapsed().as_secs() + 20;
            assert!((refused.len() as u64) < 5 * seconds && !refused.is_empty(), "{} lines", refused.len());
            assert!(more > 0, "none was left out, however fast they came");
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{} and {more}:\n{log}", refused.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The fields that docs/logging.md describes.
fn documented() -> Vec<String> {
    let page = include_str!("../../../docs/logging.md");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_owned()).collect()
}

/// Fails if anything but documented JSON is in the log, or if a line lacks what one needs to find out what happened.
async fn a01_one_schema(db: Db) {
    let server = Server::start(db, &[("log.level", "trace")]);
    let client = Client { secret: Some("wrong".to_owned()), ..Spec::confidential().create(&server) };
    let answer = client.token(CC).await;
    let id = answer.header("x-request-id").expect("a request id").to_owned();
    server.logged(&id);
    assert!(server.stop());
    let log = server.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}")))
        .collect();
    assert!(!log.contains("/.cargo/") && !log.contains("log.file"), "where it was built is in the log");
    let documented = documented();
    let ours = lines.iter().filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("latchway")));
    for line in ours {
        for name in line.as_object().expect("an object").keys() {
            assert!(documented.contains(name), "{name} is not in docs/logging.md: {line}");
        }
    }
    let of = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no {message:?} in {log}"))
    };
    let start = of("latchway serves");
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"), "{start}");
    for name in ["node", "issuer", "listen", "database", "mode"] {
        assert!(start[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {start}");
    }
    let refused = lines.iter().find(|line| line["request_id"] == *id && line["message"] == "refused").expect("refused");
    for (name, value) in [
        ("route", "/oauth2/token"),
        ("method", "POST"),
        ("client_id", &client.id),
        ("address", "127.0.0.1"),
        ("outcome", "refused"),
        ("code", "invalid_client"),
        ("level", "INFO"),
    ] {
        assert_eq!(refused[name], value, "{name}: {refused}");
    }
    assert!(refused["duration_ms"].is_number() && refused["status"] == 401, "{refused}");
    assert!(refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{refused}");
}

/// Fails if what keeps a server from starting is not in the form of its log.
async fn a01_a_start_that_fails(server: Shared) {
    for config in
        [&[("keys.encryption_key", "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ")][..], &[("log.level", "verbose")]]
    {
        let node = server.node(config);
        let output = node.command_line(&["serve"]).output().expect("the built latchway");
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let log = String::from_utf8(output.stderr).expect("text");
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}")))
            .collect();
        let last = lines.last().expect("a line");
        assert_eq!(last["level"], "ERROR", "{log}");
        assert!(last["error"].as_str().is_some_and(|error| !error.is_empty()), "{log}");
    }
}

/// Fails if a word that is no level is taken for a module, of which there is nothing to log.
async fn a02_levels_are_checked(server: Shared) {
    for (level, nearest) in [("verbose", "debug"), ("inof", "info"), ("latchway=debgu,info", "debug")] {
        let node = server.node(&[("log.level", level)]);
        let refused = node.try_cli(&["config", "check"], "").expect_err("no level").output;
        assert!(refused.contains(&format!("did you mean \\\"{nearest}\\\"?")), "{level}: {refused}");
        let serve = node.command_line(&["serve"]).output().expect("the built latchway");
        assert_eq!(serve.status.code(), Some(2), "{level}");
    }
}

both![
    b1_a_log_that_nobody_takes,
    b1_refusals_are_sampled,
    a01_one_schema,
    a01_a_start_that_fails,
    a02_levels_are_checked,
];
