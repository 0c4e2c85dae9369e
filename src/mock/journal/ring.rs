//! The last requests of one mock run, in memory of a fixed size.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Entry, Filter};

/// Entries that are kept.
const KEPT: usize = 1000;

/// The last requests of one world.
pub struct Journal {
    ring: Mutex<Ring>,
    /// The sequence of the newest entry, for those who wait.
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    last: u64,
    entries: VecDeque<Arc<Entry>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { ring: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Journal {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry in, and gives it its number.
    pub fn record(&self, mut entry: Entry) {
        let last = {
            let mut ring = self.ring();
            ring.last += 1;
            entry.sequence = ring.last;
            if ring.entries.len() == KEPT {
                ring.entries.pop_front();
            }
            ring.entries.push_back(Arc::new(entry));
            ring.last
        };
        self.newest.send_replace(last);
    }

    /// Forgets what there was. Numbers go on, so that whoever follows misses nothing.
    pub fn clear(&self) {
        self.ring().entries.clear();
    }

    /// The number of the newest entry that there ever was; 0 if there was none.
    pub fn last(&self) -> u64 {
        self.ring().last
    }

    pub fn get(&self, sequence: u64) -> Option<Arc<Entry>> {
        self.ring().entries.iter().find(|entry| entry.sequence == sequence).cloned()
    }

    /// Those that are wanted, the oldest first, and the number of the newest there is.
    pub fn find(&self, filter: &Filter) -> (Vec<Arc<Entry>>, u64) {
        let ring = self.ring();
        (ring.entries.iter().filter(|entry| filter.wants(entry)).cloned().collect(), ring.last)
    }

    /// As [`Journal::find`], but waits for the first one that is wanted.
    pub async fn wait_for(&self, filter: &Filter, at_most: Duration) -> (Vec<Arc<Entry>>, u64) {
        let mut news = self.newest.subscribe();
        let first = async {
            loop {
                let found = self.find(filter);
                // Who asks for more than there was speaks of a mock that has ended since.
                if !found.0.is_empty() || filter.after > found.1 || news.changed().await.is_err() {
                    return found;
                }
            }
        };
        match tokio::time::timeout(at_most, first).await {
            Ok(found) => found,
            Err(_) => self.find(filter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry { path: path.to_owned(), ..Entry::default() }
    }

    #[test]
    fn a_thousand_are_kept_and_numbers_go_on() {
        let journal = Journal::default();
        for n in 0..KEPT + 5 {
            journal.record(entry(&format!("/{n}")));
        }
        let (found, last) = journal.find(&Filter::default());
        assert_eq!((found.len(), last), (KEPT, 1005));
        assert_eq!((found[0].sequence, found[0].path.as_str()), (6, "/5"));
        assert!(journal.get(5).is_none() && journal.get(6).is_some());
        journal.clear();
        journal.record(entry("/x"));
        assert_eq!(journal.find(&Filter::default()).0[0].sequence, 1006);
    }

    #[actix_web::test]
    async fn who_waits_gets_what_comes_and_no_other() {
        let journal = Arc::new(Journal::default());
        let filter = Filter::parse("path=/b").expect("a filter");
        let waiting = journal.clone();
        let waiter = actix_web::rt::spawn(async move { waiting.wait_for(&filter, Duration::from_secs(5)).await.0 });
        tokio::task::yield_now().await;
        journal.record(entry("/a"));
        tokio::task::yield_now().await;
        journal.record(entry("/b"));
        let found = waiter.await.expect("an answer");
        assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [2]);
        let filter = Filter::parse("after=9").expect("a filter");
        assert_eq!(journal.wait_for(&filter, Duration::from_secs(60)).await.1, 2);
        let filter = Filter::parse("path=/c").expect("a filter");
        assert!(journal.wait_for(&filter, Duration::from_millis(10)).await.0.is_empty());
    }
}
