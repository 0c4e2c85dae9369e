use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::BlockOn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{NoTls, Socket};

use super::security;
use crate::storage::conn::{ThreadRuntime, with_deadline};
use crate::storage::{Conn, StorageError};

/// Waiting longer than this for a row that somebody else holds would keep a connection from everybody else.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that takes longer to make than this is given up: what it is for can be asked again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes connections.
#[derive(Clone)]
pub struct Connector {
    config: Arc<tokio_postgres::Config>,
    tls: Arc<rustls::ClientConfig>,
    timeout: Duration,
}

/// A connection, and the means to end it while somebody waits for its answer.
pub struct Linked {
    pub conn: Conn,
    driver: AbortHandle,
}

impl Connector {
    pub fn new(url: &str, timeout: Duration) -> Result<Self, StorageError> {
        let (mut config, tls) = security::read(url)?;
        config.connect_timeout(timeout).tcp_user_timeout(timeout).keepalives_idle(Duration::from_secs(30));
        // Of several hosts the one that takes writes; a standby never, not even for reading: what it does not know yet was
        // consumed or revoked already.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("latchway");
        }
        Ok(Self { config: Arc::new(config), tls: Arc::new(tls), timeout })
    }

    /// A connection for the calling thread, which must not be inside an async runtime.
    ///
    /// # Errors
    /// [`StorageError::Timeout`] if the time was too short, which tells nothing about the database.
    pub fn connect(&self, deadline: Instant) -> Result<Linked, StorageError> {
        let late = |_| StorageError::Timeout;
        let connecting = async {
            // A Unix socket has no TLS, and `disable` wants none.
            if self.config.get_ssl_mode() == SslMode::Disable || self.is_local_socket() {
                self.connect_with(NoTls).await
            } else {
                self.connect_with(tokio_postgres_rustls::MakeRustlsConnect::new((*self.tls).clone())).await
            }
        };
        let until = tokio::time::Instant::from_std(deadline.min(Instant::now() + CONNECT_TIMEOUT));
        let (connection, driver) = ThreadRuntime::get_runtime()
            .block_on(async { tokio::time::timeout_at(until, connecting).await.map_err(late) })??;
        let mut linked = Linked { conn: Conn::Postgres(Box::new(connection.into())), driver };
        let (whole, lock) = (self.timeout.as_millis(), self.timeout.min(LOCK_TIMEOUT).as_millis());
        linked.before(deadline, |conn| {
            conn.batch(&format!(
                "SET statement_timeout = {whole}; SET lock_timeout = {lock}; \
                 SET idle_in_transaction_session_timeout = {}",
                whole * 2
            ))
        })?;
        Ok(linked)
    }

    async fn connect_with<T>(&self, tls: T) -> Result<(AsyncPgConnection, AbortHandle), StorageError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let unavailable = |e: &dyn std::error::Error| StorageError::Unavailable(security::explained(e));
        let (client, connection) = self.config.connect(tls).await.map_err(|e| unavailable(&e))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told what ended the connection.
            let _ = connection.await;
        });
        let connection = AsyncPgConnection::try_from(client).await.map_err(|e| unavailable(&e))?;
        Ok((connection, driver.abort_handle()))
    }

    fn is_local_socket(&self) -> bool {
        self.config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_)))
    }
}

impl Linked {
    /// What ends the connection, whoever waits for it.
    pub fn driver(&self) -> AbortHandle {
        self.driver.clone()
    }

    /// Works on the connection until a deadline; a wait that is longer ends with the connection.
    pub fn before<T>(&mut self, deadline: Instant, work: impl FnOnce(&mut Conn) -> T) -> T {
        let conn = &mut self.conn;
        with_deadline(deadline, self.driver.clone(), || work(conn))
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
    pub fn is_old(&self) -> bool {
        self.linked.is_some()
    }

    pub fn get(&mut self, deadline: Instant) -> Result<&mut Linked, StorageError> {
        let linked = match self.linked.take() {
            Some(linked) => linked,
            None => self.connector.connect(deadline)?,
        };
        Ok(self.linked.insert(linked))
    }

    pub fn drop_connection(&mut self) {
        self.linked = None;
    }
}
