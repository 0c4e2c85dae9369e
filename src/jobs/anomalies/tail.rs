//! Reads the end of the audit trail again and again: each event once, late ones included.

use std::collections::BTreeSet;

use crate::app::App;
use crate::storage::StorageError;
use crate::storage::audit_events::{self, SeenEvent};
use crate::storage::cleanup::first_id_at;
use crate::support::Seconds;

/// An event can show up so many seconds after others with later ids: its transaction took longer, or it comes from a node
/// whose clock is behind, by 30 seconds at most.
const OVERLAP: Seconds = 40;
/// Events that are remembered as seen; where there are more in that time, one that is later still may be missed.
const MAX_SEEN: usize = 20_000;
/// Ids that are read at once; more than are remembered, so that each look gets further.
const PAGE: i64 = 50_000;
/// Events that are read at once.
const CHUNK: usize = 500;
/// Of the time before this node began, no more than that is read.
const MAX_WARM_UP: i64 = 200_000;

/// The end of the audit trail, read again and again. Each event once, and late ones too.
pub(super) struct Tail {
    seen: BTreeSet<Vec<u8>>,
    /// Nothing up to here is looked at any more.
    floor: Vec<u8>,
}

impl Tail {
    /// From a moment on, or from as many events ago as can be read in good time.
    pub async fn since(app: &App, since: Seconds) -> Result<Self, StorageError> {
        let latest = app.db.read("anomalies.tail", |conn| audit_events::before_latest(conn, MAX_WARM_UP)).await?;
        Ok(Self { seen: BTreeSet::new(), floor: first_id_at(since).max(latest.unwrap_or_default()) })
    }

    /// What has come since, in the order of ids.
    pub async fn read(&mut self, app: &App) -> Result<Vec<SeenEvent>, StorageError> {
        let mut events = Vec::new();
        loop {
            let floor = self.floor.clone();
            let ids = app.db.read("anomalies.tail", move |conn| audit_events::ids_after(conn, &floor, PAGE)).await?;
            let is_all = i64::try_from(ids.len()).is_ok_and(|read| read < PAGE);
            let fresh: Vec<Vec<u8>> = ids.into_iter().filter(|id| !self.seen.contains(id)).collect();
            for chunk in fresh.chunks(CHUNK) {
                let chunk = chunk.to_vec();
                events.extend(app.db.read("anomalies.tail", move |conn| audit_events::seen(conn, &chunk)).await?);
            }
            self.seen.extend(fresh);
            self.forget();
            if is_all {
                return Ok(events);
            }
        }
    }

    fn forget(&mut self) {
        let Some(newest) = self.seen.last().and_then(|id| millis(id)) else { return };
        let horizon = first_id_at(newest / 1000 - OVERLAP);
        while let Some(first) = self.seen.first()
            && (*first < horizon || self.seen.len() > MAX_SEEN)
        {
            if let Some(first) = self.seen.pop_first() {
                self.floor = self.floor.clone().max(first);
            }
        }
        self.floor = self.floor.clone().max(horizon);
    }
}

/// When an id was made (RFC 9562 §5.7), in Unix milliseconds.
fn millis(id: &[u8]) -> Option<i64> {
    let (time, _) = id.split_first_chunk::<6>()?;
    Some(time.iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seconds: Seconds, n: u8) -> Vec<u8> {
        let mut id = first_id_at(seconds);
        id[15] = n;
        id
    }

    #[test]
    fn what_is_old_is_forgotten_and_not_looked_at_again() {
        let mut tail = Tail { seen: BTreeSet::new(), floor: id(900, 0) };
        tail.seen.extend([id(1_000, 1), id(1_030, 1), id(1_045, 1)]);
        tail.forget();
        assert_eq!(tail.seen.iter().cloned().collect::<Vec<_>>(), [id(1_030, 1), id(1_045, 1)]);
        assert_eq!(tail.floor, id(1_005, 0), "a late one of the last forty seconds still counts");
        assert_eq!(millis(&id(1_045, 7)), Some(1_045_000));
    }

    #[test]
    fn so_many_at_once_make_it_shorter() {
        let mut tail = Tail { seen: BTreeSet::new(), floor: Vec::new() };
        let ids = (0..MAX_SEEN + 300).map(|n| {
            let mut id = first_id_at(1_000);
            id[12..].copy_from_slice(&u32::try_from(n).expect("small").to_be_bytes());
            id
        });
        tail.seen.extend(ids);
        tail.forget();
        assert_eq!(tail.seen.len(), MAX_SEEN);
        assert!(tail.seen.first().is_some_and(|first| *first > tail.floor));
    }
}
