//! PostgreSQL: a pool of threads with a connection each, one more that writes issued tokens in groups, and one that looks
//! after the database when it seems to be gone.

mod connect;
mod health;
mod issuer;
mod queue;
mod security;
mod session;
mod unconnected;
mod watcher;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::connect::{Connector, Link, Linked};
use self::health::Health;
use self::issuer::Issuer;
use self::queue::Queue;
use self::session::{Limits, Session};
use self::unconnected::{Unconnected, Why};
use self::watcher::{Question, Watcher, jittered};
use self::worker::Worker;
use super::audit_chain::Chain;
use super::audit_checkpoints::{self, Closed};
use super::measure::Load;
use super::options::DbOptions;
use super::pressure::Pressure;
use super::work::{IssueJob, Mode, Work};
use super::writer::Memory;
use super::{Conn, StorageError};
use crate::config::Pooler;
use crate::support::{Clock, Rng};

/// Reads a URL, and the certificates that it names.
pub(super) fn check_url(url: &str) -> Result<(), StorageError> {
    security::read(url).map(|_| ())
}

/// What was answered a moment ago needs no other proof that the database is there.
const RECENT: Duration = Duration::from_secs(1);
/// Between two tries to reach a database that is not up yet.
const START_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Postgres {
    connector: Connector,
    health: Arc<Health>,
    queue: Arc<Queue>,
    /// `None` ends the thread that takes them.
    issues: SyncSender<Option<IssueJob>>,
    issuing: Arc<Pressure>,
    /// Ends the thread that watches.
    watching: SyncSender<Option<Question>>,
    /// Taken by whoever closes the database.
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: AtomicBool,
    /// Connections of the pool.
    size: usize,
    timeout: Duration,
    chain: Arc<Chain>,
    clock: Clock,
}

impl Postgres {
    pub fn open(url: &str, options: &DbOptions, clock: Clock, chain: Arc<Chain>) -> Result<Self, StorageError> {
        let limits = Limits { statement: options.timeout };
        let connector = Connector::new(url, limits, options.connect_timeout, options.pooler)?;
        // Connected once before all else, on a thread without a runtime, so that a wrong URL or password shows at the start.
        let first = std::thread::scope(|scope| {
            scope.spawn(|| connect_first(connector, options)).join().unwrap_or(Err(StorageError::Panicked("connect")))
        });
        let (connector, first) = first?;
        let size = options.pool_size.max(1);
        let health = Arc::new(Health::new(size));
        let queue = Arc::new(Queue::new(options.queue, size));
        let mut threads = Vec::new();
        for slot in 0..size {
            let worker = Worker {
                slot,
                queue: queue.clone(),
                health: health.clone(),
                link: Link::new(connector.clone()),
                memory: Memory::new(&clock, chain.clone()),
                timeout: options.timeout,
                rng: Rng::system(),
            };
            threads.push(spawn(format!("postgres-{slot}"), move || worker.run())?);
        }
        let (issues, jobs) = sync_channel(options.queue);
        let issuing = Arc::new(Pressure::new());
        let issuer = Issuer {
            jobs,
            pressure: issuing.clone(),
            health: health.clone(),
            link: Link::new(connector.clone()),
            memory: Memory::new(&clock, chain.clone()),
            timeout: options.timeout,
            queue: queue.clone(),
            rng: Rng::system(),
        };
        threads.push(spawn("postgres-issuer".to_owned(), move || issuer.run())?);
        let (watching, questions) = sync_channel(64);
        let (watched, watcher) = (health.clone(), connector.clone());
        threads.push(spawn("postgres-health".to_owned(), move || {
            Watcher::new(watched, watcher, questions, first).run();
        })?);
        Ok(Self {
            connector,
            health,
            queue,
            issues,
            issuing,
            watching,
            threads: Mutex::new(threads),
            closed: AtomicBool::new(false),
            size,
            timeout: options.timeout,
            chain,
            clock,
        })
    }

    pub fn load(&self) -> Load {
        let (waiting, busy) = self.queue.load();
        Load { waiting: waiting + self.issuing.waiting(), busy, idle: self.size.saturating_sub(busy) }
    }

    /// Whether the database answers: it did a moment ago, or does now.
    pub fn is_gone(&self) -> bool {
        self.health.is_gone()
    }

    pub async fn probe(&self) -> Result<(), StorageError> {
        self.health.check()?;
        if self.health.answered_within(RECENT) {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        self.watching.try_send(Some(Question(reply))).map_err(|_| StorageError::Busy)?;
        answer.await.map_err(|_| StorageError::Timeout)
    }

    pub fn send(&self, work: Box<dyn Work>, mode: Mode) -> Result<(), StorageError> {
        self.health.check()?;
        self.queue.push(work, mode)
    }

    pub fn issue(&self, job: IssueJob) -> Result<(), StorageError> {
        self.health.check()?;
        if self.closed.load(Ordering::Relaxed) {
            return Err(StorageError::closed());
        }
        if !self.issuing.admit("issue") {
            return Err(StorageError::Busy);
        }
        self.issues.try_send(Some(job)).map_err(|e| {
            self.issuing.withdrawn("issue");
            match e {
                TrySendError::Full(_) => StorageError::Busy,
                TrySendError::Disconnected(_) => StorageError::closed(),
            }
        })
    }

    /// Waits for an answer, and no longer than there is hope for one. What was sent may still be done; nobody is told.
    pub async fn answer<T>(&self, name: &'static str, answer: oneshot::Receiver<T>) -> Result<T, StorageError> {
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| StorageError::Panicked(name)),
            error = self.health.failure() => Err(error),
            () = tokio::time::sleep(self.timeout) => Err(StorageError::Timeout),
        }
    }

    /// A connection for the calling thread, which must not be inside an async runtime.
    pub fn connect(&self) -> Result<Conn, StorageError> {
        Ok(self.connector.connect(Instant::now() + self.connector.timeout())?.conn)
    }
}

impl Postgres {
    /// Does what is queued, ends the threads, and states what no audit checkpoint has stated. The second call does nothing.
    /// For a thread that is not inside an async runtime.
    pub fn close(&self) -> Result<Option<Closed>, StorageError> {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() {
            return Ok(None);
        }
        self.closed.store(true, Ordering::Relaxed);
        self.queue.close();
        self.connector.end();
        let _ = self.issues.send(None);
        let _ = self.watching.send(None);
        for thread in threads {
            let _ = thread.join();
        }
        let connector = self.connector.for_the_end();
        audit_checkpoints::close(&self.chain, &self.clock, || {
            self.health.check()?;
            Ok(connector.connect(Instant::now() + connector.timeout())?.conn)
        })
    }
}

impl Drop for Postgres {
    /// For commands, which have no other clone and no server that closes the database.
    fn drop(&mut self) {
        // This thread may be inside a runtime; the connection wants one without.
        let closed = std::thread::scope(|scope| scope.spawn(|| self.close()).join());
        audit_checkpoints::report(closed.unwrap_or(Err(StorageError::Panicked("close"))));
    }
}

/// The first connection, and how connections are to be made from then on. A database that is not up yet is waited for.
fn connect_first(connector: Connector, options: &DbOptions) -> Result<(Connector, Linked), StorageError> {
    let (mut connector, rng, begin) = (connector, Rng::system(), Instant::now());
    let mut has_waited = false;
    loop {
        let failed = match connector.probing().connect(Instant::now() + options.connect_timeout) {
            Ok(linked) => return settle(connector, linked, options),
            Err(failed) if failed.why == Why::Parameters && options.pooler == Pooler::Auto => {
                tracing::info!(
                    error = %failed,
                    "a connection pooler is between this server and PostgreSQL: nothing is kept from one transaction to the \
                     next. Where it lends connections for whole sessions, [database] pooler = \"session\" is faster"
                );
                connector = connector.pooled();
                continue;
            }
            Err(failed) => failed,
        };
        if !may_pass(&failed) || begin.elapsed() >= options.start_timeout {
            return Err(failed.into());
        }
        if !has_waited {
            tracing::warn!(error = %failed, seconds = options.start_timeout.as_secs(), "waiting for the database");
        }
        has_waited = true;
        std::thread::sleep(jittered(&rng, START_PAUSE).min(options.start_timeout));
    }
}

fn may_pass(failed: &Unconnected) -> bool {
    matches!(failed.why, Why::Unreachable | Why::Crowded | Why::Late)
}

/// A pooler can also take settings and drop them.
fn settle(connector: Connector, mut linked: Linked, options: &DbOptions) -> Result<(Connector, Linked), StorageError> {
    if options.pooler != Pooler::Auto || linked.session != Session::Startup {
        return Ok((connector, linked));
    }
    let deadline = Instant::now() + options.timeout;
    if linked.has_settings(deadline)? {
        return Ok((connector, linked));
    }
    tracing::info!(
        "a connection pooler drops the settings of connections: nothing is kept from one transaction to the next"
    );
    let connector = connector.pooled();
    linked.end();
    let linked = connector.connect(Instant::now() + options.connect_timeout)?;
    Ok((connector, linked))
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StorageError> {
    std::thread::Builder::new().name(name).spawn(work).map_err(|e| StorageError::Unavailable(e.to_string()))
}
