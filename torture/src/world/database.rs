//! A fresh database for each world, and a look into its tables past the server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// One database.
#[derive(Clone, Debug)]
pub enum Database {
    Sqlite { file: PathBuf },
    Postgres { socket: PathBuf, name: String },
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Database {
    /// An empty one. `socket` is the directory of PostgreSQL's socket.
    pub async fn create(kind: Kind, dir: &Path, socket: Option<&Path>) -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        match kind {
            Kind::Sqlite => Ok(Self::Sqlite { file: dir.join("latchway.db") }),
            Kind::Postgres => {
                let socket = socket.context("no PostgreSQL was given (--postgres)")?.to_owned();
                let name = format!("torture_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
                let admin = Self::Postgres { socket: socket.clone(), name: "postgres".to_owned() };
                admin.execute(&format!("CREATE DATABASE {name}")).await?;
                Ok(Self::Postgres { socket, name })
            }
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Sqlite { .. } => Kind::Sqlite,
            Self::Postgres { .. } => Kind::Postgres,
        }
    }

    /// The URL by which nothing stands between.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite://{}", file.display()),
            Self::Postgres { socket, name } => format!("postgres:///{name}?host={}&user=latchway", socket.display()),
        }
    }

    /// The URL through a proxy at this port.
    pub fn url_at(&self, port: u16) -> String {
        match self {
            Self::Sqlite { .. } => self.url(),
            Self::Postgres { name, .. } => format!("postgres://latchway@127.0.0.1:{port}/{name}?sslmode=disable"),
        }
    }

    /// PostgreSQL's own socket.
    pub fn socket(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { socket, .. } => Some(socket.join(".s.PGSQL.5432")),
        }
    }

    /// How this database writes the bytes of a column as hexadecimal digits.
    pub fn hex(&self, column: &str) -> String {
        match self {
            Self::Sqlite { .. } => format!("coalesce(lower(hex({column})), '')"),
            Self::Postgres { .. } => format!("coalesce(encode({column}, 'hex'), '')"),
        }
    }

    /// Columns as one line with `|` between them.
    pub fn line(columns: &[&str]) -> String {
        let columns: Vec<String> = columns.iter().map(|c| format!("coalesce(cast({c} AS text), '')")).collect();
        columns.join(" || '|' || ")
    }

    /// The lines of `SELECT {line} AS line FROM …`, split at `|`.
    pub async fn rows(&self, columns: &[&str], rest: &str) -> Result<Vec<Vec<String>>> {
        let query = format!("SELECT {} AS line {rest}", Self::line(columns));
        let lines = match self {
            Self::Sqlite { file } => {
                let file = file.clone();
                let query = query.clone();
                tokio::task::spawn_blocking(move || sqlite(&file, &query)).await?
            }
            Self::Postgres { .. } => self.postgres(&query).await,
        };
        let lines = lines.with_context(|| query)?;
        Ok(lines.iter().map(|line| line.split('|').map(str::to_owned).collect()).collect())
    }

    /// The number that a query of one number gives.
    pub async fn count(&self, what: &str, rest: &str) -> Result<i64> {
        let rows = self.rows(&[what], rest).await?;
        rows.first().and_then(|row| row.first()?.parse().ok()).context("a number")
    }

    /// Changes what the server would not.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        match self {
            Self::Sqlite { file } => {
                let (file, statement) = (file.clone(), statement.to_owned());
                tokio::task::spawn_blocking(move || -> Result<()> {
                    let mut connection = sqlite_connection(&file)?;
                    sql_query(statement).execute(&mut connection)?;
                    Ok(())
                })
                .await?
            }
            Self::Postgres { .. } => self.postgres(statement).await.map(|_| ()),
        }
    }

    /// A connection of the harness's own, for locks and for looking after backends.
    pub async fn session(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn postgres(&self, query: &str) -> Result<Vec<String>> {
        let messages = self.session().await?.simple_query(query).await?;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }
}

fn sqlite_connection(file: &Path) -> Result<SqliteConnection> {
    let mut connection = SqliteConnection::establish(&file.display().to_string())?;
    sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection)?;
    Ok(connection)
}

fn sqlite(file: &Path, query: &str) -> Result<Vec<String>> {
    let lines: Vec<Line> = sql_query(query).load(&mut sqlite_connection(file)?)?;
    Ok(lines.into_iter().map(|line| line.line).collect())
}
