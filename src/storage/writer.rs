//! What one database thread remembers: above all where it stands in its chain of audit events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::StorageError;
use super::audit_chain::Chain;
use super::new_event::NewEvent;
use crate::domain::chain::{Hash, Record};
use crate::support::{Clock, Digest, Id, Rng};

/// A writer that has been silent for so long is not continued: another begins. So nobody who died seems to go on, and
/// what is old of a chain is old as a whole.
pub const SILENCE_MILLIS: i64 = 3_600_000;

/// What one database thread remembers.
pub struct Memory {
    pub seen: Seen,
    place: Place,
    /// Where it stood when the transaction began.
    began: Place,
    chain: Arc<Chain>,
    clock: Clock,
    rng: Rng,
    buffer: Vec<u8>,
}

/// What was read under this transaction's lock and cannot have changed since.
#[derive(Default)]
pub struct Seen {
    pub client_versions: HashMap<String, Option<i64>>,
}

/// A place in a chain.
#[derive(Clone, Copy)]
pub struct Place {
    /// The name under which this thread numbers the audit events that it writes.
    writer: Id,
    sequence: i64,
    hash: Digest,
    /// When the last event was written, and how many of its millisecond were before it.
    millis: i64,
    count: u16,
}

impl Place {
    fn new(clock: &Clock, rng: &Rng) -> Self {
        Self { writer: Id::new(clock, rng), sequence: 0, hash: [0; 32], millis: 0, count: 0 }
    }
}

/// What an event gets as it is written.
pub struct Link<'a> {
    pub id: Id,
    pub writer: Id,
    pub sequence: i64,
    pub hash: Digest,
    pub operator: Option<&'a str>,
}

impl Memory {
    pub fn new(clock: &Clock, chain: Arc<Chain>) -> Self {
        let rng = Rng::system();
        let place = Place::new(clock, &rng);
        Self { seen: Seen::default(), place, began: place, chain, clock: clock.clone(), rng, buffer: Vec::new() }
    }

    /// How long to wait before the same again, a little longer each time and never quite as long as others do.
    pub fn pause(&self, attempt: u32) -> Duration {
        let [random] = self.rng.bytes();
        Duration::from_millis(3 * u64::from(attempt) + u64::from(random % 8))
    }

    pub fn place(&self) -> Place {
        self.place
    }

    /// To be called when a transaction begins.
    pub fn begin(&mut self) -> Place {
        self.seen = Seen::default();
        self.began = self.place;
        self.place
    }

    /// What began at this place was undone.
    pub fn rolled_back(&mut self, began_at: Place) {
        self.seen = Seen::default();
        self.place = began_at;
    }

    /// The transaction was kept.
    pub fn committed(&mut self) {
        let Place { writer, sequence, hash, .. } = self.place;
        if (writer, sequence) == (self.began.writer, self.began.sequence) {
            return;
        }
        self.chain.advanced(writer, sequence, Hash(hash));
        if writer != self.began.writer {
            self.chain.ended(self.began.writer);
        }
        self.began = self.place;
    }

    /// Nobody knows whether a transaction was kept: a gap or a number given twice would look like a missing event or a
    /// forged one, so that counting begins anew under another name.
    pub fn lost_count(&mut self) {
        self.seen = Seen::default();
        self.chain.uncertain(self.began.writer);
        self.place = Place::new(&self.clock, &self.rng);
        self.began = self.place;
    }

    /// Chains an event to those that this thread wrote before.
    pub fn link<'a>(&'a mut self, event: &'a NewEvent) -> Result<Link<'a>, StorageError> {
        let key = self.chain.key()?;
        let now = self.clock.now_millis();
        let place = &mut self.place;
        if place.sequence > 0 && now - place.millis > SILENCE_MILLIS {
            *place = Place::new(&self.clock, &self.rng);
        }
        if place.sequence == 0 {
            place.hash = key.seed(place.writer).0;
        }
        // In order by time and by number alike, however the clock is set meanwhile.
        if now > place.millis {
            (place.millis, place.count) = (now, 0);
        } else if place.count < 0x0fff {
            place.count += 1;
        } else {
            (place.millis, place.count) = (place.millis + 1, 0);
        }
        place.sequence += 1;
        let id = Id::counted(place.millis, place.count, &self.rng);
        let operator = event.operator.as_deref().or(self.chain.operator());
        let record = Record {
            writer: place.writer,
            sequence: place.sequence,
            id,
            at_millis: event.at_millis,
            kind: event.kind,
            outcome: event.outcome,
            reason: event.reason.as_deref(),
            client_id: event.client_id.as_deref(),
            subject_hash: event.subject_hash.as_deref(),
            operator,
            address: event.address.as_deref(),
            request_id: event.request_id.as_deref(),
            detail: event.detail.as_deref(),
        };
        place.hash = record.link(&place.hash, &mut self.buffer);
        Ok(Link { id, writer: place.writer, sequence: place.sequence, hash: place.hash, operator })
    }
}
