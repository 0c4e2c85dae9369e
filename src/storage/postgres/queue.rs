use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::StorageError;
use crate::storage::db::{Mode, Work};
use crate::storage::pressure::Pressure;

/// What waits for a connection. No kind of work gets them all: if one is held up, by a row that somebody holds or by a
/// table that is being changed, the others go on.
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    pressure: Pressure,
    capacity: usize,
    /// Connections that may write at once.
    writers: usize,
    /// Connections that one kind of work may use at once.
    alike: usize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(Box<dyn Work>, Mode)>,
    writing: usize,
    running: HashMap<&'static str, usize>,
    closed: bool,
}

impl Queue {
    pub fn new(capacity: usize, connections: usize) -> Self {
        let writers = connections.saturating_sub((connections / 4).max(1)).max(1);
        let alike = connections.saturating_sub(2).max(1);
        Self { inner: Mutex::default(), changed: Condvar::new(), pressure: Pressure::new(), capacity, writers, alike }
    }

    pub fn push(&self, work: Box<dyn Work>, mode: Mode) -> Result<(), StorageError> {
        let mut inner = self.lock();
        if inner.closed || inner.waiting.len() >= self.capacity || !self.pressure.admit(work.name()) {
            return Err(StorageError::Busy);
        }
        inner.waiting.push_back((work, mode));
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// The next piece of work that may be done now, in the order in which they came. `None` at the end of all.
    pub fn take(&self, timeout: Duration) -> Option<(Box<dyn Work>, Mode)> {
        let mut inner = self.lock();
        loop {
            while let Some(error) = inner.waiting.front().and_then(|(work, _)| self.is_too_late(work.as_ref(), timeout))
            {
                if let Some((late, _)) = inner.waiting.pop_front() {
                    self.pressure.withdrawn(late.name());
                    late.finish(Some(error));
                }
            }
            let next = inner.waiting.iter().position(|(work, mode)| {
                let writes = *mode == Mode::Write;
                let alike = inner.running.get(work.name()).copied().unwrap_or(0);
                alike < self.alike && (!writes || inner.writing < self.writers)
            });
            if let Some((work, mode)) = next.and_then(|next| inner.waiting.remove(next)) {
                self.pressure.taken(std::iter::once(work.name()));
                *inner.running.entry(work.name()).or_default() += 1;
                inner.writing += usize::from(mode == Mode::Write);
                return Some((work, mode));
            }
            if inner.closed && inner.waiting.is_empty() {
                return None;
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_too_late(&self, work: &dyn Work, timeout: Duration) -> Option<StorageError> {
        if work.is_late(timeout) {
            return Some(StorageError::Timeout);
        }
        self.pressure.gives_up(work.name(), work.since().elapsed()).then_some(StorageError::Busy)
    }

    /// A piece of work of that name is done.
    pub fn done(&self, name: &'static str, mode: Mode) {
        let mut inner = self.lock();
        inner.writing -= usize::from(mode == Mode::Write);
        if let Some(running) = inner.running.get_mut(name) {
            *running -= 1;
        }
        drop(inner);
        // What was held back may now go, whichever thread it was that waits.
        self.changed.notify_one();
    }

    /// How much waits, and how much is being done.
    pub fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.waiting.len(), inner.running.values().sum())
    }

    /// No more work; what waits is still done.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
