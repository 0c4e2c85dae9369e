//! Whether PostgreSQL answers, so that no request waits for one that is gone.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::unconnected::{Unconnected, Why};
use crate::storage::StorageError;

/// Work that takes longer makes the watcher ask whether the database is there at all.
const SLOW: Duration = Duration::from_millis(300);

/// Whether the database is there. While it is not, nobody waits for it: requests are refused at once, and the watcher alone
/// tries to reach it.
pub struct Health {
    failure: watch::Sender<Option<String>>,
    slots: Vec<Slot>,
    began: Instant,
    /// A connection could not be made or broke: the watcher is to find out what that means.
    doubted: AtomicBool,
    /// PostgreSQL had no connection for somebody: the watcher gives its own away.
    crowded_at: AtomicU64,
    /// When the database last answered, in milliseconds since `began`; 0 before the first time.
    answered_at: AtomicU64,
    /// What a round trip takes, in microseconds.
    round_trip: AtomicU64,
    /// Connections with which work is done.
    standing: AtomicUsize,
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
        Self {
            failure: watch::Sender::new(None),
            slots,
            began: Instant::now(),
            doubted: AtomicBool::new(false),
            crowded_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            round_trip: AtomicU64::new(0),
            standing: AtomicUsize::new(0),
        }
    }

    /// The issuer's slot; the workers' are 0 and up.
    pub fn issuer(&self) -> usize {
        self.slots.len() - 1
    }

    /// Refuses while the database is gone.
    pub fn check(&self) -> Result<(), StorageError> {
        self.failure.borrow().as_ref().map_or(Ok(()), |why| Err(StorageError::Unavailable(why.clone())))
    }

    pub fn is_gone(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Waits until the database is gone.
    pub async fn failure(&self) -> StorageError {
        let mut watched = self.failure.subscribe();
        let failure = watched.wait_for(Option::is_some).await;
        let why = failure.ok().and_then(|why| why.clone());
        StorageError::Unavailable(why.unwrap_or_default())
    }

    /// Somebody could not connect. Whether nobody can is for the watcher to find out; who merely had no time left, or was
    /// one too many, has not learnt that.
    pub fn not_connected(&self, why: &Unconnected) {
        match why.why {
            Why::Late => {}
            Why::Crowded => {
                self.crowded_at.store(self.now(), Ordering::Relaxed);
                // With a connection that stands work goes on. Without one the watcher has to find out.
                if self.standing() == 0 {
                    self.doubted.store(true, Ordering::Relaxed);
                }
            }
            Why::Unreachable | Why::Refused | Why::Parameters => self.doubted.store(true, Ordering::Relaxed),
        }
    }

    /// Whether there was too little room for connections within so long.
    pub fn is_crowded(&self, within: Duration) -> bool {
        self.was_within(&self.crowded_at, within)
    }

    /// Whether the watcher should look: something is slow, or failed.
    pub fn is_doubted(&self) -> bool {
        self.doubted.swap(false, Ordering::Relaxed) || self.longest() > SLOW.max(self.round_trip() * 4)
    }

    pub fn gone(&self, why: &StorageError) {
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

    pub fn is_back(&self) {
        self.doubted.store(false, Ordering::Relaxed);
        self.failure.send_replace(None);
        metrics::gauge!("latchway_database_up").set(1.0);
        tracing::info!("the database is back");
    }

    /// The connection that a thread works with from now on.
    pub fn uses(&self, slot: usize, driver: AbortHandle) {
        if let Some(slot) = self.slots.get(slot) {
            *slot.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
        }
    }

    /// A connection with which work is done was made, or is no more.
    pub fn stands(&self, stands: bool) {
        if stands {
            self.standing.fetch_add(1, Ordering::Relaxed);
        } else {
            self.standing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    /// The database answered.
    pub fn answered(&self) {
        self.answered_at.store(self.now(), Ordering::Relaxed);
    }

    /// Whether the database answered within so long.
    pub fn answered_within(&self, within: Duration) -> bool {
        self.was_within(&self.answered_at, within)
    }

    /// What a round trip took; one that is longer than those before counts at once.
    pub fn measured(&self, round_trip: Duration) {
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        let before = self.round_trip.load(Ordering::Relaxed);
        self.round_trip.store(micros.max(before / 8 * 7), Ordering::Relaxed);
    }

    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip.load(Ordering::Relaxed))
    }

    /// Runs `work` and lets it be known for how long already.
    pub fn observe<T>(&self, slot: usize, work: impl FnOnce() -> T) -> T {
        let now = self.now();
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

    fn was_within(&self, moment: &AtomicU64, within: Duration) -> bool {
        let at = moment.load(Ordering::Relaxed);
        at > 0 && self.began.elapsed().saturating_sub(Duration::from_millis(at)) < within
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}
