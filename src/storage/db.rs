//! The database as handlers use it: reads, writes and issues, on either backend.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::audit_chain::Chain;
use super::audit_checkpoints::Closed;
use super::measure::{self, Load, Size};
use super::options::{DbOptions, wrong_url};
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::token_batch::{Issue, Issued};
use super::troubles::Troubles;
use super::work::{Call, IssueJob, Job, Mode, WriteError};
use super::{Conn, MigrationStatus, Refusal, ServerLock, StorageError, Tx};
use crate::support::Clock;

/// Where SQLite keeps a database that is in memory, shared by the connections of this process, and gone with the last of
/// them.
pub(super) fn memory_path(name: &str) -> String {
    format!("file:/{name}?vfs=memdb")
}

/// The database. Cheap to clone; all clones share connections and threads.
#[derive(Clone)]
pub struct Db {
    pub(super) backend: Arc<Backend>,
    chain: Arc<Chain>,
    pub(super) troubles: Arc<Troubles>,
}

pub(super) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Db {
    /// Connects. Applies no migration.
    pub fn open(options: &DbOptions, clock: Clock) -> Result<Self, StorageError> {
        let url = options.url.expose_secret();
        let chain = Arc::new(Chain::default());
        let backend = if let Some(name) = url.strip_prefix("memory://") {
            Backend::Sqlite(Sqlite::open(&memory_path(name), options, clock, chain.clone())?)
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            Backend::Sqlite(Sqlite::open(path, options, clock, chain.clone())?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Backend::Postgres(Postgres::open(url, options, clock, chain.clone())?)
        } else {
            return Err(wrong_url());
        };
        Ok(Self { backend: Arc::new(backend), chain, troubles: Arc::default() })
    }

    /// What this process knows of the audit trail's chains. Without its key nothing is recorded.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Which database this is, for people and metrics.
    pub fn kind(&self) -> &'static str {
        match &*self.backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
        }
    }

    /// Takes the sign that this process is the server of the database, if it is of the kind that has but one.
    pub fn lock_for_server(&self) -> Result<Option<ServerLock>, StorageError> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => ServerLock::acquire(sqlite.path()).map(Some),
            Backend::Postgres(_) => Ok(None),
        }
    }

    /// Whether the database has a clock of its own.
    pub fn has_clock(&self) -> bool {
        matches!(&*self.backend, Backend::Postgres(_))
    }

    /// Whether a server uses this database now, as far as that can be told.
    pub fn is_served(&self) -> bool {
        match &*self.backend {
            Backend::Sqlite(sqlite) => ServerLock::is_taken(sqlite.path()),
            Backend::Postgres(_) => false,
        }
    }

    /// The database's own clock, in Unix milliseconds, if it has one of its own.
    pub async fn clock_millis(&self) -> Result<Option<i64>, StorageError> {
        match &*self.backend {
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres(_) => self.read("clock", Conn::clock_millis).await.map(Some),
        }
    }

    /// Reads. On SQLite this happens at once on the calling thread, from the page cache in a few microseconds, which
    /// costs less than handing it to another thread would; on PostgreSQL a thread of the pool does it.
    pub async fn read<T, F>(&self, name: &'static str, mut work: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, StorageError> + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(&mut work),
            Backend::Postgres(postgres) => {
                let (call, answer) = Call::new(name, || None, move |tx: &mut Tx<'_>| Ok(work(tx.reader())?));
                postgres.send(Box::new(call), Mode::Read)?;
                let answer = postgres.answer(name, answer).await?;
                self.troubles.notice(answer.as_ref().err(), false);
                answer
            }
        }
    }

    /// Runs `work` in a write transaction and answers when it is durable. May run it again after a deadlock.
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: WriteError,
        F: FnMut(&mut Tx<'_>) -> Result<T, Refusal<E>> + Send + 'static,
    {
        self.write_unless(name, || None, work).await
    }

    /// As [`Db::write`], for work that may become pointless while it waits: `settled` is asked when its turn has come, and
    /// the answer that it has is given without a transaction.
    pub async fn write_unless<T, E, S, F>(&self, name: &'static str, settled: S, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: WriteError,
        S: Fn() -> Option<E> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Refusal<E>> + Send + 'static,
    {
        let (call, answer) = Call::new(name, settled, work);
        match &*self.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.send(Job::Work(Box::new(call)))?;
                answer.await.unwrap_or_else(|_| Err(StorageError::Panicked(name).into()))
            }
            Backend::Postgres(postgres) => {
                postgres.send(Box::new(call), Mode::Write)?;
                let answer = postgres.answer(name, answer).await?;
                self.troubles.notice(answer.as_ref().err().and_then(WriteError::storage), answer.is_ok());
                answer
            }
        }
    }

    /// Writes the rows of one access token together with those of others that are waiting.
    pub async fn issue(&self, issue: Issue) -> Result<Issued, StorageError> {
        let (reply, answer) = oneshot::channel();
        let job = IssueJob { issue, reply };
        match &*self.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.send(Job::Issue(Box::new(job)))?;
                answer.await.unwrap_or(Err(StorageError::Panicked("issue")))
            }
            Backend::Postgres(postgres) => {
                postgres.issue(job)?;
                let answer = postgres.answer("issue", answer).await?;
                self.troubles.notice(answer.as_ref().err(), answer.is_ok());
                answer
            }
        }
    }

    /// How large the database is.
    pub async fn size(&self) -> Result<Size, StorageError> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => Ok(measure::of_files(sqlite.path())),
            Backend::Postgres(_) => self.read("size", measure::of_server).await,
        }
    }

    /// How much there is to do at this moment.
    pub fn load(&self) -> Load {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.load(),
            Backend::Postgres(postgres) => postgres.load(),
        }
    }

    /// Ends the database for this process, whatever clones are left (a thread may hold one for ever): takes no more work, waits
    /// for what is queued, ends the writers and signs a last audit checkpoint. `None`: there was nothing to state, or it was
    /// closed before.
    pub async fn close(&self) -> Result<Option<Closed>, StorageError> {
        let (reply, closed) = oneshot::channel();
        let backend = self.backend.clone();
        // A thread of its own, because joining the writers blocks and a connection to PostgreSQL must not be made inside a
        // runtime.
        let closing = move || {
            let result = match &*backend {
                Backend::Sqlite(sqlite) => sqlite.close(),
                Backend::Postgres(postgres) => postgres.close(),
            };
            let _ = reply.send(result);
        };
        std::thread::Builder::new()
            .name("database-close".to_owned())
            .spawn(closing)
            .map_err(|e| StorageError::Unavailable(e.to_string()))?;
        closed.await.unwrap_or(Err(StorageError::Panicked("close")))
    }

    /// Applies what is outstanding and tells how many that were.
    pub fn migrate(&self) -> Result<usize, StorageError> {
        self.with_maintenance(super::migrations::run)
    }

    /// Undoes the last migration; for tests and for a way back.
    pub fn migrate_down(&self) -> Result<(), StorageError> {
        self.with_maintenance(super::migrations::revert_last)
    }

    /// Copies everything into a SQLite database that is empty, as it is at this moment.
    ///
    /// # Errors
    /// If one of the two is none, or the copy fails.
    pub fn copy_into(&self, target: &Self) -> Result<(), StorageError> {
        match (&*self.backend, &*target.backend) {
            (Backend::Sqlite(from), Backend::Sqlite(to)) => super::backup::copy(&mut from.connect()?, to.path()),
            _ => Err(StorageError::Unavailable("only SQLite is copied".to_owned())),
        }
    }

    /// Whether this binary and this schema fit.
    pub fn migration_status(&self) -> Result<MigrationStatus, StorageError> {
        self.with_maintenance(super::migrations::status)
    }

    fn with_maintenance<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T, StorageError>) -> Result<T, StorageError> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => work(&mut sqlite.connect()?),
            Backend::Postgres(postgres) => work(&mut postgres.connect()?),
        }
    }
}
