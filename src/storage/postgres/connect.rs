//! Makes connections to PostgreSQL, and ends them when a wait takes too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::CacheSize;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl, sql_query};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::BlockOn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, Socket};

use super::security;
use super::session::{Limits, Session};
use super::unconnected::{Unconnected, Why};
use crate::config::Pooler;
use crate::storage::conn::{PgConnection, ThreadRuntime, with_deadline};
use crate::storage::{Conn, StorageError};

/// Makes connections. Clones share the signal that ends what is under way.
#[derive(Clone)]
pub struct Connector {
    config: Arc<Config>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
    session: Session,
    /// For the whole of a connection: the socket, TLS, the login, what is asked and set first.
    timeout: Duration,
    /// The first connection, which finds out what is in between.
    probes: bool,
    ending: watch::Sender<bool>,
}

/// A connection, and the means to end it while somebody waits for its answer.
pub struct Linked {
    pub conn: Conn,
    pub session: Session,
    limits: Limits,
    driver: AbortHandle,
    /// On which its driver runs.
    runtime: ThreadRuntime,
    /// How long it took to make.
    pub took: Duration,
}

/// A connection that belongs to no thread yet.
pub struct Made {
    connection: AsyncPgConnection,
    driver: AbortHandle,
    took: Duration,
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = BigInt)]
    millis: i64,
}

impl Connector {
    pub fn new(url: &str, limits: Limits, timeout: Duration, pooler: Pooler) -> Result<Self, StorageError> {
        let (mut config, tls) = security::read(url)?;
        config.connect_timeout(timeout).tcp_user_timeout(limits.statement).keepalives_idle(Duration::from_secs(30));
        // Of several hosts the one that takes writes; a standby never, not even for reading: what it does not know yet was
        // consumed or revoked already. One host alone is asked in `check_writable`, which spares a round trip.
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_application_name().is_none() {
            config.application_name("latchway");
        }
        let session = match pooler {
            Pooler::Auto => Session::Startup,
            Pooler::Session => Session::Statement,
            Pooler::Transaction => Session::Transaction,
        };
        let (config, tls, ending) = (Arc::new(config), Arc::new(tls), watch::Sender::new(false));
        Ok(Self { config, tls, limits, session, timeout, probes: false, ending })
    }

    /// The same before it is known whether what one statement leaves the next one finds.
    pub fn probing(&self) -> Self {
        Self { probes: true, ..self.clone() }
    }

    /// The same for a way on which session settings do not last.
    pub fn pooled(&self) -> Self {
        Self { session: Session::Transaction, ..self.clone() }
    }

    /// One for what is still to be done when the others have ended.
    pub fn for_the_end(&self) -> Self {
        Self { ending: watch::Sender::new(false), ..self.clone() }
    }

    /// Ends what is under way: nobody waits any more for a connection.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A connection for the calling thread, which must not be inside an async runtime.
    pub fn connect(&self, deadline: Instant) -> Result<Linked, Unconnected> {
        let until = tokio::time::Instant::from_std(deadline.min(Instant::now() + self.timeout));
        let made = ThreadRuntime::get_runtime()
            .block_on(async { tokio::time::timeout_at(until, self.clone().make()).await })
            .unwrap_or_else(|_| Err(Unconnected::late()))?;
        Ok(self.link(made))
    }

    /// Gives a connection to the calling thread, on whose runtime it was made.
    pub fn link(&self, made: Made) -> Linked {
        let Made { connection, driver, took } = made;
        let mut connection = PgConnection::from(connection);
        if self.session == Session::Transaction {
            // What one transaction prepares, the next may not find: it may get another connection.
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        let (conn, runtime) = (Conn::Postgres(Box::new(connection)), ThreadRuntime::get_runtime());
        Linked { conn, session: self.session, limits: self.limits, driver, runtime, took }
    }

    /// Makes a connection, in its whole time at most.
    pub async fn make(self) -> Result<Made, Unconnected> {
        let (began, timeout) = (Instant::now(), self.timeout);
        let mut ending = self.ending.subscribe();
        let making = async {
            // A Unix socket has no TLS, and `disable` wants none.
            if self.config.get_ssl_mode() == SslMode::Disable || self.is_local_socket() {
                self.make_with(NoTls).await
            } else {
                self.make_with(tokio_postgres_rustls::MakeRustlsConnect::new((*self.tls).clone())).await
            }
        };
        let (connection, driver) = tokio::select! {
            made = tokio::time::timeout(timeout, making) => made.unwrap_or_else(|_| Err(Unconnected::late()))?,
            _ = ending.wait_for(|ending| *ending) => return Err(Unconnected::late()),
        };
        Ok(Made { connection, driver, took: began.elapsed() })
    }

    async fn make_with<T>(&self, tls: T) -> Result<(AsyncPgConnection, AbortHandle), Unconnected>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |e: diesel::result::Error| Unconnected::of_diesel(&e);
        let config = self.session.configure(&self.config, self.limits);
        let (client, connection) = config.connect(tls).await.map_err(|e| Unconnected::of(&e))?;
        // PostgreSQL 14 says so by itself.
        let said = [connection.parameter("in_hot_standby"), connection.parameter("default_transaction_read_only")];
        let writable = match said {
            [Some("off"), Some("off")] => true,
            _ => self.config.get_hosts().len() > 1,
        };
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told what ended the connection.
            let _ = connection.await;
        });
        let driver = driver.abort_handle();
        if !writable {
            check_writable(&client).await?;
        }
        let probing = if self.probes { Session::Transaction } else { self.session };
        if let Some(begin) = probing.begin_set_up(self.limits) {
            client.batch_execute(&begin).await.map_err(|e| Unconnected::of(&e))?;
        }
        let mut connection = AsyncPgConnection::try_from(client)
            .await
            .map_err(|e| Unconnected::new(Why::Refused, security::explained(&e)))?;
        if self.probes && self.session == Session::Statement {
            diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, "COMMIT").await.map_err(failed)?;
        }
        let ending = if self.session == Session::Statement { self.session } else { probing };
        if let Some(end) = ending.end_set_up(self.limits) {
            diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, &end).await.map_err(failed)?;
        }
        Ok((connection, driver))
    }

    fn is_local_socket(&self) -> bool {
        self.config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_)))
    }
}

async fn check_writable(client: &tokio_postgres::Client) -> Result<(), Unconnected> {
    let rows = client.simple_query("SHOW transaction_read_only").await.map_err(|e| Unconnected::of(&e))?;
    let is_read_only = rows.iter().any(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
        _ => false,
    });
    if is_read_only {
        return Err(Unconnected::new(Why::Refused, "error connecting to server: database does not allow writes"));
    }
    Ok(())
}

impl Linked {
    /// What ends the connection, whoever waits for it.
    pub fn driver(&self) -> AbortHandle {
        self.driver.clone()
    }

    /// Ends the connection now. Its driver runs only while this thread waits for it, so that a connection that was merely
    /// dropped would stand until then.
    pub fn end(self) {
        let Self { conn, driver, runtime, .. } = self;
        drop(conn);
        runtime.block_on(async {
            for _ in 0..20 {
                if driver.is_finished() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            driver.abort();
            tokio::task::yield_now().await;
        });
    }

    /// Works on the connection until a deadline; a wait that is longer ends with the connection.
    pub fn before<T>(&mut self, deadline: Instant, work: impl FnOnce(&mut Conn) -> T) -> T {
        let conn = &mut self.conn;
        with_deadline(deadline, self.driver.clone(), || work(conn))
    }

    /// The statements that begin a transaction here.
    pub fn begin(&self) -> String {
        self.session.begin(self.limits)
    }

    /// Whether the settings of the startup packet are in force: a pooler may have dropped them.
    pub fn has_settings(&mut self, deadline: Instant) -> Result<bool, StorageError> {
        let query = "SELECT CAST(setting AS BIGINT) AS millis FROM pg_settings WHERE name = 'statement_timeout'";
        let driver = self.driver();
        let Conn::Postgres(conn) = &mut self.conn else { return Ok(true) };
        let found: Setting =
            with_deadline(deadline, driver, || conn.transaction(|conn| sql_query(query).get_result::<Setting>(conn)))?;
        Ok(u128::try_from(found.millis).is_ok_and(|millis| millis == self.limits.statement.as_millis()))
    }
}

/// A connection that is made when it is needed and made anew when it broke.
pub struct Link {
    connector: Connector,
    linked: Option<Linked>,
}

impl Link {
    pub fn new(connector: Connector) -> Self {
        Self { connector, linked: None }
    }

    /// Whether a connection stands from before; it may have died since.
    pub fn stands(&self) -> bool {
        self.linked.is_some()
    }

    pub fn get(&mut self, deadline: Instant) -> Result<&mut Linked, Unconnected> {
        let linked = match self.linked.take() {
            Some(linked) => linked,
            None => self.connector.connect(deadline)?,
        };
        Ok(self.linked.insert(linked))
    }

    /// Connects, in the time that a connection may take.
    pub fn make(&mut self) -> Result<(), Unconnected> {
        self.get(Instant::now() + self.connector.timeout()).map(|_| ())
    }

    pub fn drop_connection(&mut self) {
        if let Some(linked) = self.linked.take() {
            linked.end();
        }
    }
}
