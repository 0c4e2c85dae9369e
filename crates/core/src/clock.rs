//! A clock that tests and mock mode move, and that does not follow the system's clock backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// A point in time or a span, in whole seconds (of the Unix era where it is a point).
pub type Seconds = i64;

/// Where time comes from. Handed down as a value, so that a test can move it.
///
/// It follows the system's clock, which somebody can set; the time since this process began, which nobody can set, tells
/// when that happened. Forward it is followed at once: what expires too early is asked for again. Back by more than a
/// minute it is not: what had expired must not count again.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Milliseconds added, for tests and mock mode.
    offset: AtomicI64,
    /// The one moment that it shows, in Unix milliseconds; [`RUNNING`] while time passes.
    frozen_at: AtomicI64,
    began: Instant,
    /// What the system's clock would have shown at `began`, in Unix milliseconds, had it always gone evenly.
    began_at: AtomicI64,
    /// Since when the system's clock has been ahead, in milliseconds since `began`; negative while it is not.
    ahead_since: AtomicI64,
}

/// How the system's clock stands to time as it passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Even,
    /// It was set forward and is followed. Whether that was right shows within the hour; until then nothing is thrown away.
    Ahead {
        millis: i64,
    },
    /// It was set back and is not followed; only a new start believes it.
    Behind {
        millis: i64,
    },
}

/// How somebody moved a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    offset: i64,
    frozen_at: i64,
}

/// Of a clock that is not frozen.
const RUNNING: i64 = i64::MIN;

/// A difference that is forgiven, as everywhere between clocks.
const TOLERANCE_MILLIS: i64 = 60_000;
/// What a clock that drifts may be followed by at each [`Clock::settle`].
const SLEW_MILLIS: i64 = 50;
/// After so long a clock that was set forward is believed.
const BELIEVED_AFTER_MILLIS: i64 = 3_600_000;

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let inner = Inner {
            offset: AtomicI64::new(0),
            frozen_at: AtomicI64::new(RUNNING),
            began: Instant::now(),
            began_at: AtomicI64::new(system_millis()),
            ahead_since: AtomicI64::new(-1),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Now, in Unix seconds.
    pub fn now(&self) -> Seconds {
        self.now_millis().div_euclid(1000)
    }

    /// Now, in Unix milliseconds.
    pub fn now_millis(&self) -> i64 {
        match self.inner.frozen_at.load(Ordering::Relaxed) {
            RUNNING => self.real_millis().saturating_add(self.inner.offset.load(Ordering::Relaxed)),
            frozen => frozen,
        }
    }

    /// What it would show had nobody moved it.
    fn real_millis(&self) -> i64 {
        let (system, even) = (system_millis(), self.even_millis());
        if even - system > TOLERANCE_MILLIS { even } else { system }
    }

    /// Moves this clock, and all its clones, by `seconds`, whether it is frozen or not.
    pub fn advance(&self, seconds: Seconds) {
        let millis = seconds.saturating_mul(1000);
        match self.inner.frozen_at.load(Ordering::Relaxed) {
            RUNNING => _ = self.inner.offset.fetch_add(millis, Ordering::Relaxed),
            frozen => self.freeze_at(frozen.saturating_add(millis)),
        }
    }

    /// Stops at a moment, in Unix milliseconds. For mock mode.
    pub fn freeze_at(&self, millis: i64) {
        self.inner.frozen_at.store(millis.max(0), Ordering::Relaxed);
    }

    /// Shows this moment now, in Unix milliseconds, and goes on from there. For mock mode.
    pub fn set_to(&self, millis: i64) {
        self.inner.offset.store(millis.max(0).saturating_sub(self.real_millis()), Ordering::Relaxed);
        self.inner.frozen_at.store(RUNNING, Ordering::Relaxed);
    }

    /// Shows the real time again. For mock mode.
    pub fn resume(&self) {
        self.inner.offset.store(0, Ordering::Relaxed);
        self.inner.frozen_at.store(RUNNING, Ordering::Relaxed);
    }

    /// How it was moved, to be moved so again.
    pub fn moved(&self) -> Moved {
        let load = |value: &AtomicI64| value.load(Ordering::Relaxed);
        Moved { offset: load(&self.inner.offset), frozen_at: load(&self.inner.frozen_at) }
    }

    /// Moves it as it was moved then.
    pub fn move_again(&self, moved: Moved) {
        self.inner.offset.store(moved.offset, Ordering::Relaxed);
        self.inner.frozen_at.store(moved.frozen_at, Ordering::Relaxed);
    }

    pub fn is_frozen(&self) -> bool {
        self.inner.frozen_at.load(Ordering::Relaxed) != RUNNING
    }

    /// What the system's clock shows, whether it is followed or not, in Unix milliseconds.
    pub fn system_millis(&self) -> i64 {
        system_millis().saturating_add(self.inner.offset.load(Ordering::Relaxed))
    }

    /// Follows the system's clock from now on, wherever it was set: another clock has proved it right.
    pub fn believe_system(&self) {
        self.inner.began_at.store(system_millis() - self.elapsed_millis(), Ordering::Relaxed);
        self.inner.ahead_since.store(-1, Ordering::Relaxed);
    }

    /// Whether the system's clock was set since it was last compared.
    pub fn has_just_jumped(&self) -> bool {
        let difference = system_millis() - self.even_millis();
        difference > TOLERANCE_MILLIS && self.inner.ahead_since.load(Ordering::Relaxed) < 0
    }

    /// Compares, and follows what may be followed. To be called once a second.
    pub fn settle(&self) -> Pace {
        let elapsed = self.elapsed_millis();
        self.settle_at(system_millis(), elapsed)
    }

    fn settle_at(&self, system: i64, elapsed: i64) -> Pace {
        let inner = &self.inner;
        let difference = system - (inner.began_at.load(Ordering::Relaxed) + elapsed);
        if difference.abs() <= TOLERANCE_MILLIS {
            inner.began_at.fetch_add(difference.clamp(-SLEW_MILLIS, SLEW_MILLIS), Ordering::Relaxed);
            inner.ahead_since.store(-1, Ordering::Relaxed);
            return Pace::Even;
        }
        if difference < 0 {
            inner.ahead_since.store(-1, Ordering::Relaxed);
            return Pace::Behind { millis: -difference };
        }
        let since = inner.ahead_since.load(Ordering::Relaxed);
        if since < 0 {
            inner.ahead_since.store(elapsed, Ordering::Relaxed);
        } else if elapsed - since > BELIEVED_AFTER_MILLIS {
            inner.began_at.fetch_add(difference, Ordering::Relaxed);
            inner.ahead_since.store(-1, Ordering::Relaxed);
            return Pace::Even;
        }
        Pace::Ahead { millis: difference }
    }

    fn elapsed_millis(&self) -> i64 {
        i64::try_from(self.inner.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn even_millis(&self) -> i64 {
        self.inner.began_at.load(Ordering::Relaxed).saturating_add(self.elapsed_millis())
    }
}

fn system_millis() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the ambient clock is read")]
    let system = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
    system.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn advancing_moves_every_clone() {
        let clock = Clock::system();
        let other = clock.clone();
        let before = other.now();
        clock.advance(3600);
        assert!(other.now() >= before + 3600);
    }

    #[test]
    fn a_frozen_clock_moves_by_hand_alone() {
        let clock = Clock::system();
        clock.freeze_at(1_000_000);
        assert_eq!((clock.clone().now_millis(), clock.is_frozen()), (1_000_000, true));
        clock.advance(5);
        assert_eq!(clock.now(), 1005);
        clock.set_to(2_000_000);
        assert!((2000..2010).contains(&clock.now()) && !clock.is_frozen());
        clock.advance(-100);
        assert!((1900..1910).contains(&clock.now()));
        let moved = clock.moved();
        clock.freeze_at(7);
        clock.move_again(moved);
        assert!((1900..1910).contains(&clock.now()));
        clock.resume();
        assert!((clock.now_millis() - system_millis()).abs() < 1000);
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_followed() {
        let clock = Clock::system();
        let before = clock.now_millis();
        // As if the system's clock had been an hour later when this one began.
        clock.inner.began_at.fetch_add(HOUR, Ordering::Relaxed);
        assert!(clock.now_millis() >= before + HOUR);
        assert!(matches!(clock.settle(), Pace::Behind { millis } if (millis - HOUR).abs() < 1000));
    }

    #[test]
    fn a_clock_that_was_set_forward_is_followed_and_believed_after_an_hour() {
        let clock = Clock::system();
        clock.inner.began_at.fetch_sub(HOUR, Ordering::Relaxed);
        assert!((clock.now_millis() - system_millis()).abs() < 1000);
        let now = system_millis();
        assert!(matches!(clock.settle_at(now, 0), Pace::Ahead { .. }));
        assert!(matches!(clock.settle_at(now + HOUR, HOUR), Pace::Ahead { .. }));
        assert_eq!(clock.settle_at(now + HOUR + 1, HOUR + 1), Pace::Even);
        assert_eq!(clock.settle_at(now + HOUR + 2, HOUR + 2), Pace::Even);
    }

    #[test]
    fn a_glitch_forward_and_back_leaves_nothing_behind() {
        let clock = Clock::system();
        let now = system_millis();
        assert!(matches!(clock.settle_at(now + 10 * 365 * 24 * HOUR, 1000), Pace::Ahead { .. }));
        assert_eq!(clock.settle_at(now + 2000, 2000), Pace::Even);
    }

    #[test]
    fn a_clock_that_drifts_is_followed_slowly() {
        let clock = Clock::system();
        let now = system_millis();
        for second in 1..=1200 {
            assert_eq!(clock.settle_at(now + second * 1000 - 50_000, second * 1000), Pace::Even);
        }
        assert_eq!(clock.settle_at(now + 1201 * 1000 - 105_000, 1201 * 1000), Pace::Even);
    }
}
