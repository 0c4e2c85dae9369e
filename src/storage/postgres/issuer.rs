//! The thread that inserts token rows of many requests in one statement.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::health::Health;
use super::queue::Queue;
use super::watcher::jittered;
use crate::storage::pressure::Pressure;
use crate::storage::token_batch::{Issued, issue_all};
use crate::storage::work::IssueJob;
use crate::storage::writer::Memory;
use crate::storage::{Conn, StorageError};
use crate::support::Rng;

/// Tokens that share one transaction at most.
const BATCH: usize = 256;
const ATTEMPTS: u32 = 4;
/// Between two tries to get a connection where there was no room for one.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// The thread that writes tokens which need nothing but their rows, many in one statement.
pub struct Issuer {
    /// `None` is the end.
    pub jobs: Receiver<Option<IssueJob>>,
    pub pressure: Arc<Pressure>,
    pub health: Arc<Health>,
    pub link: Link,
    pub memory: Memory,
    pub timeout: Duration,
    pub queue: Arc<Queue>,
    pub rng: Rng,
}

/// How writing a group failed.
enum Failure {
    /// It was not committed.
    Before(StorageError),
    /// Whether it was committed is unknown.
    During(StorageError),
}

impl Issuer {
    pub fn run(mut self) {
        let mut closing = false;
        while !closing && let Ok(Some(first)) = self.jobs.recv() {
            let mut jobs = vec![first];
            for next in self.jobs.try_iter().take(BATCH - 1) {
                match next {
                    Some(job) => jobs.push(job),
                    None => closing = true,
                }
            }
            self.pressure.taken(jobs.iter().map(|_| "issue"));
            metrics::histogram!("latchway_database_batch").record(jobs.len() as f64);
            let (health, deadline) = (self.health.clone(), Instant::now() + self.timeout);
            let outcomes = health.observe(health.issuer(), || self.write(&jobs, deadline));
            if let Err(error) = &outcomes {
                tracing::error!(%error, "a group of tokens could not be written");
                self.drop_connection();
            }
            for (n, job) in jobs.into_iter().enumerate() {
                let answer = match &outcomes {
                    Ok(outcomes) => Ok(outcomes[n]),
                    Err(StorageError::Locked) => Err(StorageError::Locked),
                    Err(error) => Err(StorageError::Unavailable(error.to_string())),
                };
                let _ = job.reply.send(answer);
            }
        }
    }

    fn write(&mut self, jobs: &[IssueJob], deadline: Instant) -> Result<Vec<Issued>, StorageError> {
        let mut was_renewed = false;
        for attempt in 1.. {
            self.health.check()?;
            self.connect(deadline)?;
            let linked = self.link.get(deadline)?;
            self.health.uses(self.health.issuer(), linked.driver());
            let (memory, begin) = (&mut self.memory, linked.begin());
            match linked.before(deadline, |conn| commit(conn, memory, jobs, &begin)) {
                Ok(outcomes) => {
                    self.health.answered();
                    return Ok(outcomes);
                }
                Err(Failure::Before(error)) if error.is_passing() && attempt < ATTEMPTS => {
                    self.drop_connection();
                    std::thread::sleep(self.memory.pause(attempt));
                }
                Err(Failure::Before(error))
                    if error.breaks_connection() && !was_renewed && Instant::now() < deadline =>
                {
                    was_renewed = true;
                    self.drop_connection();
                }
                Err(Failure::Before(error) | Failure::During(error)) => return Err(error),
            }
        }
        Err(StorageError::Busy)
    }

    /// Makes the connection if there is none. Where PostgreSQL has no room for it, a worker makes room: without the issuer
    /// no program gets a token.
    fn connect(&mut self, deadline: Instant) -> Result<(), StorageError> {
        if self.link.stands() {
            return Ok(());
        }
        loop {
            let Err(error) = self.link.get(deadline) else {
                self.health.stands(true);
                return Ok(());
            };
            self.health.not_connected(&error);
            if !error.is_crowded() || Instant::now() >= deadline {
                return Err(error.into());
            }
            self.queue.owe();
            std::thread::sleep(jittered(&self.rng, CROWDED_PAUSE));
        }
    }

    fn drop_connection(&mut self) {
        if self.link.stands() {
            self.link.drop_connection();
            self.health.stands(false);
        }
    }
}

fn commit(conn: &mut Conn, memory: &mut Memory, jobs: &[IssueJob], begin: &str) -> Result<Vec<Issued>, Failure> {
    let before = |error: diesel::result::Error| Failure::Before(error.into());
    let issues: Vec<_> = jobs.iter().map(|job| &job.issue).collect();
    let began_at = memory.begin();
    conn.batch(begin).map_err(before)?;
    let outcomes = issue_all(conn, memory, &issues).map_err(|error| {
        memory.rolled_back(began_at);
        Failure::Before(error)
    })?;
    conn.fixed("COMMIT").map_err(|error| {
        memory.lost_count();
        Failure::During(error.into())
    })?;
    memory.committed();
    Ok(outcomes)
}
