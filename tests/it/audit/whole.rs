//! A trail that nobody touched verifies, whatever happened to those who wrote it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use latchway::audit::{Event, EventKind, Options, Source};
use latchway::domain::chain::{ChainKey, Checkpoint};
use latchway::storage::{Db as Storage, DbOptions, IfMissing, Refusal, StorageError};
use latchway::support::Clock;

use super::*;

/// Somebody who asks for tokens all the time, whatever the answer.
struct Hammer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Hammer {
    fn start(server: &Server, client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, url) = (stop.clone(), server.url("/oauth2/token"));
        let (id, secret) = (client.id.clone(), client.secret.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut answered = 0;
                while !stopped.load(Ordering::Relaxed) {
                    let form = [("grant_type", "client_credentials")];
                    let request = http().post(&url).basic_auth(&id, secret.as_ref()).form(&form);
                    match request.send().await {
                        Ok(answer) if answer.status() == 200 => answered += 1,
                        _ => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
                answered
            })
        });
        Self { stop, thread }
    }

    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it ends")
    }
}

/// Fails if `kill -9` under load looks like tampering, or if what the dead left is signed by nobody.
async fn killed_and_restarted(db: Db) {
    let config = [("audit.checkpoint_seconds", "1"), ("database.timeout_seconds", "1")];
    let server = Server::start(db, &config);
    let client = machine(&server);
    let mut answered = 0;
    for round in 0..4 {
        let hammers = [Hammer::start(&server, &client), Hammer::start(&server, &client)];
        // Not long enough for a checkpoint, and longer.
        tokio::time::sleep(Duration::from_millis(400 + 500 * round)).await;
        assert_verified(&server);
        server.crash();
        answered += hammers.map(Hammer::stop).iter().sum::<usize>();
        assert_verified(&server);
        server.spawn();
        assert_verified(&server);
    }
    assert!(answered > 20, "{answered} tokens");
    assert!(audit(&server, "kind = 'token_issued'").len() >= answered);
    // On PostgreSQL another node may be half a minute off, so that this takes longer there than one likes to wait.
    let begin = Instant::now();
    while db == Db::Sqlite && assert_verified(&server)["without_checkpoint"] != 0 {
        assert!(begin.elapsed() < Duration::from_secs(40), "{:#}", assert_verified(&server));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if db == Db::Sqlite {
        server.logged("signed audit events that a process left");
        let cut = "DELETE FROM audit_events WHERE (writer, sequence) IN \
                   (SELECT writer, max(sequence) FROM audit_events GROUP BY writer)";
        server.database.execute(cut);
        let report = assert_tampered(&server, &[]);
        let writers = report["writers"].as_array().map_or(0, Vec::len);
        assert!(kinds(&report).iter().all(|kind| *kind == "missing") && writers > 0, "{report:#}");
    }
}

/// Fails if nodes or commands that write at the same time disturb each other's chains.
async fn many_who_write(db: Db) {
    let server = Server::start(db, &[("audit.checkpoint_seconds", "1")]);
    let nodes = if db == Db::Postgres { vec![server.another_node(), server.another_node()] } else { Vec::new() };
    let client = machine(&server);
    let hammers: Vec<Hammer> = nodes.iter().chain([&server]).map(|node| Hammer::start(node, &client)).collect();
    std::thread::scope(|scope| {
        for n in 0..3 {
            let server = &server;
            scope.spawn(move || {
                for m in 0..3 {
                    server.cli(&["scope", "set", &format!("many:{n}-{m}"), "--title", "Many"]);
                    assert_verified(server);
                }
            });
        }
    });
    assert!(hammers.into_iter().map(Hammer::stop).sum::<usize>() > 10);
    assert_verified(&server);
    for node in nodes.iter().chain([&server]) {
        assert!(node.stop());
    }
    let report = assert_verified(&server);
    assert_eq!(report["without_checkpoint"], 0, "{report:#}");
    let short = report["writers"].as_array().expect("writers").iter().filter(|writer| writer["events"] == 1).count();
    assert!(short >= 9, "each command is a writer: {report:#}");
}

fn open(database: &Database) -> Storage {
    let options = DbOptions {
        pool_size: 4,
        queue: 1024,
        timeout: Duration::from_secs(30),
        if_missing: IfMissing::Make,
        ..DbOptions::new(database.url().into())
    };
    Storage::open(&options, Clock::system()).expect("the database")
}

/// Half of the work is undone after it recorded its event, while it shares a transaction with others.
fn undone_work(db: Db) {
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let database = Database::create(db, dir.path());
    let storage = open(&database);
    storage.migrate().expect("up");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let record = |n: usize| {
            let (storage, clock) = (storage.clone(), Clock::system());
            async move {
                let work = storage.write("test", move |tx| -> Result<_, Refusal<StorageError>> {
                    let event = Event::success(EventKind::ScopeChanged).detail(serde_json::json!({"n": n}));
                    event.record(tx, &clock)?;
                    match n % 3 {
                        0 => Err(Refusal::RollBack(StorageError::Conflict("undone".to_owned()))),
                        1 => Err(Refusal::Commit(StorageError::Conflict("refused, and kept".to_owned()))),
                        _ => Ok(()),
                    }
                });
                work.await
            }
        };
        // Without the key nothing is done that would be recorded.
        let refused = record(2).await.expect_err("no key");
        assert!(refused.to_string().contains("audit trail"), "{refused}");
        storage.chain().unlock(ChainKey::new(&[7; 32]));
        storage.append_checkpoint(1, |_: &mut Checkpoint| {}).await.expect("a first checkpoint");
        for _ in 0..3 {
            // All of them wait, and then share transactions.
            let blocked = (db == Db::Sqlite).then(|| database.block());
            let mut waiting = tokio::task::JoinSet::new();
            (0..60).for_each(|n| drop(waiting.spawn(record(n))));
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(blocked);
            while let Some(done) = waiting.join_next().await {
                let _ = done.expect("an answer");
            }
            storage.checkpoint(2).await.expect("a checkpoint");
        }
        let key = ChainKey::new(&[7; 32]);
        let options = Options::default();
        let report = latchway::audit::verify(Source::Database(&storage), Some(&key), &options, |_| {}).await;
        let report = report.expect("a report");
        assert_eq!((report.problems.count, report.events), (0, 120), "{:?}", report.problems.told);
        let stranger = ChainKey::new(&[8; 32]);
        let report = latchway::audit::verify(Source::Database(&storage), Some(&stranger), &options, |_| {}).await;
        assert!(report.expect("a report").problems.count > 0, "with any key");
    });
    drop(runtime);
    drop(storage);
    database.drop_it();
}

async fn work_that_is_undone(db: Db) {
    std::thread::spawn(move || undone_work(db)).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Fails if a changed encryption key takes the proofs with it.
async fn another_encryption_key(db: Db) {
    const NEW: &str = "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ";
    let server = Server::start(db, &[]);
    issue(&machine(&server), 3).await;
    assert!(server.stop());
    let both = server.node(&[("keys.encryption_key", NEW), ("keys.previous_encryption_key", ENCRYPTION_KEY)]);
    let alone = server.node(&[("keys.encryption_key", NEW)]);
    assert!(alone.try_cli(&["audit", "verify"], "").is_err(), "the new key opens nothing yet");
    assert_verified(&both);
    let resealed = both.cli(&["keys", "reseal"]);
    assert_eq!(resealed["audit_key_resealed"], true, "{resealed}");
    assert_eq!(both.cli(&["keys", "reseal"])["audit_key_resealed"], false);
    let events = assert_verified(&alone)["events"].as_u64();
    alone.spawn();
    alone.cli(&["scope", "set", "a:b", "--title", "Recorded under the new key"]);
    assert!(assert_verified(&alone)["events"].as_u64() > events);
    assert!(alone.stop());
    assert_verified(&alone);
}

/// Fails if a backup, or what a restore takes over from the database that it replaces, does not verify.
async fn a_backup_and_its_restore() {
    let server = Server::start(Db::Sqlite, &[("audit.checkpoint_seconds", "1")]);
    let client = machine(&server);
    issue(&client, 5).await;
    until_stated(&server).await;
    let backup = server.dir.join("a.backup").display().to_string();
    server.cli(&["backup", &backup]);
    issue(&client, 5).await;
    server.cli(&["scope", "set", "after:backup", "--title", "After the backup"]);
    assert!(server.stop());
    let before = assert_verified(&server)["events"].as_u64().expect("a number");
    let report = server.cli(&["restore", &backup, "--force"]);
    assert!(report["since"]["audit_events"].as_u64() >= Some(6), "{report}");
    let after = assert_verified(&server);
    assert_eq!(after["events"], before + 1, "all of before, and the restore: {after:#}");
    server.spawn();
    issue(&client, 2).await;
    assert_verified(&server);
    assert!(server.stop());

    // Nothing is known of the time since: the trail is that of the backup, and goes on from there.
    let Database::Sqlite { file, .. } = &server.database else { panic!("SQLite") };
    std::fs::remove_file(file).expect("the database goes");
    server.cli(&["restore", &backup]);
    server.spawn();
    issue(&client, 2).await;
    let report = assert_verified(&server);
    assert!(report["events"].as_u64() < Some(before), "{report:#}");
    assert!(server.stop());
    assert_verified(&server);
}

/// Events from before there was a chain prove nothing, and none can be added to them.
async fn events_from_before_the_chain(db: Db) {
    let server = Server::start(db, &[]);
    issue(&machine(&server), 3).await;
    assert!(server.stop());
    let database = server.database.clone();
    std::thread::spawn(move || {
        let storage = open(&database);
        // Back to the schema without the chain, whatever came after it.
        while storage.migrate_down().is_ok() && database.tables().contains(&"audit_checkpoints".to_owned()) {}
    })
    .join()
    .expect("down");
    let before = server.database.number("SELECT count(*) FROM audit_events");
    server.spawn();
    issue(&machine(&server), 3).await;
    assert!(server.stop());
    let report = assert_verified(&server);
    assert_eq!(report["from_before_the_chain"], before, "{report:#}");
    let late = match &server.database {
        Database::Sqlite { .. } => "unhex('01ffffffffffffffffffffffffffffff')",
        Database::Postgres { .. } => "'\\x01ffffffffffffffffffffffffffffff'::bytea",
    };
    server.database.execute(&format!(
        "INSERT INTO audit_events (id, at_millis, kind, outcome) VALUES ({late}, 5, 'token_issued', 'success')"
    ));
    assert_eq!(kinds(&assert_tampered(&server, &[])), ["unchained"]);
    // Unless a node of the version before ran on for a while, as only the operator can know.
    server.cli(&["audit", "verify", "--unchained-until", "2050-01-01T00:00:00Z"]);
}

/// Fails if the last checkpoint of a graceful stop waits for threads that still hold the database, or is not logged.
async fn s13_the_last_checkpoint_is_an_explicit_close(db: Db) {
    let (server, faults) = Server::with_faults(db, &[("server.shutdown_timeout_seconds", "1")]);
    issue(&machine(&server), 5).await;
    faults.workers_linger();
    let log = server.log().len();
    assert!(server.stop(), "it does not end:\n{}", server.log());
    faults.clear();
    let report = assert_verified(&server);
    assert_eq!(report["without_checkpoint"], 0, "{report:#}\n{}", &server.log()[log..]);
    assert!(report["writers"].as_array().expect("writers").iter().all(|writer| writer["ended"] == true), "{report:#}");
    assert!(server.log()[log..].contains("the last audit checkpoint is written"), "{}", &server.log()[log..]);
}

both![
    s13_the_last_checkpoint_is_an_explicit_close,
    killed_and_restarted,
    many_who_write,
    work_that_is_undone,
    another_encryption_key,
    events_from_before_the_chain,
];

mod sqlite_alone {
    use crate::harness::*;

    #[test]
    fn a_backup_and_its_restore() {
        run(Db::Sqlite, |_: Db| super::a_backup_and_its_restore());
    }
}
