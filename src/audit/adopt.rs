//! Whoever was killed leaves events of which no checkpoint speaks. Somebody who lives looks for them and states them, after
//! looking whether they are chained as they must be.

use std::collections::HashMap;

use crate::domain::chain::{ChainKey, Hash, Head, Stage};
use crate::storage::audit_events::{self, StoredEvent};
use crate::storage::{Db, SILENCE_MILLIS, StorageError, audit_checkpoints};
use crate::support::{Digest, Id};

const PAGE: i64 = 1000;
/// Pauses between two looks, in checkpoints.
const EVERY: i64 = 10;
/// Writers state how far they are every ten minutes at least.
const LONGEST_PAUSE_MILLIS: i64 = 600_000;

/// How a look for them went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Writers that are stated now.
    pub writers: usize,
    /// Writers whose events are not what they must be: nobody states those.
    pub broken: Vec<Id>,
}

/// Looks, if it is time to. `None`: somebody did a moment ago. `pause_millis` is the time between two checkpoints of a
/// process, `late_millis` that by which a commit can come later than its events' ids say.
pub async fn adopt(
    db: &Db,
    now_millis: i64,
    pause_millis: i64,
    late_millis: i64,
) -> Result<Option<Adopted>, StorageError> {
    let key = db.chain().key()?;
    let Some(stated) = stated(db, key, now_millis - EVERY * pause_millis).await? else { return Ok(None) };
    let (from, until) = (stated.swept_millis, now_millis - 2 * pause_millis - late_millis);
    if until <= from {
        return Ok(None);
    }
    // Some from before: a chain is looked at from the last event that was stated.
    let (begin, end) = (Id::first_at(from - LONGEST_PAUSE_MILLIS), Id::first_at(until));
    let ends = db.read("audit.adopt", move |conn| audit_events::ends(conn, begin, end)).await?;
    let own = db.chain().own();
    let mut adopted = Adopted::default();
    let mut heads = Vec::new();
    for (writer, sequence) in ends {
        let known = stated.heads.get(&writer);
        if own.contains(&writer) || known.is_some_and(|known| known.sequence >= sequence) {
            continue;
        }
        match head(db, key, writer, known, (begin, end)).await? {
            Some(head) => heads.push(head),
            None => adopted.broken.push(writer),
        }
    }
    adopted.writers = heads.len();
    db.append_checkpoint(now_millis, |checkpoint| {
        checkpoint.heads.clone_from(&heads);
        // What is broken is not signed away.
        checkpoint.swept_millis = Some(if adopted.broken.is_empty() { until } else { from });
    })
    .await?;
    Ok(Some(adopted))
}

struct Stated {
    swept_millis: i64,
    heads: HashMap<Id, Head>,
}

/// What the last checkpoints state, back to the last look and as far before it as a writer may be silent about itself.
/// `None`: that look was after `recently`.
async fn stated(db: &Db, key: &ChainKey, recently: i64) -> Result<Option<Stated>, StorageError> {
    let mut stated = Stated { swept_millis: 0, heads: HashMap::new() };
    let (mut number, mut swept): (i64, Option<i64>) = (i64::MAX, None);
    let mut oldest_millis = 0;
    loop {
        let page = db.read("audit.adopt", move |conn| audit_checkpoints::page_before(conn, number, PAGE)).await?;
        if page.is_empty() {
            // Nobody has looked yet: what is older than the first checkpoint has no chain.
            stated.swept_millis = swept.unwrap_or(oldest_millis);
            return Ok(Some(stated));
        }
        for sealed in &page {
            (number, oldest_millis) = (sealed.number, sealed.at_millis);
            let Some(checkpoint) = key.open(sealed) else { continue };
            if swept.is_some_and(|swept| sealed.at_millis < swept - 2 * LONGEST_PAUSE_MILLIS) {
                return Ok(Some(stated));
            }
            if let (None, Some(millis)) = (swept, checkpoint.swept_millis) {
                if sealed.at_millis > recently {
                    return Ok(None);
                }
                swept = Some(millis);
                stated.swept_millis = millis;
            }
            for head in checkpoint.heads.iter().chain(&checkpoint.pruned) {
                let known = stated.heads.entry(head.writer).or_insert_with(|| head.clone());
                if known.sequence < head.sequence || head.stage == Stage::Ended {
                    known.clone_from(head);
                }
            }
        }
    }
}

/// Where a chain ends, if it is one from where it was last stated.
async fn head(
    db: &Db,
    key: &ChainKey,
    writer: Id,
    known: Option<&Head>,
    (begin, end): (Id, Id),
) -> Result<Option<Head>, StorageError> {
    if known.is_some_and(|known| known.stage == Stage::Ended) {
        return Ok(None);
    }
    let (mut sequence, mut hash): (i64, Digest) =
        known.map_or_else(|| (0, key.seed(writer).0), |known| (known.sequence, known.hash.0));
    let mut before: Option<Id> = None;
    let (mut after, mut buffer) = (begin.as_bytes().to_vec(), Vec::new());
    loop {
        let from = after.clone();
        let page: Vec<StoredEvent> =
            db.read("audit.adopt", move |conn| audit_events::page_of_writer(conn, writer, &from, end, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        for event in &page {
            let Some(record) = event.record() else { return Ok(None) };
            let resumed = before.is_some_and(|before| record.id.millis() - before.millis() > SILENCE_MILLIS);
            before = Some(record.id);
            if record.sequence <= sequence {
                continue;
            }
            hash = record.link(&hash, &mut buffer);
            if resumed || record.sequence != sequence + 1 || event.hash.as_deref() != Some(&hash) {
                return Ok(None);
            }
            sequence += 1;
        }
    }
    Ok(Some(Head { writer, sequence, hash: Hash(hash), stage: Stage::Open }))
}
