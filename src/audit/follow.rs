//! New events as they are committed, on whichever node.

use std::collections::BTreeSet;

use crate::storage::audit_events::{self, StoredEvent};
use crate::storage::{Db, StorageError};
use crate::support::Id;

const PAGE: i64 = 1000;
/// Nodes whose clocks differ by more take no requests.
pub const LATEST_MILLIS: i64 = 30_000;

/// Looks again and again at the end of the trail. Ids are given before the commit, so that each time it goes back as far as a
/// commit can be late, and remembers what it has shown.
#[derive(Debug)]
pub struct Follower {
    overlap_millis: i64,
    /// Nothing from before this is looked at again.
    floor: Id,
    seen: BTreeSet<Id>,
    /// Where the next page of this round begins, and when the round began; none between two rounds.
    round: Option<(Vec<u8>, i64)>,
}

/// New events.
#[derive(Debug)]
pub struct News {
    /// In the order of their ids.
    pub events: Vec<StoredEvent>,
    /// Whether there are more already.
    pub more: bool,
}

impl Follower {
    /// Begins with what is as young as a commit can be late. `timeout_millis` is the time that one piece of work may take at
    /// the database.
    pub fn new(db: &Db, timeout_millis: i64, now_millis: i64) -> Self {
        // On SQLite all ids are given by clocks of one machine.
        let skew_millis = if db.kind() == "sqlite" { 0 } else { LATEST_MILLIS };
        let overlap_millis = 2 * timeout_millis + skew_millis;
        let floor = Id::first_at(now_millis - overlap_millis);
        Self { overlap_millis, floor, seen: BTreeSet::new(), round: None }
    }

    /// Goes on after an event that was seen. What was committed later than it and has a smaller id comes as well, so that some
    /// that were seen before it come again.
    pub fn after(db: &Db, timeout_millis: i64, last: Id) -> Self {
        let mut follower = Self::new(db, timeout_millis, last.millis());
        follower.seen.insert(last);
        follower
    }

    /// A page of what was committed since the last call, however long ago that was: a call that fails loses nothing.
    pub async fn poll(&mut self, db: &Db, now_millis: i64) -> Result<News, StorageError> {
        let (from, began) = self.round.clone().unwrap_or_else(|| (self.floor.as_bytes().to_vec(), now_millis));
        let after = from.clone();
        let page = db.read("audit.follow", move |conn| audit_events::page(conn, &after, None, PAGE)).await?;
        let more = i64::try_from(page.len()).is_ok_and(|length| length == PAGE);
        match page.last().filter(|_| more) {
            Some(last) => self.round = Some((last.id.clone(), began)),
            None => {
                self.round = None;
                self.floor = self.floor.max(Id::first_at(began - self.overlap_millis));
            }
        }
        let id = |event: &StoredEvent| <[u8; 16]>::try_from(event.id.as_slice()).map(Id::from_bytes);
        let events = page.into_iter().filter(|event| id(event).is_ok_and(|id| self.seen.insert(id))).collect();
        if !more {
            self.seen = self.seen.split_off(&self.floor);
        }
        Ok(News { events, more })
    }
}
