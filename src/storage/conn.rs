//! A connection to either database, and waiting with a deadline on PostgreSQL.

use std::cell::RefCell;
use std::future::Future;

use diesel::connection::SimpleConnection;
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::cached::Fixed;

/// A connection to either database.
pub enum Conn {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

pub type PgConnection = AsyncConnectionWrapper<AsyncPgConnection, ThreadRuntime>;

/// Runs one query body on whichever connection it is. The body is compiled once for each database, so its statements
/// stay static and cached.
macro_rules! on {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::storage::Conn::Sqlite($c) => {
                let $c = &mut **$c;
                $body
            }
            $crate::storage::Conn::Postgres($c) => {
                let $c = &mut **$c;
                $body
            }
        }
    };
}
pub(super) use on;

impl Conn {
    pub(super) fn batch(&mut self, sql: &str) -> QueryResult<()> {
        on!(self, c => c.batch_execute(sql))
    }

    /// One statement without parameters and without rows. SQLite keeps it prepared; PostgreSQL takes one round trip for it
    /// in any case, and one more to prepare it first.
    pub(super) fn fixed(&mut self, sql: &'static str) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => Fixed(sql).execute(&mut **c).map(|_| ()),
            Self::Postgres(c) => c.batch_execute(sql),
        }
    }

    /// What PostgreSQL's clock shows, in Unix milliseconds.
    pub(super) fn clock_millis(&mut self) -> Result<i64, super::StorageError> {
        let millis = diesel::dsl::sql::<diesel::sql_types::BigInt>(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        );
        Ok(on!(self, c => millis.get_result::<i64>(c))?)
    }

    /// The cheapest question that a database can answer; for `/readyz`.
    pub fn ping(&mut self) -> Result<(), super::StorageError> {
        self.batch("SELECT 1").map_err(Into::into)
    }
}

/// The small runtime on which a database thread of ours drives its PostgreSQL connection. Such threads are few and live
/// as long as the process, so each leaks one.
#[derive(Clone, Copy)]
pub struct ThreadRuntime(&'static Runtime);

thread_local! {
    /// Until when this thread waits for its connection, and what ends the connection then.
    static DEADLINE: RefCell<Option<(Instant, AbortHandle)>> = const { RefCell::new(None) };
}

/// Runs `work`, which waits for a connection of this thread. At the deadline the connection's driver is ended, so that
/// whatever is waited for fails as it does when the database closes the connection: Diesel itself waits for ever.
pub(super) fn with_deadline<T>(at: std::time::Instant, driver: AbortHandle, work: impl FnOnce() -> T) -> T {
    DEADLINE.set(Some((Instant::from_std(at), driver)));
    let result = work();
    DEADLINE.set(None);
    result
}

impl BlockOn for ThreadRuntime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let Some((deadline, driver)) = DEADLINE.with_borrow(Clone::clone) else { return self.0.block_on(future) };
        self.0.block_on(async {
            let mut future = std::pin::pin!(future);
            tokio::select! {
                biased;
                output = &mut future => output,
                () = tokio::time::sleep_until(deadline) => {
                    driver.abort();
                    future.await
                }
            }
        })
    }

    fn get_runtime() -> Self {
        thread_local! {
            static RUNTIME: &'static Runtime = {
                #[expect(clippy::expect_used, reason = "without a runtime this thread can do nothing")]
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
                Box::leak(Box::new(runtime))
            };
        }
        Self(RUNTIME.with(|runtime| *runtime))
    }
}
