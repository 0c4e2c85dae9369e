//! A thread of the pool with its connection: runs work in transactions and retries after deadlocks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::health::Health;
use super::queue::{Need, Next, Queue};
use super::session::Session;
use super::watcher::jittered;
use crate::storage::tx::Undo;
use crate::storage::work::{Mode, Verdict, Work};
use crate::storage::writer::Memory;
use crate::storage::{Conn, StorageError, Tx};
use crate::support::Rng;

const ATTEMPTS: u32 = 4;

/// A thread of the pool, with its connection.
pub struct Worker {
    pub slot: usize,
    pub queue: Arc<Queue>,
    pub health: Arc<Health>,
    pub link: Link,
    pub memory: Memory,
    pub timeout: Duration,
    pub rng: Rng,
}

/// A worker that found no room comes back after so long, or half of it.
const CROWDED_PAUSE: Duration = Duration::from_secs(4);
/// Of one that could not connect for another reason, after the third time.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Worker {
    pub fn run(mut self) {
        while self.link.stands() || self.connect() {
            match self.queue.take(self.timeout) {
                Next::Work(work, mode) => self.work(work, mode),
                Next::LetGo => {
                    self.link.drop_connection();
                    self.lost();
                    self.queue.pause(CROWDED_PAUSE, true);
                    continue;
                }
                Next::End => return,
            }
            if !self.link.stands() {
                self.lost();
            }
        }
    }

    fn lost(&self) {
        self.queue.disconnected();
        self.health.stands(false);
    }

    /// Waits until a connection more is wanted, and makes it. `false`: the end of all.
    fn connect(&mut self) -> bool {
        let mut failures = 0;
        while self.queue.wait_for_need() == Need::Connect {
            let connected = match self.health.check() {
                Ok(()) => self.link.make(),
                // Its watcher alone tries to reach it; who asked has been answered already.
                Err(gone) => {
                    self.queue.refuse(&gone);
                    self.queue.not_connected(false);
                    continue;
                }
            };
            let Err(error) = connected else {
                self.queue.connected();
                self.health.stands(true);
                return true;
            };
            self.health.not_connected(&error);
            let is_crowded = error.is_crowded();
            self.queue.not_connected(is_crowded);
            if self.queue.is_closed() {
                self.queue.refuse(&error.into());
                continue;
            }
            failures += 1;
            let longest = if is_crowded { CROWDED_PAUSE } else { LONGEST_PAUSE };
            let pause = jittered(&self.rng, if is_crowded { longest } else { longest * failures.min(4) / 4 });
            self.queue.pause(pause, is_crowded);
        }
        false
    }

    fn work(&mut self, mut work: Box<dyn Work>, mode: Mode) {
        let name = work.name();
        if work.is_settled() {
            self.queue.done(name, mode);
            work.finish(None);
            return;
        }
        let deadline = work.since() + self.timeout;
        let health = self.health.clone();
        let failure = health.observe(self.slot, || self.perform(work.as_mut(), mode, deadline)).err();
        match &failure {
            Some(error) => {
                tracing::error!(%error, work = name, "the database failed");
                self.link.drop_connection();
            }
            None if self.link.stands() => self.health.answered(),
            None => {}
        }
        self.queue.done(name, mode);
        work.finish(failure);
    }

    fn perform(&mut self, work: &mut dyn Work, mode: Mode, deadline: Instant) -> Result<(), StorageError> {
        let mut was_renewed = false;
        for attempt in 1.. {
            self.health.check()?;
            let linked = self.link.get(deadline).inspect_err(|error| self.health.not_connected(error))?;
            self.health.uses(self.slot, linked.driver());
            let memory = &mut self.memory;
            let (begin, session) = (linked.begin(), linked.session);
            let run = linked.before(deadline, |conn| run_once(conn, memory, work, mode, (&begin, session)));
            // A connection that died while it was idle is found out by its first use.
            let may_be_stale = !was_renewed && Instant::now() < deadline;
            match run? {
                Run::Ended(Verdict::Keep | Verdict::Undo) => return Ok(()),
                Run::Ended(Verdict::Retry) if attempt < ATTEMPTS => std::thread::sleep(self.memory.pause(attempt)),
                Run::Ended(Verdict::Retry) => return Ok(()),
                // Nothing was committed.
                Run::Ended(Verdict::Broken) | Run::NotBegun(_) if may_be_stale => {
                    was_renewed = true;
                    self.link.drop_connection();
                }
                Run::Ended(Verdict::Broken) => {
                    self.link.drop_connection();
                    return Ok(());
                }
                Run::NotBegun(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// How one try at a piece of work went.
enum Run {
    /// It ran, and has its own answer.
    Ended(Verdict),
    /// The connection was of no use, and the work does not know of it.
    NotBegun(StorageError),
}

fn run_once(
    conn: &mut Conn,
    memory: &mut Memory,
    work: &mut dyn Work,
    mode: Mode,
    (begin, session): (&str, Session),
) -> Result<Run, StorageError> {
    let began_at = memory.begin();
    if mode == Mode::Read && !session.reads_in_transactions() {
        return Ok(Run::Ended(work.run(&mut Tx::new(conn, Undo::Whole, memory))));
    }
    if let Err(error) = conn.batch(begin).map_err(StorageError::from) {
        return if error.breaks_connection() { Ok(Run::NotBegun(error)) } else { Err(error) };
    }
    let verdict = work.run(&mut Tx::new(conn, Undo::Whole, memory));
    if verdict == Verdict::Keep {
        return match conn.fixed("COMMIT").map_err(StorageError::from) {
            Ok(()) => {
                memory.committed();
                Ok(Run::Ended(verdict))
            }
            // The database says that it did not commit.
            Err(error) if error.is_passing() => {
                memory.rolled_back(began_at);
                Ok(Run::Ended(Verdict::Retry))
            }
            Err(error) => {
                memory.lost_count();
                Err(error)
            }
        };
    }
    memory.rolled_back(began_at);
    if verdict != Verdict::Broken {
        conn.fixed("ROLLBACK")?;
    }
    Ok(Run::Ended(verdict))
}
