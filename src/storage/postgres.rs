use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::BlockOn;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;

use super::conn::ThreadRuntime;
use super::db::{DbOptions, IssueJob, Mode, Verdict, Work};
use super::tx::{Memory, Undo, issue_all};
use super::{Conn, StorageError, Tx};
use crate::support::Clock;

const ATTEMPTS: u32 = 4;
const ISSUE_BATCH: usize = 256;

/// A piece of work in the queue.
type Waiting = (Box<dyn Work>, Mode);

/// PostgreSQL: a pool of threads with a connection each, and one thread that writes issued tokens in groups.
pub(super) struct Postgres {
    connector: Connector,
    queue: Option<SyncSender<Waiting>>,
    issues: Option<SyncSender<IssueJob>>,
    threads: Vec<JoinHandle<()>>,
}

impl Postgres {
    pub fn open(url: &str, options: &DbOptions, clock: Clock) -> Result<Self, StorageError> {
        let connector = Connector::new(url, options.timeout)?;
        // Asked once on this thread, so that a wrong URL or password is told at start.
        on_own_thread({
            let connector = connector.clone();
            move || connector.connect().map(|_| ())
        })?;
        let (queue, works) = sync_channel(options.queue);
        let (issues, issue_jobs) = sync_channel(options.queue);
        let works = Arc::new(Mutex::new(works));
        let mut threads = Vec::new();
        for n in 0..options.pool_size.max(1) {
            let memory = Memory::new(&clock);
            let link = Link::new(connector.clone());
            let worker = Worker { works: works.clone(), link, memory, timeout: options.timeout };
            threads.push(spawn(format!("postgres-{n}"), move || worker.run())?);
        }
        let memory = Memory::new(&clock);
        let issuer = Issuer { jobs: issue_jobs, link: Link::new(connector.clone()), memory };
        threads.push(spawn("postgres-issuer".to_owned(), move || issuer.run())?);
        Ok(Self { connector, queue: Some(queue), issues: Some(issues), threads })
    }

    pub fn send(&self, work: Box<dyn Work>, mode: Mode) -> Result<(), StorageError> {
        self.queue.as_ref().ok_or(StorageError::Busy)?.try_send((work, mode)).map_err(into_error)
    }

    pub fn issue(&self, job: IssueJob) -> Result<(), StorageError> {
        self.issues.as_ref().ok_or(StorageError::Busy)?.try_send(job).map_err(into_error)
    }

    /// A connection for the calling thread, which must not be inside an async runtime.
    pub fn connect(&self) -> Result<Conn, StorageError> {
        self.connector.connect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.queue = None;
        self.issues = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn into_error<T>(error: TrySendError<T>) -> StorageError {
    match error {
        TrySendError::Full(_) => StorageError::Busy,
        TrySendError::Disconnected(_) => StorageError::Unavailable("the database threads have ended".to_owned()),
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StorageError> {
    std::thread::Builder::new().name(name).spawn(work).map_err(|e| StorageError::Unavailable(e.to_string()))
}

fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    std::thread::spawn(work).join().unwrap_or(Err(StorageError::Panicked("connect")))
}

/// Makes connections.
#[derive(Clone)]
struct Connector {
    config: Arc<tokio_postgres::Config>,
    tls: Arc<rustls::ClientConfig>,
    timeout: Duration,
}

impl Connector {
    fn new(url: &str, timeout: Duration) -> Result<Self, StorageError> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|e| StorageError::Unavailable(format!("[database] url: {e}")))?;
        config.connect_timeout(timeout);
        if config.get_application_name().is_none() {
            config.application_name("latchway");
        }
        let mut roots = rustls::RootCertStore::empty();
        if config.get_ssl_mode() != SslMode::Disable {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| StorageError::Unavailable(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), tls: Arc::new(tls), timeout })
    }

    fn connect(&self) -> Result<Conn, StorageError> {
        let unavailable = |e: &dyn std::fmt::Display| StorageError::Unavailable(e.to_string());
        let runtime = ThreadRuntime::get_runtime();
        let connection = runtime.block_on(async {
            // A Unix socket has no TLS, and `disable` wants none.
            if self.config.get_ssl_mode() == SslMode::Disable || self.is_local_socket() {
                let (client, connection) = self.config.connect(NoTls).await.map_err(|e| unavailable(&e))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(|e| unavailable(&e))
            } else {
                let tls = tokio_postgres_rustls::MakeRustlsConnect::new((*self.tls).clone());
                let (client, connection) = self.config.connect(tls).await.map_err(|e| unavailable(&e))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(|e| unavailable(&e))
            }
        })?;
        let mut conn = Conn::Postgres(Box::new(connection.into()));
        let millis = self.timeout.as_millis();
        conn.batch(&format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {millis}; SET idle_in_transaction_session_timeout = {}",
            millis * 2
        ))?;
        Ok(conn)
    }

    fn is_local_socket(&self) -> bool {
        self.config.get_hosts().iter().any(|host| matches!(host, tokio_postgres::config::Host::Unix(_)))
    }
}

/// A connection that is made when it is needed and made anew when it broke.
struct Link {
    connector: Connector,
    conn: Option<Conn>,
}

impl Link {
    fn new(connector: Connector) -> Self {
        Self { connector, conn: None }
    }

    fn get(&mut self) -> Result<&mut Conn, StorageError> {
        if self.conn.is_none() {
            self.conn = Some(self.connector.connect()?);
        }
        self.conn.as_mut().ok_or(StorageError::Busy)
    }

    fn drop_connection(&mut self) {
        self.conn = None;
    }
}

struct Worker {
    works: Arc<Mutex<Receiver<Waiting>>>,
    link: Link,
    memory: Memory,
    timeout: Duration,
}

impl Worker {
    fn run(mut self) {
        loop {
            let next = self.works.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((mut work, mode)) = next else { return };
            if work.is_late(self.timeout) {
                work.finish(Some(StorageError::Timeout));
                continue;
            }
            let failure = self.perform(work.as_mut(), mode).err();
            if let Some(error) = &failure {
                tracing::error!(%error, work = work.name(), "the database failed");
                self.link.drop_connection();
            }
            work.finish(failure);
        }
    }

    fn perform(&mut self, work: &mut dyn Work, mode: Mode) -> Result<(), StorageError> {
        // A connection that died while it was idle is found out by its first use; that use is repeated once.
        for attempt in 1.. {
            let conn = self.link.get()?;
            match run_once(conn, &mut self.memory, work, mode)? {
                Verdict::Keep | Verdict::Undo => return Ok(()),
                Verdict::Retry if attempt < ATTEMPTS => {
                    std::thread::sleep(Duration::from_millis(3 * u64::from(attempt)))
                }
                Verdict::Broken if attempt == 1 => self.link.drop_connection(),
                Verdict::Retry => return Ok(()),
                Verdict::Broken => {
                    self.link.drop_connection();
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn run_once(conn: &mut Conn, memory: &mut Memory, work: &mut dyn Work, mode: Mode) -> Result<Verdict, StorageError> {
    let began_at = memory.begin();
    if mode == Mode::Read {
        return Ok(work.run(&mut Tx::new(conn, Undo::Whole, memory)));
    }
    if let Err(error) = conn.batch("BEGIN") {
        let error = StorageError::from(error);
        return if error.breaks_connection() { Ok(Verdict::Broken) } else { Err(error) };
    }
    let verdict = work.run(&mut Tx::new(conn, Undo::Whole, memory));
    if verdict == Verdict::Keep {
        if let Err(error) = conn.batch("COMMIT") {
            memory.lost_count();
            return Err(error.into());
        }
        return Ok(verdict);
    }
    memory.rolled_back(began_at);
    if verdict != Verdict::Broken {
        conn.batch("ROLLBACK")?;
    }
    Ok(verdict)
}

struct Issuer {
    jobs: Receiver<IssueJob>,
    link: Link,
    memory: Memory,
}

impl Issuer {
    fn run(mut self) {
        while let Ok(first) = self.jobs.recv() {
            let mut jobs = vec![first];
            jobs.extend(self.jobs.try_iter().take(ISSUE_BATCH - 1));
            metrics::histogram!("latchway_database_batch").record(jobs.len() as f64);
            let outcomes = self.commit_together(&jobs);
            if let Err(error) = &outcomes {
                tracing::error!(%error, "a group of tokens could not be written");
                self.link.drop_connection();
            }
            for (n, job) in jobs.into_iter().enumerate() {
                let answer = match &outcomes {
                    Ok(outcomes) => Ok(outcomes[n]),
                    Err(error) => Err(StorageError::Unavailable(error.to_string())),
                };
                let _ = job.reply.send(answer);
            }
        }
    }

    fn commit_together(&mut self, jobs: &[IssueJob]) -> Result<Vec<super::Issued>, StorageError> {
        let issues: Vec<_> = jobs.iter().map(|job| &job.issue).collect();
        self.memory.begin();
        let conn = self.link.get()?;
        conn.batch("BEGIN")?;
        let outcomes = issue_all(conn, &mut self.memory, &issues).and_then(|outcomes| {
            conn.batch("COMMIT")?;
            Ok(outcomes)
        });
        if outcomes.is_err() {
            self.memory.lost_count();
        }
        outcomes
    }
}
