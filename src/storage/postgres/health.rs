use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

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
    /// When what a thread is doing began, in milliseconds since `began`; 0 while it does nothing.
    since: Vec<AtomicU64>,
    began: Instant,
}

impl Health {
    /// For so many workers and the issuer.
    pub fn new(workers: usize) -> Self {
        metrics::gauge!("latchway_database_up").set(1.0);
        let since = (0..=workers).map(|_| AtomicU64::new(0)).collect();
        Self { failure: watch::Sender::new(None), since, began: Instant::now() }
    }

    /// The issuer's slot; the workers' are 0 and up.
    pub fn issuer(&self) -> usize {
        self.since.len() - 1
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
        if let Some(since) = self.since.get(slot) {
            since.store(now, Ordering::Relaxed);
        }
        let result = work();
        if let Some(since) = self.since.get(slot) {
            since.store(0, Ordering::Relaxed);
        }
        result
    }

    fn longest(&self) -> Duration {
        let oldest = self.since.iter().map(|since| since.load(Ordering::Relaxed)).filter(|since| *since > 0).min();
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
