use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long work may have to wait when more keeps coming than can be done.
const TARGET: Duration = Duration::from_millis(300);
/// A queue that was longer than that for so long is no burst that passes.
const GRACE: Duration = Duration::from_secs(1);
/// How long the end of a burst may have to wait.
const BURST: Duration = Duration::from_secs(2);
/// So many may always wait. What one slow write tells of the next is little, and what waits behind it goes into one commit.
const FEW: usize = 4;
/// Work that ends access, that says whether there is any, and that these need.
const URGENT: &[&str] =
    &["token.revoke", "logout", "introspect.access", "introspect.refresh", "token.state", "client.find", "readyz"];

/// Tells a burst, which a queue is there for, from an overload, under which a queue makes everybody wait and serves nobody
/// sooner (as in "controlled delay", RFC 8289). Under overload work is refused before it waits. What is urgent is judged
/// by itself, so that the rest does not keep it out.
pub(super) struct Pressure {
    urgent: Lane,
    rest: Lane,
}

impl Pressure {
    pub fn new() -> Self {
        Self { urgent: Lane::new(), rest: Lane::new() }
    }

    /// Whether work of this name may begin to wait; if so, it does.
    pub fn admit(&self, name: &str) -> bool {
        self.lane(name).admit()
    }

    /// Work was taken back that was admitted and not done.
    pub fn withdrawn(&self, name: &str) {
        self.lane(name).waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Work was taken to be done; what is still there waits for what it takes.
    pub fn taken(&self, names: impl Iterator<Item = &'static str>) {
        let (mut urgent, mut rest) = (0, 0);
        for name in names {
            *if is_urgent(name) { &mut urgent } else { &mut rest } += 1;
        }
        for (lane, count) in [(&self.urgent, urgent), (&self.rest, rest)] {
            if count > 0 {
                lane.taken(count);
            }
        }
    }

    /// Whether work that has waited for so long is better refused than done: it was the end of what seemed a burst, and
    /// those who come now wait behind it.
    pub fn gives_up(&self, name: &str, waited: Duration) -> bool {
        waited > TARGET * 2 && self.lane(name).overload.load(Ordering::Relaxed)
    }

    fn lane(&self, name: &str) -> &Lane {
        if is_urgent(name) { &self.urgent } else { &self.rest }
    }
}

fn is_urgent(name: &str) -> bool {
    URGENT.contains(&name)
}

struct Lane {
    began: Instant,
    waiting: AtomicUsize,
    overload: AtomicBool,
    /// When the wait was last short and when it was last long, in milliseconds since `began`.
    good_at: AtomicU64,
    bad_at: AtomicU64,
    /// When work was last taken, or some began to wait, in microseconds since `began`.
    taken_at: AtomicU64,
    /// Nanoseconds that one piece of work takes the queue, on a moving average.
    pace: AtomicU64,
}

impl Lane {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            began: Instant::now(),
            waiting: AtomicUsize::new(0),
            overload: AtomicBool::new(false),
            good_at: zero(),
            bad_at: zero(),
            taken_at: zero(),
            pace: zero(),
        }
    }

    fn admit(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 {
            self.taken_at.store(micros(self.began.elapsed()), Ordering::Relaxed);
        }
        let wait = self.wait(waiting);
        if waiting >= FEW && wait > if self.is_overload(wait) { TARGET } else { BURST } {
            return false;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn taken(&self, count: usize) {
        let left = self.waiting.fetch_sub(count, Ordering::Relaxed).saturating_sub(count);
        let now = self.began.elapsed();
        let since = micros(now).saturating_sub(self.taken_at.swap(micros(now), Ordering::Relaxed));
        let each = since.saturating_mul(1000) / (count.max(1) as u64);
        let pace = self.pace.load(Ordering::Relaxed);
        // From nothing: a first write that met a busy disk says nothing of those that follow.
        self.pace.store(pace - pace / 16 + each / 16, Ordering::Relaxed);
        self.is_overload(self.wait(left));
    }

    /// It begins when the wait was not short for a while, and ends when it was not long for a while.
    fn is_overload(&self, wait: Duration) -> bool {
        let now = millis(self.began.elapsed());
        let seen = if wait <= TARGET / 2 { &self.good_at } else { &self.bad_at };
        seen.store(now, Ordering::Relaxed);
        let long_ago = |at: &AtomicU64| now.saturating_sub(at.load(Ordering::Relaxed)) > millis(GRACE);
        let begins = long_ago(&self.good_at);
        let goes_on = self.overload.load(Ordering::Relaxed) && !long_ago(&self.bad_at);
        self.overload.store(begins || goes_on, Ordering::Relaxed);
        begins || goes_on
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

    /// A queue of which each piece takes ten milliseconds, and whose wait was short so long ago.
    fn queue(waiting: usize, good_before: Duration) -> Lane {
        let began = Instant::now().checked_sub(Duration::from_secs(60)).expect("a minute ago");
        let lane = Lane { began, ..Lane::new() };
        lane.waiting.store(waiting, Ordering::Relaxed);
        lane.pace.store(10_000_000, Ordering::Relaxed);
        lane.good_at.store(millis(began.elapsed() - good_before), Ordering::Relaxed);
        lane.is_overload(lane.wait(waiting));
        lane
    }

    #[test]
    fn a_burst_waits_and_an_overload_does_not() {
        assert!(queue(150, Duration::from_millis(500)).admit(), "it may pass");
        assert!(!queue(1000, Duration::from_millis(500)).admit(), "this will not");
        assert!(!queue(150, Duration::from_secs(2)).admit());
        assert!(queue(20, Duration::from_secs(2)).admit(), "this wait is none to speak of");
    }

    #[test]
    fn one_slow_write_closes_no_queue() {
        let lane = Lane::new();
        lane.pace.store(10_000_000_000, Ordering::Relaxed);
        assert!((0..FEW).all(|_| lane.admit()));
        assert!(!lane.admit(), "a queue of those would never end");
    }

    #[test]
    fn the_rest_does_not_keep_out_what_is_urgent() {
        let pressure = Pressure { rest: queue(150, Duration::from_secs(2)), urgent: Lane::new() };
        assert!(!pressure.admit("token.redeem") && pressure.admit("token.revoke"));
    }

    #[test]
    fn the_end_of_a_burst_that_was_none_is_given_up() {
        let waited = Duration::from_secs(1);
        let overload = Pressure { rest: queue(40, Duration::from_secs(2)), urgent: Lane::new() };
        assert!(overload.gives_up("token.redeem", waited) && !overload.gives_up("token.redeem", waited / 2));
        let burst = Pressure { rest: queue(40, Duration::from_millis(500)), urgent: Lane::new() };
        assert!(!burst.gives_up("token.redeem", waited));
    }

    #[test]
    fn it_ends_when_the_queue_was_short_for_a_while() {
        let lane = queue(40, Duration::from_secs(2));
        lane.taken_at.store(micros(lane.began.elapsed()), Ordering::Relaxed);
        lane.taken(35);
        lane.waiting.store(150, Ordering::Relaxed);
        assert!(!lane.admit(), "it was for a moment only");
        lane.bad_at.store(millis(lane.began.elapsed() - GRACE * 2), Ordering::Relaxed);
        lane.is_overload(Duration::ZERO);
        assert!(lane.admit(), "what comes now is a burst again");
    }
}
