//! The two databases: a fresh one for each server, and a look into its tables.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use serde_json::Value;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use url::Url;

use super::server::{ENCRYPTION_KEY, scratch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Db {
    Sqlite,
    Postgres,
}

/// One database of one server.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite { url: String, file: String },
    Postgres { url: String, name: String },
}

/// A lock that keeps the server from writing until it is dropped.
pub struct Blocked {
    _release: std::sync::mpsc::Sender<()>,
}

impl Database {
    /// An empty database.
    pub fn create(db: Db, dir: &Path) -> Self {
        match db {
            Db::Sqlite => {
                let file = dir.join("latchway.db").display().to_string();
                // A server makes no database, so that here is an empty one.
                std::fs::write(&file, "").expect("an empty file");
                Self::Sqlite { url: format!("sqlite://{file}"), file }
            }
            Db::Postgres => Self::new_on_postgres(""),
        }
    }

    /// A database with the schema in it, copied from one that `latchway migrate` made once for all tests of the run.
    pub fn migrated(db: Db, dir: &Path) -> Self {
        match db {
            Db::Sqlite => {
                static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
                let database = Self::create(db, dir);
                let template = TEMPLATE.get_or_init(|| {
                    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
                    let template = Self::create(db, dir.path());
                    template.migrate();
                    // The last connection that closes moves what the log has into the file.
                    assert_eq!(template.number("SELECT 1"), 1);
                    let Self::Sqlite { file, .. } = template else { panic!("a file") };
                    assert!(!Path::new(&format!("{file}-wal")).exists(), "a log beside the template");
                    std::fs::read(file).expect("the template")
                });
                let Self::Sqlite { file, .. } = &database else { panic!("a file") };
                std::fs::write(file, template).expect("a copy of the template");
                database
            }
            Db::Postgres => {
                static TEMPLATE: OnceLock<String> = OnceLock::new();
                let template = TEMPLATE.get_or_init(|| {
                    let template = Self::new_on_postgres("");
                    template.migrate();
                    let Self::Postgres { name, .. } = template else { panic!("a name") };
                    // A template must have no connections, and the server ends those of a process a moment after it.
                    let connections = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
                    while postgres(&admin_url(), &connections) != ["0"] {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    name
                });
                Self::new_on_postgres(&format!("TEMPLATE {template}"))
            }
        }
    }

    fn new_on_postgres(options: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("latchway_{}_{number}", std::process::id());
        postgres(&admin_url(), &format!("CREATE DATABASE {name} {options}"));
        let mut url = Url::parse(&admin_url()).expect("LATCHWAY_TEST_POSTGRES is a URL");
        url.set_path(&name);
        Self::Postgres { url: url.to_string(), name }
    }

    fn migrate(&self) {
        let output = Command::new(env!("CARGO_BIN_EXE_latchway"))
            .arg("migrate")
            .env_clear()
            .env("LATCHWAY__DATABASE__URL", self.url())
            .env("LATCHWAY__KEYS__ENCRYPTION_KEY", ENCRYPTION_KEY)
            .output()
            .expect("the built latchway");
        assert!(output.status.success(), "latchway migrate: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes a lock that every write has to wait for.
    pub fn block(&self) -> Blocked {
        self.hold("LOCK TABLE access_tokens, refresh_tokens, grants IN EXCLUSIVE MODE")
    }

    /// Takes a lock by a statement of PostgreSQL's; on SQLite it is that of the writer in any case.
    pub fn hold(&self, lock: &str) -> Blocked {
        let lock = format!("BEGIN; {lock}");
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (taken, wait) = std::sync::mpsc::channel();
        let this = self.clone();
        std::thread::spawn(move || match this {
            Self::Sqlite { file, .. } => {
                let mut connection = SqliteConnection::establish(&file).expect("the server's SQLite file");
                for pragma in ["PRAGMA busy_timeout = 5000", "BEGIN IMMEDIATE"] {
                    sql_query(pragma).execute(&mut connection).expect(pragma);
                }
                taken.send(()).expect("somebody waits");
                let _ = released.recv();
            }
            Self::Postgres { url, .. } => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("PostgreSQL answers");
                    tokio::spawn(connection);
                    client.batch_execute(&lock).await.expect("the lock");
                    taken.send(()).expect("somebody waits");
                    let _ = tokio::task::spawn_blocking(move || released.recv()).await;
                    client.batch_execute("ROLLBACK").await.expect("a rollback");
                });
            }
        });
        wait.recv().expect("the lock is taken");
        Blocked { _release: release }
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url, .. } => url,
        }
    }

    pub fn drop_it(&self) {
        if let Self::Postgres { name, .. } = self {
            postgres(&admin_url(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }

    /// Changes what the server would not.
    pub fn execute(&self, statement: &str) {
        match self {
            Self::Sqlite { file, .. } => _ = sqlite(file, statement),
            Self::Postgres { url, .. } => _ = postgres(url, statement),
        }
    }

    /// The answer to a question that has one number.
    pub fn number(&self, query: &str) -> i64 {
        let texts = match self {
            Self::Sqlite { file, .. } => sqlite(file, &format!("SELECT CAST(({query}) AS TEXT) AS text")),
            Self::Postgres { url, .. } => postgres(url, query),
        };
        texts[0].parse().expect("a number")
    }

    /// How SQLite would answer a query.
    pub fn plan(&self, query: &str) -> String {
        let Self::Sqlite { file, .. } = self else { panic!("a plan of SQLite") };
        let mut connection = SqliteConnection::establish(file).expect("the server's SQLite file");
        let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(&mut connection).expect(query);
        steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("; ")
    }

    /// The rows of a table as JSON objects, for a condition in SQL such as `client_id = 'x'`.
    pub fn rows(&self, table: &str, condition: &str) -> Vec<Value> {
        let texts = match self {
            Self::Sqlite { file, .. } => sqlite_rows(file, table, condition),
            Self::Postgres { url, .. } => {
                postgres(url, &format!("SELECT row_to_json(t)::text FROM {table} t WHERE {condition}"))
            }
        };
        texts.iter().map(|text| serde_json::from_str(text).expect("a row in JSON")).collect()
    }

    /// All that makes up the schema, a line each: tables with their columns, constraints, indexes.
    pub fn schema(&self) -> Vec<String> {
        let mut lines = match self {
            Self::Sqlite { file, .. } => {
                sqlite(file, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS text FROM sqlite_master")
            }
            Self::Postgres { url, .. } => [
                // A column that was dropped leaves a gap in the positions of the others.
                "SELECT concat_ws(' ', table_name, rank() OVER (PARTITION BY table_name ORDER BY ordinal_position), column_name, data_type, is_nullable, column_default)
                 FROM information_schema.columns WHERE table_schema = 'public'",
                "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE connamespace = 'public'::regnamespace",
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            ]
            .iter()
            .flat_map(|query| postgres(url, query))
            .collect(),
        };
        lines.sort();
        lines
    }

    /// The names of all tables.
    pub fn tables(&self) -> Vec<String> {
        match self {
            Self::Sqlite { file, .. } => {
                sqlite(file, "SELECT name AS text FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            }
            Self::Postgres { url, .. } => {
                postgres(url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
            }
        }
    }
}

fn admin_url() -> String {
    std::env::var("LATCHWAY_TEST_POSTGRES")
        .expect("LATCHWAY_TEST_POSTGRES is not set: run `scripts/test`, which starts a PostgreSQL for the tests")
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

fn sqlite(file: &str, query: &str) -> Vec<String> {
    let mut connection = SqliteConnection::establish(file).expect("the server's SQLite file");
    sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).expect("a pragma");
    let lines: Vec<Line> = sql_query(query).load(&mut connection).expect(query);
    lines.into_iter().map(|line| line.text).collect()
}

fn sqlite_rows(file: &str, table: &str, condition: &str) -> Vec<String> {
    let columns = sqlite(file, &format!("SELECT name AS text FROM pragma_table_info('{table}')"));
    assert!(!columns.is_empty(), "there is no table {table}");
    let pairs: Vec<String> = columns
        .iter()
        .map(|name| format!("'{name}', CASE typeof(\"{name}\") WHEN 'blob' THEN hex(\"{name}\") ELSE \"{name}\" END"))
        .collect();
    sqlite(file, &format!("SELECT json_object({}) AS text FROM {table} WHERE {condition}", pairs.join(", ")))
}

/// The first column of each row. On a thread of its own, because tests are inside a runtime already.
fn postgres(url: &str, query: &str) -> Vec<String> {
    std::thread::scope(|scope| scope.spawn(|| postgres_blocking(url, query)).join().expect("a PostgreSQL query"))
}

fn postgres_blocking(url: &str, query: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection): (Client, _) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
        let driver = tokio::spawn(connection);
        let messages = client.simple_query(query).await.expect(query);
        drop(client);
        driver.await.expect("the driver ends").expect("the connection ends well");
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        messages.into_iter().filter_map(row).collect()
    })
}
