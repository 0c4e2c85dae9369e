//! Admission to a queue: tells a burst that passes from an overload (as in controlled delay).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long work may have to wait when more keeps coming than can be done.
const TARGET: Duration = Duration::from_millis(300);
/// A queue that was longer than that for so long is no burst that passes.
const GRACE: Duration = Duration::from_secs(1);
/// How long the end of a burst may have to wait.
const BURST: Duration = Duration::from_secs(2);
/// So many of a kind may always wait. What one slow write tells of the next is little, and what waits behind it goes into
/// one commit.
const FEW: usize = 4;
/// How far back the pace is looked at, in time spent working. A disk that is busy for a moment is no slow disk.
const MEMORY: Duration = Duration::from_secs(2);
/// What is believed of a kind of work before any was seen: that so much of it takes no time.
const BELIEVED: f64 = 64.0;

/// Tells a burst, which a queue is there for, from an overload, under which a queue makes everybody wait and serves nobody
/// sooner (as in "controlled delay", RFC 8289). Under overload work is refused before it waits.
///
/// Each kind of work is judged by itself: what is asked for too much, or held up by a lock, keeps nothing else out, and a
/// revocation is not refused because logins are many.
pub(super) struct Pressure {
    lanes: Mutex<HashMap<&'static str, Lane>>,
}

impl Pressure {
    pub fn new() -> Self {
        Self { lanes: Mutex::default() }
    }

    /// Whether work of this name may begin to wait; if so, it does.
    pub fn admit(&self, name: &'static str) -> bool {
        let now = Instant::now();
        self.lock().entry(name).or_insert_with(|| Lane::new(now)).admit(now)
    }

    /// How much waits, of all kinds.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|lane| lane.waiting).sum()
    }

    /// Work was taken back that was admitted and not done.
    pub fn withdrawn(&self, name: &'static str) {
        if let Some(lane) = self.lock().get_mut(name) {
            lane.waiting = lane.waiting.saturating_sub(1);
        }
    }

    /// Work was taken to be done; what is still there waits for what it takes.
    pub fn taken(&self, names: impl Iterator<Item = &'static str>) {
        let now = Instant::now();
        let mut lanes = self.lock();
        for name in names {
            if let Some(lane) = lanes.get_mut(name) {
                lane.taken += 1;
            }
        }
        for lane in lanes.values_mut().filter(|lane| lane.taken > 0) {
            lane.move_on(now);
        }
    }

    /// Whether work that has waited for so long is better refused than done: it was the end of what seemed a burst, and
    /// those who come now wait behind it.
    pub fn gives_up(&self, name: &'static str, waited: Duration) -> bool {
        waited > TARGET * 2 && self.lock().get(name).is_some_and(|lane| lane.overload)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one kind of work.
struct Lane {
    waiting: usize,
    /// Taken just now, and not yet reckoned.
    taken: usize,
    /// When some was last taken, or began to wait.
    since: Instant,
    /// Seconds for which some waited, and how much was taken in them; both fade.
    busy: f64,
    done: f64,
    /// When the wait was last short and when it was last long.
    short_at: Instant,
    long_at: Instant,
    overload: bool,
}

impl Lane {
    fn new(now: Instant) -> Self {
        Self {
            waiting: 0,
            taken: 0,
            since: now,
            busy: 0.0,
            done: BELIEVED,
            short_at: now,
            long_at: now,
            overload: false,
        }
    }

    fn admit(&mut self, now: Instant) -> bool {
        if self.waiting == 0 {
            self.since = now;
        }
        let wait = self.wait();
        let most = if self.look(wait, now) { TARGET } else { BURST };
        let admitted = self.waiting < FEW || wait <= most;
        self.waiting += usize::from(admitted);
        admitted
    }

    fn move_on(&mut self, now: Instant) {
        let count = std::mem::take(&mut self.taken);
        let since = now.saturating_duration_since(std::mem::replace(&mut self.since, now)).as_secs_f64();
        let fade = (-since / MEMORY.as_secs_f64()).exp();
        self.busy = self.busy * fade + since;
        self.done = self.done * fade + count as f64;
        self.waiting = self.waiting.saturating_sub(count);
        self.look(self.wait(), now);
    }

    /// Whether there is an overload. It begins when the wait was not short for a while, and ends when it was not long for
    /// a while.
    fn look(&mut self, wait: Duration, now: Instant) -> bool {
        *if wait <= TARGET / 2 { &mut self.short_at } else { &mut self.long_at } = now;
        let long_ago = |at: Instant| now.saturating_duration_since(at) > GRACE;
        self.overload = long_ago(self.short_at) || self.overload && !long_ago(self.long_at);
        self.overload
    }

    /// How long the last of those who wait has to.
    fn wait(&self) -> Duration {
        let each = self.busy / self.done;
        Duration::try_from_secs_f64(each * self.waiting as f64).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDEEM: &str = "token.redeem";

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A queue of which each piece takes ten milliseconds, and whose wait was short so long ago.
    fn queue(waiting: usize, short_before: Duration, now: Instant) -> Lane {
        let began = now.checked_sub(short_before).expect("a moment of the past");
        let mut lane = Lane { waiting, busy: 2.0, done: 200.0, ..Lane::new(began) };
        lane.look(lane.wait(), now);
        lane
    }

    #[test]
    fn a_burst_waits_and_an_overload_does_not() {
        let now = Instant::now();
        assert!(queue(150, millis(500), now).admit(now), "it may pass");
        assert!(!queue(1000, millis(500), now).admit(now), "this will not");
        assert!(!queue(150, millis(2000), now).admit(now));
        assert!(queue(20, millis(2000), now).admit(now), "this wait is none to speak of");
    }

    #[test]
    fn a_disk_that_is_busy_for_a_moment_closes_no_queue() {
        let mut now = Instant::now();
        for before in [0, 1000] {
            let mut lane = Lane::new(now);
            for _ in 0..before {
                lane.admit(now);
                now += millis(3);
                lane.taken = 1;
                lane.move_on(now);
            }
            assert!((0..200).all(|_| lane.admit(now)), "all at once");
            now += millis(500);
            lane.taken = 1;
            lane.move_on(now);
            assert!(lane.admit(now), "{before} before: {:?} to wait", lane.wait());
        }
    }

    #[test]
    fn a_few_always_wait() {
        let now = Instant::now();
        let mut lane = Lane { busy: 20.0, done: 2.0, ..Lane::new(now) };
        assert!((0..FEW).all(|_| lane.admit(now)));
        assert!(!lane.admit(now), "a queue of those would never end");
    }

    #[test]
    fn what_is_held_up_keeps_nothing_else_out() {
        let (pressure, now) = (Pressure::new(), Instant::now());
        pressure.lock().insert(REDEEM, queue(150, millis(2000), now));
        assert!(!pressure.admit(REDEEM) && pressure.admit("token.revoke") && pressure.admit("authorization.create"));
    }

    #[test]
    fn the_end_of_a_burst_that_was_none_is_given_up() {
        let (pressure, now) = (Pressure::new(), Instant::now());
        pressure.lock().insert(REDEEM, queue(40, millis(2000), now));
        assert!(pressure.gives_up(REDEEM, millis(1000)) && !pressure.gives_up(REDEEM, millis(500)));
        pressure.lock().insert(REDEEM, queue(40, millis(500), now));
        assert!(!pressure.gives_up(REDEEM, millis(1000)));
    }

    #[test]
    fn it_ends_when_the_queue_was_short_for_a_while() {
        let now = Instant::now();
        let mut lane = Lane { since: now, taken: 35, ..queue(40, millis(2000), now) };
        lane.move_on(now);
        lane.waiting = 150;
        assert!(!lane.admit(now), "it was for a moment only");
        lane.waiting = 5;
        let later = now + GRACE * 2;
        lane.look(lane.wait(), later);
        lane.waiting = 100;
        assert!(lane.admit(later), "what comes now is a burst again");
    }
}
