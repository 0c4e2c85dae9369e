//! Load shedding: how many requests are under way, and which priority still gets in.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::route::Priority;

/// How many requests are under way, and who is still let in when that is many.
///
/// A server that takes all that comes answers everybody too late. What ends access goes before what gives it, and
/// beginning anew comes last: whoever is in the middle of something gets to its end.
#[derive(Debug)]
pub struct Admission {
    limit: usize,
    under_way: AtomicUsize,
}

/// A request under way; over when this is dropped.
#[derive(Debug)]
pub struct Slot<'a> {
    under_way: Option<&'a AtomicUsize>,
}

impl Admission {
    /// `limit` requests at once, three quarters of it for tokens and half of it for pages.
    pub fn new(limit: usize) -> Self {
        Self { limit, under_way: AtomicUsize::new(0) }
    }

    /// Lets a request in, or not.
    pub fn enter(&self, priority: Priority) -> Option<Slot<'_>> {
        let limit = match priority {
            Priority::Exempt => return Some(Slot { under_way: None }),
            Priority::High => self.limit,
            Priority::Normal => self.limit - self.limit / 4,
            Priority::Low => self.limit - self.limit / 2,
        };
        let slot = Slot { under_way: Some(&self.under_way) };
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        (before < limit).then_some(slot)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(under_way) = self.under_way {
            under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urgent_get_in_when_others_do_not() {
        let admission = Admission::new(4);
        let pages: Vec<_> = (0..3).map(|_| admission.enter(Priority::Low)).collect();
        assert_eq!(pages.iter().filter(|slot| slot.is_some()).count(), 2);
        let token = admission.enter(Priority::Normal);
        assert!(token.is_some() && admission.enter(Priority::Normal).is_none());
        let revocation = admission.enter(Priority::High);
        assert!(revocation.is_some() && admission.enter(Priority::High).is_none());
        assert!(admission.enter(Priority::Exempt).is_some());
        drop((pages, token, revocation));
        assert_eq!(admission.under_way.load(Ordering::Relaxed), 0, "whoever was refused is not counted");
    }
}
