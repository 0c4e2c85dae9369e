use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long work may have to wait when more keeps coming than can be done.
const TARGET: Duration = Duration::from_millis(300);
/// A queue that was longer than that for so long is no burst that passes.
const GRACE: Duration = Duration::from_secs(1);
/// Work that ends access, or says whether there is any.
const URGENT: &[&str] = &["token.revoke", "logout", "introspect.access", "introspect.refresh", "token.state", "readyz"];

/// Tells a burst, which a queue is there for, from an overload, under which a queue makes everybody wait and serves nobody
/// sooner (as in "controlled delay", RFC 8289). Under overload work is refused before it waits; what is urgent may wait
/// twice as long as the rest, and so gets in.
pub(super) struct Pressure {
    began: Instant,
    waiting: AtomicUsize,
    /// When the queue was last short or empty, in milliseconds since `began`.
    good_at: AtomicU64,
    /// When work was last taken, or the queue stopped being empty, in microseconds since `began`.
    taken_at: AtomicU64,
    /// Nanoseconds that one piece of work takes the queue, on a moving average.
    pace: AtomicU64,
}

impl Pressure {
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { began: Instant::now(), waiting: AtomicUsize::new(0), good_at: zero(), taken_at: zero(), pace: zero() }
    }

    /// Whether work of this name may begin to wait; if so, it does.
    pub fn admit(&self, name: &str) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let now = self.began.elapsed();
        if waiting == 0 {
            self.good_at.store(millis(now), Ordering::Relaxed);
            self.taken_at.store(micros(now), Ordering::Relaxed);
        } else {
            let standing = millis(now).saturating_sub(self.good_at.load(Ordering::Relaxed)) > millis(GRACE);
            let target = if URGENT.contains(&name) { TARGET * 2 } else { TARGET };
            if standing && self.wait(waiting) > target {
                return false;
            }
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Work was taken back that never waited, as the queue was full or closed.
    pub fn withdrawn(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many pieces were taken to be done; what is still there waits for what they take.
    pub fn taken(&self, count: usize) {
        let left = self.waiting.fetch_sub(count, Ordering::Relaxed).saturating_sub(count);
        let now = self.began.elapsed();
        let since = micros(now).saturating_sub(self.taken_at.swap(micros(now), Ordering::Relaxed));
        let each = since.saturating_mul(1000) / (count.max(1) as u64);
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace.store(if pace == 0 { each } else { pace - pace / 16 + each / 16 }, Ordering::Relaxed);
        if self.wait(left) <= TARGET / 2 {
            self.good_at.store(millis(now), Ordering::Relaxed);
        }
    }

    /// How long the last of so many waits.
    fn wait(&self, waiting: usize) -> Duration {
        Duration::from_nanos(self.pace.load(Ordering::Relaxed).saturating_mul(waiting as u64))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue of which each piece takes ten milliseconds, as seen after so long.
    fn queue(waiting: usize, good_before: Duration) -> Pressure {
        let began = Instant::now().checked_sub(Duration::from_secs(60)).expect("a minute ago");
        let pressure = Pressure { began, ..Pressure::new() };
        pressure.waiting.store(waiting, Ordering::Relaxed);
        pressure.pace.store(10_000_000, Ordering::Relaxed);
        pressure.good_at.store(millis(began.elapsed() - good_before), Ordering::Relaxed);
        pressure
    }

    #[test]
    fn a_burst_waits_and_an_overload_does_not() {
        assert!(queue(1000, Duration::from_millis(500)).admit("token.redeem"), "it may pass");
        assert!(!queue(1000, Duration::from_secs(2)).admit("token.redeem"));
        assert!(queue(20, Duration::from_secs(2)).admit("token.redeem"), "this wait is none to speak of");
    }

    #[test]
    fn what_is_urgent_gets_in() {
        let pressure = queue(40, Duration::from_secs(2));
        assert!(!pressure.admit("token.redeem"));
        assert!(pressure.admit("token.revoke"));
    }

    #[test]
    fn it_ends_when_the_queue_is_short() {
        let pressure = queue(40, Duration::from_secs(2));
        pressure.taken_at.store(micros(pressure.began.elapsed()), Ordering::Relaxed);
        pressure.taken(35);
        assert!(pressure.admit("token.redeem"));
        pressure.waiting.store(1000, Ordering::Relaxed);
        assert!(pressure.admit("token.redeem"), "and what comes now is a burst again");
    }
}
