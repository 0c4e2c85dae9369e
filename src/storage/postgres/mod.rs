//! PostgreSQL: a pool of threads with a connection each, one more that writes issued tokens in groups, and one that looks
//! after the database when it seems to be gone.

mod connect;
mod health;
mod issuer;
mod queue;
mod security;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::connect::{Connector, Link};
use self::health::Health;
use self::issuer::Issuer;
use self::queue::Queue;
use self::worker::Worker;
use super::audit_chain::Chain;
use super::audit_checkpoints::{self, Closed};
use super::db::{DbOptions, IssueJob, Mode, Work};
use super::measure::Load;
use super::pressure::Pressure;
use super::writer::Memory;
use super::{Conn, StorageError};
use crate::support::Clock;

pub(super) struct Postgres {
    connector: Connector,
    health: Arc<Health>,
    queue: Arc<Queue>,
    /// `None` ends the thread that takes them.
    issues: SyncSender<Option<IssueJob>>,
    issuing: Arc<Pressure>,
    /// Ends the thread that watches.
    watching: SyncSender<()>,
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
        let connector = Connector::new(url, options.timeout)?;
        // Asked once on a thread of its own, so that a wrong URL or password is told at start.
        let first = connector.clone();
        let deadline = Instant::now() + options.timeout;
        std::thread::spawn(move || first.connect(deadline).map(|_| ()))
            .join()
            .unwrap_or(Err(StorageError::Panicked("connect")))?;
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
        };
        threads.push(spawn("postgres-issuer".to_owned(), move || issuer.run())?);
        let (watching, end) = sync_channel(0);
        let watched = (health.clone(), Link::new(connector.clone()));
        threads.push(spawn("postgres-health".to_owned(), move || health::watch(&watched.0, watched.1, &end))?);
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
        Ok(self.connector.connect(Instant::now() + self.timeout)?.conn)
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
        let _ = self.issues.send(None);
        let _ = self.watching.send(());
        for thread in threads {
            let _ = thread.join();
        }
        audit_checkpoints::close(&self.chain, &self.clock, || {
            self.health.check()?;
            self.connect()
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

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StorageError> {
    std::thread::Builder::new().name(name).spawn(work).map_err(|e| StorageError::Unavailable(e.to_string()))
}
