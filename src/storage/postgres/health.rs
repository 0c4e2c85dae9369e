use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::connect::Link;
use crate::storage::StorageError;

/// How often is looked.
const TICK: Duration = Duration::from_millis(100);
/// Work that takes longer makes one ask whether the database is there at all.
const SLOW: Duration = Duration::from_millis(300);
/// It has so long to say so.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether the database is there. While it is not, nobody waits for it: requests are refused at once, and one thread alone
/// tries to reach it.
pub struct Health {
    failure: watch::Sender<Option<String>>,
    slots: Vec<Slot>,
    began: Instant,
}

/// What is known of one thread.
#[derive(Default)]
struct Slot {
    /// When what it is doing began, in milliseconds since `began`; 0 while it does nothing.
    since: AtomicU64,
    /// What ends the connection that it waits for.
    driver: Mutex<Option<AbortHandle>>,
}

impl Health {
    /// For so many workers and the issuer.
    pub fn new(workers: usize) -> Self {
        metrics::gauge!("latchway_database_up").set(1.0);
        let slots = (0..=workers).map(|_| Slot::default()).collect();
        Self { failure: watch::Sender::new(None), slots, began: Instant::now() }
    }

    /// The issuer's slot; the workers' are 0 and up.
    pub fn issuer(&self) -> usize {
        self.slots.len() - 1
    }

    /// Refuses while the database is gone.
    pub fn check(&self) -> Result<(), StorageError> {
        self.failure.borrow().as_ref().map_or(Ok(()), |why| Err(StorageError::Unavailable(why.clone())))
    }

    /// Waits until the database is gone.
    pub async fn failure(&self) -> StorageError {
        let mut watched = self.failure.subscribe();
        let failure = watched.wait_for(Option::is_some).await;
        let why = failure.ok().and_then(|why| why.clone());
        StorageError::Unavailable(why.unwrap_or_default())
    }

    /// Somebody could not connect. Who merely had no time left, or was one too many, has not learnt that nobody can.
    pub fn not_connected(&self, why: &StorageError) {
        let crowded = |text: &String| text.contains("too many") || text.contains("connection slots");
        if matches!(why, StorageError::Unavailable(text) if !crowded(text)) {
            self.gone(why);
        }
    }

    fn gone(&self, why: &StorageError) {
        let changed = self.failure.send_if_modified(|failure| {
            let news = failure.is_none();
            failure.get_or_insert_with(|| why.to_string());
            news
        });
        if changed {
            metrics::gauge!("latchway_database_up").set(0.0);
            tracing::error!(error = %why, "the database is gone");
            // Whoever waits for an answer of it would still wait when it is back.
            for slot in &self.slots {
                if let Some(driver) = slot.driver.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                    driver.abort();
                }
            }
        }
    }

    /// The connection that a thread works with from now on.
    pub fn uses(&self, slot: usize, driver: AbortHandle) {
        if let Some(slot) = self.slots.get(slot) {
            *slot.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
        }
    }

    fn is_back(&self) {
        self.failure.send_replace(None);
        metrics::gauge!("latchway_database_up").set(1.0);
        tracing::info!("the database is back");
    }

    /// Runs `work` and lets it be known for how long already.
    pub fn observe<T>(&self, slot: usize, work: impl FnOnce() -> T) -> T {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let Some(slot) = self.slots.get(slot) else { return work() };
        slot.since.store(now, Ordering::Relaxed);
        let result = work();
        slot.since.store(0, Ordering::Relaxed);
        result
    }

    fn longest(&self) -> Duration {
        let oldest = self.slots.iter().map(|slot| slot.since.load(Ordering::Relaxed)).filter(|since| *since > 0).min();
        oldest.map_or(Duration::ZERO, |since| self.began.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}

/// Asks the database when there is doubt, and when it is gone until it is back.
pub fn watch(health: &Health, mut link: Link, end: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(TICK) {
        if health.check().is_err() {
            link.drop_connection();
            if probe(&mut link).is_ok() {
                health.is_back();
            }
        } else if health.longest() > SLOW
            && let Err(error) = probe(&mut link)
        {
            // The connection may have been idle for days: a new one decides.
            link.drop_connection();
            if probe(&mut link).is_err() {
                health.gone(&error);
            }
        }
    }
}

fn probe(link: &mut Link) -> Result<(), StorageError> {
    let deadline = Instant::now() + PATIENCE;
    link.get(deadline)?.before(deadline, |conn| conn.ping())
}
