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
    /// Nothing from before this is shown.
    begin: Id,
    seen: BTreeSet<Id>,
}

impl Follower {
    /// `timeout_millis` is the time that one piece of work may take at the database.
    pub fn new(db: &Db, timeout_millis: i64, now_millis: i64) -> Self {
        // On SQLite all ids are given by clocks of one machine.
        let skew_millis = if db.kind() == "sqlite" { 0 } else { LATEST_MILLIS };
        let overlap_millis = 2 * timeout_millis + skew_millis;
        Self { overlap_millis, begin: Id::first_at(now_millis - overlap_millis), seen: BTreeSet::new() }
    }

    /// What was committed since the last call, in the order of ids; at the first call, what is as young as a commit can be
    /// late.
    pub async fn poll(&mut self, db: &Db, now_millis: i64) -> Result<Vec<StoredEvent>, StorageError> {
        let floor = self.begin.max(Id::first_at(now_millis - self.overlap_millis));
        self.seen = self.seen.split_off(&floor);
        let (mut after, mut news) = (floor.as_bytes().to_vec(), Vec::new());
        loop {
            let from = after.clone();
            let page = db.read("audit.follow", move |conn| audit_events::page(conn, &from, None, PAGE)).await?;
            let Some(last) = page.last() else { return Ok(news) };
            after.clone_from(&last.id);
            for event in page {
                if <[u8; 16]>::try_from(event.id.as_slice()).is_ok_and(|id| self.seen.insert(Id::from_bytes(id))) {
                    news.push(event);
                }
            }
        }
    }
}
