//! SQLite: one thread that writes in groups, reads on the calling thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::{Connection, SqliteConnection};

use super::audit_chain::Chain;
use super::audit_checkpoints::{self, Closed};
use super::measure::Load;
use super::options::{DbOptions, IfMissing};
use super::pressure::Pressure;
use super::token_batch::{Issued, issue_all};
use super::tx::{Undo, Undone};
use super::work::{IssueJob, Job, Verdict, Work};
use super::writer::Memory;
use super::{Conn, StorageError, Tx, owner};
use crate::support::Clock;

/// Work that shares one commit at most.
const BATCH: usize = 256;

/// SQLite: one thread that writes, in groups; reads wherever they are wanted.
pub(super) struct Sqlite {
    path: String,
    timeout: Duration,
    readers: Mutex<Vec<Conn>>,
    queue: SyncSender<Job>,
    /// Taken by whoever closes the database.
    writer: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
    pressure: Arc<Pressure>,
    /// Set while nothing could be written of late.
    failing: Arc<AtomicBool>,
    /// Set while the writer writes.
    busy: Arc<AtomicBool>,
    chain: Arc<Chain>,
    clock: Clock,
}

impl Sqlite {
    pub fn open(path: &str, options: &DbOptions, clock: Clock, chain: Arc<Chain>) -> Result<Self, StorageError> {
        match options.if_missing {
            IfMissing::Make if !is_memory(path) => create_private(path)?,
            IfMissing::Fail if !is_memory(path) => must_exist(path)?,
            _ => {}
        }
        let writer = connect(path, options.timeout, Purpose::Write)?;
        let (queue, jobs) = sync_channel(options.queue);
        metrics::gauge!("latchway_database_up").set(1.0);
        let memory = Memory::new(&clock, chain.clone());
        let (failing, busy) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let pressure = Arc::new(Pressure::new());
        let mut writer = Writer {
            conn: writer,
            jobs,
            pressure: pressure.clone(),
            path: path.to_owned(),
            timeout: options.timeout,
            memory,
            failing: failing.clone(),
            busy: busy.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|e| StorageError::Unavailable(e.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            timeout: options.timeout,
            readers: Mutex::new(Vec::new()),
            queue,
            writer: Mutex::new(Some(thread)),
            closed: AtomicBool::new(false),
            pressure,
            failing,
            busy,
            chain,
            clock,
        })
    }

    /// Where the database is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the last group of writes failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// The writer is one thread with one connection; those that read are the callers'.
    pub fn load(&self) -> Load {
        let waiting = self.pressure.waiting();
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).len();
        let busy = usize::from(self.busy.load(Ordering::Relaxed));
        Load { waiting, busy, idle: readers + 1 - busy }
    }

    pub fn send(&self, job: Job) -> Result<(), StorageError> {
        let name = job.name();
        if self.closed.load(Ordering::Relaxed) {
            return Err(StorageError::closed());
        }
        if !self.pressure.admit(name) {
            return Err(StorageError::Busy);
        }
        self.queue.try_send(job).map_err(|e| {
            self.pressure.withdrawn(name);
            match e {
                TrySendError::Full(_) => StorageError::Busy,
                TrySendError::Disconnected(_) => StorageError::closed(),
            }
        })
    }

    /// Writes what is queued, ends the writer, and states what no audit checkpoint has stated. The second call does nothing.
    pub fn close(&self) -> Result<Option<Closed>, StorageError> {
        let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(None) };
        self.closed.store(true, Ordering::Relaxed);
        let _ = self.queue.send(Job::Close);
        let _ = writer.join();
        // The last connection that is closed brings the write-ahead log into the file.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        audit_checkpoints::close(&self.chain, &self.clock, || self.connect())
    }

    pub fn connect(&self) -> Result<Conn, StorageError> {
        connect(&self.path, self.timeout, Purpose::Write)
    }

    pub fn read<T>(&self, work: &mut dyn FnMut(&mut Conn) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => connect(&self.path, self.timeout, Purpose::Read)?,
        };
        let result = work(&mut conn)?;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        Ok(result)
    }
}

impl Drop for Sqlite {
    /// For commands, which have no other clone and no server that closes the database.
    fn drop(&mut self) {
        audit_checkpoints::report(self.close());
    }
}

fn is_memory(path: &str) -> bool {
    path.starts_with("file:/") && path.ends_with("?vfs=memdb")
}

/// A folder that is not there may be a volume that is not mounted: an empty database in its place would be an empty
/// identity provider that calls itself ready.
fn must_exist(path: &str) -> Result<(), StorageError> {
    let missing = |what: &str| {
        let shown = std::path::absolute(path).unwrap_or_else(|_| path.into());
        StorageError::Unavailable(format!(
            "there is no database at {}: {what}. Give the server's folder with --data or its settings with --config; `latchway migrate` makes a new database",
            shown.display()
        ))
    };
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(missing("it is no file")),
        Err(error) => Err(missing(&error.to_string())),
    }
}

/// The file holds secrets' hashes and names: nobody but its owner reads it.
fn create_private(path: &str) -> Result<(), StorageError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = std::path::Path::new(path).parent() {
        // A folder that is there keeps its mode: it is the operator's.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| StorageError::Unavailable(format!("cannot make the folder {}: {e}", folder.display())))?;
    }
    let is_new = !std::path::Path::new(path).exists();
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| StorageError::Unavailable(format!("cannot open {path}: {e}")))?;
    if is_new {
        owner::give_to_folder(path.as_ref());
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Read,
    Write,
}

fn connect(path: &str, timeout: Duration, purpose: Purpose) -> Result<Conn, StorageError> {
    let sqlite = SqliteConnection::establish(path)
        .map_err(|e| StorageError::Unavailable(format!("the database {path} cannot be opened: {e}")))?;
    let mut conn = Conn::Sqlite(Box::new(sqlite));
    let cache_kib = if purpose == Purpose::Write { 8192 } else { 2048 };
    // The timeout comes first: changing the journal mode may have to wait for another process.
    conn.batch(&format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA cache_size = -{cache_kib}; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864; \
         PRAGMA wal_autocheckpoint = 4000",
        timeout.as_millis()
    ))?;
    if purpose == Purpose::Read {
        conn.batch("PRAGMA query_only = ON")?;
    }
    Ok(conn)
}

struct Writer {
    conn: Conn,
    jobs: Receiver<Job>,
    pressure: Arc<Pressure>,
    path: String,
    timeout: Duration,
    memory: Memory,
    failing: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
}

impl Writer {
    fn run(&mut self) {
        let mut closing = false;
        loop {
            let next = if closing { self.jobs.try_recv().ok() } else { self.jobs.recv().ok() };
            let Some(first) = next else { return };
            let (mut works, mut issues) = (Vec::new(), Vec::new());
            let mut sort = |job| match job {
                Job::Work(work) => works.push(work),
                Job::Issue(issue) => issues.push(*issue),
                Job::Close => closing = true,
            };
            sort(first);
            for job in self.jobs.try_iter().take(BATCH - 1) {
                sort(job);
            }
            self.pressure.taken(works.iter().map(|work| work.name()).chain(issues.iter().map(|_| "issue")));
            metrics::histogram!("latchway_database_batch").record((works.len() + issues.len()) as f64);
            self.busy.store(true, Ordering::Relaxed);
            self.commit_together(works, issues);
            self.busy.store(false, Ordering::Relaxed);
        }
    }

    /// Answers what has waited for too long or what has become pointless meanwhile.
    fn still_to_do(&self, mut work: Box<dyn Work>) -> Option<Box<dyn Work>> {
        if work.is_late(self.timeout) {
            work.finish(Some(StorageError::Timeout));
        } else if self.pressure.gives_up(work.name(), work.since().elapsed()) {
            work.finish(Some(StorageError::Busy));
        } else if work.is_settled() {
            work.finish(None);
        } else {
            return Some(work);
        }
        None
    }

    /// One transaction for all; every answer leaves after the commit.
    fn commit_together(&mut self, works: Vec<Box<dyn Work>>, issues: Vec<IssueJob>) {
        let mut works: Vec<_> = works.into_iter().filter_map(|work| self.still_to_do(work)).collect();
        if works.is_empty() && issues.is_empty() {
            return;
        }
        let answer = match self.commit(&mut works, &issues, Undo::Whole) {
            // One of them must be undone: all of them again, each under its own savepoint.
            Ok(None) => self.commit(&mut works, &issues, Undo::Savepoint),
            answer => answer,
        };
        if self.failing.swap(answer.is_err(), Ordering::Relaxed) != answer.is_err() {
            metrics::gauge!("latchway_database_up").set(if answer.is_ok() { 1.0 } else { 0.0 });
        }
        let failure = match &answer {
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, "a group of writes could not be committed");
                self.reconnect();
                Some(error.to_string())
            }
        };
        let failed = || failure.clone().map(StorageError::Unavailable);
        for work in works {
            work.finish(failed());
        }
        let outcomes = answer.ok().flatten().unwrap_or_default();
        for (n, job) in issues.into_iter().enumerate() {
            let answer = match failed() {
                Some(error) => Err(error),
                None => Ok(outcomes.get(n).copied().unwrap_or(Issued::ClientChanged)),
            };
            let _ = job.reply.send(answer);
        }
    }

    /// One transaction. `None`: a piece of work has to be undone that has no savepoint; nothing was kept.
    fn commit(
        &mut self,
        works: &mut [Box<dyn Work>],
        issues: &[IssueJob],
        undo: Undo,
    ) -> Result<Option<Vec<Issued>>, StorageError> {
        let began_at = self.memory.begin();
        self.conn.fixed("BEGIN IMMEDIATE")?;
        match self.run_all(works, issues, undo) {
            Ok(Some(outcomes)) => {
                if let Err(error) = self.conn.fixed("COMMIT") {
                    self.memory.lost_count();
                    let _ = self.conn.batch("ROLLBACK");
                    return Err(error.into());
                }
                self.memory.committed();
                Ok(Some(outcomes))
            }
            undone => {
                self.memory.rolled_back(began_at);
                let rolled_back = self.conn.batch("ROLLBACK");
                let undone = undone?;
                rolled_back?;
                Ok(undone)
            }
        }
    }

    fn run_all(
        &mut self,
        works: &mut [Box<dyn Work>],
        issues: &[IssueJob],
        undo: Undo,
    ) -> Result<Option<Vec<Issued>>, StorageError> {
        for work in works {
            let mut tx = Tx::new(&mut self.conn, undo, &mut self.memory);
            let verdict = work.run(&mut tx);
            if verdict == Verdict::Keep {
                tx.keep()?;
                continue;
            }
            if tx.undo()? == Undone::OnlyWithTheWhole {
                return Ok(None);
            }
            if verdict == Verdict::Broken {
                self.check_transaction()?;
            }
        }
        let issues: Vec<_> = issues.iter().map(|job| &job.issue).collect();
        issue_all(&mut self.conn, &mut self.memory, &issues).map(Some)
    }

    /// A full or failing disk ends the whole transaction, not only the statement that met it; what others wrote in it is
    /// gone then, and what followed would be committed one by one.
    fn check_transaction(&mut self) -> Result<(), StorageError> {
        match self.conn.batch("BEGIN") {
            // "cannot start a transaction within a transaction"
            Err(_) => Ok(()),
            Ok(()) => Err(StorageError::Unavailable("the transaction was ended by a failure of the disk".to_owned())),
        }
    }

    /// After a failure nothing is taken for granted that the connection remembers.
    fn reconnect(&mut self) {
        match connect(&self.path, self.timeout, Purpose::Write) {
            Ok(conn) => self.conn = conn,
            Err(error) => tracing::error!(%error, "the database could not be opened again"),
        }
    }
}
