//! disk, descriptors and files.

use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::*;

const CC: &[(&str, &str)] = &[("grant_type", "client_credentials")];

/// 503, with the time after which to try again.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After");
    assert!((1..=10).contains(&seconds), "Retry-After: {seconds}");
    assert!(answer.json().get("access_token").is_none() && answer.json().get("active").is_none(), "{answer:?}");
}

async fn ready(server: &Server) -> u16 {
    Answer::of(http().get(server.url("/readyz"))).await.status
}

/// Fails if a write is acknowledged that cannot be kept, if reading suffers, or if it takes a restart to go on.
async fn r_030_disk_full() {
    let (server, faults) = Server::with_faults(Db::Sqlite, &[]);
    let client = Spec::confidential().create(&server);
    let before = client.token(CC).await.text("access_token");
    faults.disk_is_full();
    assert_unavailable(&client.token(CC).await);
    assert_unavailable(&client.revoke(&before).await);
    assert_eq!(client.introspect(&before).await.json()["active"], true, "reading goes on");
    assert_eq!(Answer::of(http().get(server.url("/.well-known/jwks.json"))).await.status, 200);
    assert_eq!(ready(&server).await, 503, "balancers are told");
    faults.clear();
    assert_eq!(ready(&server).await, 200, "it finds out by itself");
    let after = client.token(CC).await.text("access_token");
    assert_eq!(client.revoke(&before).await.status, 200);
    assert_eq!(client.introspect(&before).await.json()["active"], false);
    assert_eq!(client.introspect(&after).await.json()["active"], true);
}

/// Fails if something is acknowledged that the disk did not take.
async fn r_031_a_failing_disk() {
    let (server, faults) = Server::with_faults(Db::Sqlite, &[]);
    let client = Spec::confidential().create(&server);
    let before = client.token(CC).await.text("access_token");
    faults.disk_fails();
    for _ in 0..3 {
        assert_unavailable(&client.token(CC).await);
    }
    assert_unavailable(&client.revoke(&before).await);
    assert_eq!(ready(&server).await, 503);
    faults.clear();
    assert_eq!(ready(&server).await, 200);
    let after = client.token(CC).await.text("access_token");
    server.crash();
    server.spawn();
    assert_eq!(client.introspect(&before).await.json()["active"], true, "nobody was told that it is revoked");
    assert_eq!(client.introspect(&after).await.json()["active"], true, "what was acknowledged is there");
    let integrity = server.database.rows("pragma_integrity_check", "integrity_check <> 'ok'");
    assert!(integrity.is_empty(), "{integrity:?}");
}

/// Fails if running out of descriptors ends the server or leaves it deaf.
async fn r_032_no_descriptors_left() {
    let server = Server::start(Db::Sqlite, &[]);
    let client = Spec::confidential().create(&server);
    let pid = server.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--nofile=64:64"]).status().expect("prlimit");
    assert!(limited.success());
    let idle: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(server.address()).ok()).collect();
    assert!(idle.len() >= 64, "the kernel took {} connections", idle.len());
    std::thread::sleep(Duration::from_secs(1));
    assert!(server.is_alive());
    drop(idle);
    let begin = Instant::now();
    loop {
        let request = http().get(server.url("/livez")).timeout(Duration::from_secs(1)).send().await;
        if request.is_ok_and(|answer| answer.status() == 200) {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "it does not recover:\n{}", server.log());
    }
    assert_eq!(client.token(CC).await.status, 200);
}

/// Fails if two servers share a file, or if one goes on after its file went.
async fn r_033_one_server_a_file() {
    let server = Server::start(Db::Sqlite, &[]);
    let client = Spec::confidential().create(&server);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let second = server.node(&[("server.listen", &listen)]);
    let refused = second.try_cli(&["serve"], "").expect_err("a second server");
    assert!(refused.output.contains("another latchway server uses"), "{}", refused.output);
    assert_eq!(client.token(CC).await.status, 200, "the first goes on");

    let path = server.database.url().trim_start_matches("sqlite://").to_owned();
    std::fs::rename(&path, format!("{path}.taken")).expect("the file is taken away");
    let begin = Instant::now();
    while server.is_alive() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it goes on without its file");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(server.log().contains("is gone"), "{}", server.log());
}

/// Fails if the server, or the command line beside it, gives up because somebody else writes.
async fn r_034_many_writers() {
    let server = Arc::new(Server::start(Db::Sqlite, &[]));
    let client = Spec::confidential().create(&server);
    let mut storm = JoinSet::new();
    for _ in 0..64 {
        let client = client.clone();
        storm.spawn(async move {
            for _ in 0..10 {
                let answer = client.token(CC).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        });
    }
    for n in 0..8 {
        let server = server.clone();
        storm.spawn_blocking(move || {
            let name = format!("App {n}");
            server.cli(&["client", "create", "--name", &name, "--grant", "client_credentials", "--scope", "x"]);
        });
    }
    while let Some(done) = storm.join_next().await {
        done.expect("no write failed");
    }
}

/// Fails if a full disk of PostgreSQL, whose reads go on, is not told to balancers and to the log, once.
async fn a08_postgres_has_no_room() {
    let server = Server::start(Db::Postgres, &[]);
    let client = Spec::confidential().create(&server);
    let before = client.token(CC).await.text("access_token");
    let tables = ["access_tokens", "audit_events", "settings"];
    let triggers: String = tables
        .iter()
        .map(|table| {
            format!(
                "CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no_room();"
            )
        })
        .collect();
    server.database.execute(&format!(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION \
         'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = 'disk_full'; END $$; {triggers}"
    ));
    for _ in 0..3 {
        assert_unavailable(&client.token(CC).await);
        assert_eq!(ready(&server).await, 503, "balancers are told");
    }
    assert_eq!(client.introspect(&before).await.json()["active"], true, "reading goes on");
    let log = server.logged("the database has no room");
    assert_eq!(log.matches("the database has no room").count(), 1, "{log}");
    let gone: String = tables.iter().map(|table| format!("DROP TRIGGER no_room ON {table};")).collect();
    server.database.execute(&gone);
    assert_eq!(ready(&server).await, 200, "it finds out by itself");
    server.logged("the database has room again");
    assert_tokens(&client.token(CC).await);
}

macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::harness::run($crate::harness::Db::Sqlite, |_: $crate::harness::Db| super::$name()) })+
        }
    };
}

on_sqlite![
    r_030_disk_full,
    r_031_a_failing_disk,
    r_032_no_descriptors_left,
    r_033_one_server_a_file,
    r_034_many_writers
];

mod postgres {
    use crate::harness::*;

    #[test]
    fn a08_postgres_has_no_room() {
        run(Db::Postgres, |_: Db| super::a08_postgres_has_no_room());
    }
}
