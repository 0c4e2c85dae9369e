//! What changes while a mock runs. Each world has its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Api;
use crate::collection::Shelf;

/// What is in the collections of a world.
#[derive(Debug)]
pub struct ApiState {
    pub(crate) shelves: Vec<Shelf>,
    count: AtomicU64,
}

impl ApiState {
    /// As it is at the beginning.
    pub fn new(api: &Api) -> Self {
        Self { shelves: api.collections.iter().map(|one| Shelf::of(one)).collect(), count: AtomicU64::new(0) }
    }

    /// A copy of what is there now.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self { shelves: self.shelves.clone(), count: AtomicU64::new(self.count.load(Ordering::Relaxed)) }
    }

    /// A number that was not given before.
    pub(crate) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}
