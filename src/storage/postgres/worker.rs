use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::health::Health;
use super::queue::Queue;
use crate::storage::db::{Mode, Verdict, Work};
use crate::storage::tx::Undo;
use crate::storage::writer::Memory;
use crate::storage::{Conn, StorageError, Tx};

const ATTEMPTS: u32 = 4;

/// A thread of the pool, with its connection.
pub struct Worker {
    pub slot: usize,
    pub queue: Arc<Queue>,
    pub health: Arc<Health>,
    pub link: Link,
    pub memory: Memory,
    pub timeout: Duration,
}

impl Worker {
    pub fn run(mut self) {
        while let Some((mut work, mode)) = self.queue.take(self.timeout) {
            let name = work.name();
            if work.is_settled() {
                self.queue.done(name, mode);
                work.finish(None);
                continue;
            }
            let deadline = work.since() + self.timeout;
            let health = self.health.clone();
            let failure = health.observe(self.slot, || self.perform(work.as_mut(), mode, deadline)).err();
            if let Some(error) = &failure {
                tracing::error!(%error, work = name, "the database failed");
                self.link.drop_connection();
            }
            self.queue.done(name, mode);
            work.finish(failure);
        }
    }

    fn perform(&mut self, work: &mut dyn Work, mode: Mode, deadline: Instant) -> Result<(), StorageError> {
        for attempt in 1.. {
            let old = self.link.is_old();
            self.health.check()?;
            let linked = self.link.get(deadline).inspect_err(|error| self.health.not_connected(error))?;
            self.health.uses(self.slot, linked.driver());
            let memory = &mut self.memory;
            let run = linked.before(deadline, |conn| run_once(conn, memory, work, mode));
            // A connection that died while it was idle is found out by its first use.
            let may_be_stale = old && Instant::now() < deadline;
            match run? {
                Run::Ended(Verdict::Keep | Verdict::Undo) => return Ok(()),
                Run::Ended(Verdict::Retry) if attempt < ATTEMPTS => std::thread::sleep(self.memory.pause(attempt)),
                Run::Ended(Verdict::Retry) => return Ok(()),
                // Nothing was committed.
                Run::Ended(Verdict::Broken) | Run::NotBegun(_) if may_be_stale => self.link.drop_connection(),
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

fn run_once(conn: &mut Conn, memory: &mut Memory, work: &mut dyn Work, mode: Mode) -> Result<Run, StorageError> {
    let began_at = memory.begin();
    if mode == Mode::Read {
        return Ok(Run::Ended(work.run(&mut Tx::new(conn, Undo::Whole, memory))));
    }
    if let Err(error) = conn.fixed("BEGIN").map_err(StorageError::from) {
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
