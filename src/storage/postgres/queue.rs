//! Work that waits for a connection, so that no kind of work takes all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::StorageError;
use crate::storage::pressure::Pressure;
use crate::storage::work::{Mode, Work};

/// What waits for a connection. No kind of work gets them all: if one is held up, by a row that somebody holds or by a
/// table that is being changed, the others go on.
///
/// Only a worker that has a connection takes work. The others wait until there is more than those can do, and connect
/// first: fewer connections than there are workers make things slower, and fail nothing.
pub struct Queue {
    inner: Mutex<Inner>,
    /// For workers with a connection: there is work.
    work: Condvar,
    /// For workers without one: another connection is wanted.
    wanted: Condvar,
    pressure: Pressure,
    capacity: usize,
    workers: usize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(Box<dyn Work>, Mode)>,
    writing: usize,
    running: HashMap<&'static str, usize>,
    /// Workers with a connection, and those of them that wait for work.
    connected: usize,
    idle: usize,
    connecting: usize,
    /// So many connections there can be: fewer than workers where PostgreSQL has no room for more.
    size: usize,
    /// Connections that somebody needs more than a worker.
    owed: usize,
    closed: bool,
}

/// What a worker with a connection is to do.
pub enum Next {
    Work(Box<dyn Work>, Mode),
    /// Give its connection up.
    LetGo,
    /// End.
    End,
}

/// What a worker without a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Connect,
    End,
}

impl Inner {
    /// Connections that may write at once.
    fn writers(&self) -> usize {
        self.size.saturating_sub((self.size / 4).max(1)).max(1)
    }

    /// Connections that one kind of work may use at once.
    fn alike(&self) -> usize {
        self.size.saturating_sub(2).max(1)
    }

    /// The first piece of work that may be done now.
    fn next(&self) -> Option<usize> {
        self.waiting.iter().position(|(work, mode)| {
            let alike = self.running.get(work.name()).copied().unwrap_or(0);
            alike < self.alike() && (*mode == Mode::Read || self.writing < self.writers())
        })
    }

    /// Whether more may be done now than the workers can who are free.
    fn wants_connection(&self) -> bool {
        let free = self.idle + self.connecting;
        if self.connected + self.connecting >= self.size {
            return false;
        }
        let (mut writing, mut running, mut count) = (self.writing, HashMap::new(), 0);
        for (work, mode) in &self.waiting {
            let alike =
                running.entry(work.name()).or_insert_with(|| self.running.get(work.name()).copied().unwrap_or(0));
            if *alike < self.alike() && (*mode == Mode::Read || writing < self.writers()) {
                *alike += 1;
                writing += usize::from(*mode == Mode::Write);
                count += 1;
                if count > free {
                    return true;
                }
            }
        }
        false
    }
}

impl Queue {
    pub fn new(capacity: usize, workers: usize) -> Self {
        let inner = Inner { size: workers, ..Inner::default() };
        Self {
            inner: Mutex::new(inner),
            work: Condvar::new(),
            wanted: Condvar::new(),
            pressure: Pressure::new(),
            capacity,
            workers,
        }
    }

    pub fn push(&self, work: Box<dyn Work>, mode: Mode) -> Result<(), StorageError> {
        let mut inner = self.lock();
        if inner.closed || inner.waiting.len() >= self.capacity || !self.pressure.admit(work.name()) {
            return Err(StorageError::Busy);
        }
        inner.waiting.push_back((work, mode));
        self.wake(&inner);
        Ok(())
    }

    /// The next piece of work that may be done now, in the order in which they came.
    pub fn take(&self, timeout: Duration) -> Next {
        let mut inner = self.lock();
        loop {
            self.drop_late(&mut inner, timeout);
            if inner.owed > 0 && inner.connected > 1 {
                inner.owed -= 1;
                inner.size = inner.connected - 1;
                return Next::LetGo;
            }
            if let Some((work, mode)) = inner.next().and_then(|next| inner.waiting.remove(next)) {
                self.pressure.taken(std::iter::once(work.name()));
                *inner.running.entry(work.name()).or_default() += 1;
                inner.writing += usize::from(mode == Mode::Write);
                if inner.next().is_some() {
                    self.wake(&inner);
                }
                return Next::Work(work, mode);
            }
            if inner.closed && inner.waiting.is_empty() {
                return Next::End;
            }
            inner.idle += 1;
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.idle -= 1;
        }
    }

    /// Waits until another connection is wanted, and counts the caller as connecting.
    pub fn wait_for_need(&self) -> Need {
        let mut inner = self.lock();
        loop {
            if inner.closed && (inner.waiting.is_empty() || inner.connected > 0) {
                return Need::End;
            }
            if inner.wants_connection() {
                inner.connecting += 1;
                return Need::Connect;
            }
            inner = self.wanted.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A connection was made by a worker that [`Queue::wait_for_need`] had sent for one.
    pub fn connected(&self) {
        let mut inner = self.lock();
        inner.connecting -= 1;
        inner.connected += 1;
        inner.size = inner.size.max(inner.connected);
    }

    /// No connection could be made.
    pub fn not_connected(&self, is_crowded: bool) {
        let mut inner = self.lock();
        inner.connecting -= 1;
        if is_crowded {
            inner.size = inner.connected.max(1);
        }
    }

    /// A worker has lost its connection.
    pub fn disconnected(&self) {
        let mut inner = self.lock();
        inner.connected -= 1;
        self.wake(&inner);
    }

    /// Pauses a worker that could not connect. Afterwards there may be room for one more connection.
    pub fn pause(&self, pause: Duration, is_crowded: bool) {
        let begin = std::time::Instant::now();
        let mut inner = self.lock();
        let pause = if is_crowded && inner.connected == 0 { pause / 16 } else { pause };
        while let Some(left) = pause.checked_sub(begin.elapsed()).filter(|left| !left.is_zero() && !inner.closed) {
            inner = self.wanted.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if is_crowded {
            inner.size = (inner.connected + 1).min(self.workers);
        }
    }

    /// Somebody needs a connection more than the workers, of whom one gives its own up.
    pub fn owe(&self) {
        let mut inner = self.lock();
        inner.owed = 1;
        drop(inner);
        self.work.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Answers all that waits: nobody can do it.
    pub fn refuse(&self, error: &StorageError) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        for (work, _) in waiting {
            self.pressure.withdrawn(work.name());
            work.finish(Some(StorageError::Unavailable(error.to_string())));
        }
    }

    fn drop_late(&self, inner: &mut Inner, timeout: Duration) {
        while let Some(error) = inner.waiting.front().and_then(|(work, _)| self.is_too_late(work.as_ref(), timeout)) {
            if let Some((late, _)) = inner.waiting.pop_front() {
                self.pressure.withdrawn(late.name());
                late.finish(Some(error));
            }
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
        // What was held back may now go, whichever thread it was that waits.
        self.wake(&inner);
    }

    fn wake(&self, inner: &Inner) {
        if inner.idle > 0 {
            self.work.notify_one();
        } else {
            self.wanted.notify_one();
        }
    }

    /// How much waits, and how much is being done.
    pub fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.waiting.len(), inner.running.values().sum())
    }

    /// No more work; what waits is still done.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.wanted.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
