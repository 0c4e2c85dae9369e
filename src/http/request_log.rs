//! One line in the log for each request that was not served, and at the level `debug` for each that was.
//! `docs/logging.md` has the fields.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use ipnet::{IpNet, Ipv4Net};

use crate::app::RequestInfo;
use crate::protocol::ErrorCode;
use crate::support::{neighbourhood, text};

/// Characters of a reason.
const MAX_REASON: usize = 500;
/// Refusals are counted in so many slots, by their error, route and network.
const SLOTS: usize = 64;
/// Of each slot so many are logged in a second, and of the others their number.
const PER_SECOND: u32 = 5;

/// Why a request was not served. Travels with the answer to the place that logs it.
pub struct Refused {
    pub code: ErrorCode,
    pub reason: Option<String>,
}

/// A request and its answer.
pub struct Line<'a> {
    pub info: RequestInfo,
    pub method: &'a Method,
    pub status: u16,
    pub elapsed: Duration,
    pub client_id: Option<&'a str>,
}

impl Line<'_> {
    /// Logs it.
    pub fn write(&self, refused: Option<&Refused>) {
        let Some(refused) = refused else { return self.served() };
        let outcome = if refused.code.is_waiting() {
            // A device says so a hundred times.
            return self.waiting(refused.code.as_str());
        } else if self.status >= 500 {
            "failed"
        } else {
            "refused"
        };
        let code = refused.code.as_str();
        if !tracing::enabled!(tracing::Level::DEBUG) {
            let kind = Kind { outcome, code, route: self.info.route.label, network: neighbourhood(self.info.address) };
            match SAMPLER.pass(Instant::now(), kind) {
                Passed::Logged => {}
                Passed::After(rest) => rest.write(),
                Passed::Counted => return,
            }
        }
        let reason = text::for_log(refused.reason.as_deref().unwrap_or_default(), MAX_REASON);
        let client_id = self.client_id.map(|id| text::for_log(id, 128));
        let (RequestInfo { id, address, .. }, route) = (self.info, self.info.route.label);
        let (method, status) = (self.method.as_str(), self.status);
        let duration_ms = millis(self.elapsed);
        if outcome == "failed" {
            tracing::error!(request_id = %id, method, route, status, outcome, code, reason, client_id, %address, duration_ms, "failed");
        } else {
            tracing::info!(request_id = %id, method, route, status, outcome, code, reason, client_id, %address, duration_ms, "refused");
        }
    }

    fn served(&self) {
        let (RequestInfo { id, address, .. }, route) = (self.info, self.info.route.label);
        tracing::debug!(
            request_id = %id,
            method = self.method.as_str(),
            route,
            status = self.status,
            outcome = "served",
            client_id = self.client_id,
            %address,
            duration_ms = millis(self.elapsed),
            "served"
        );
    }

    fn waiting(&self, code: &str) {
        let (RequestInfo { id, address, .. }, route) = (self.info, self.info.route.label);
        tracing::debug!(
            request_id = %id,
            method = self.method.as_str(),
            route,
            status = self.status,
            outcome = "waiting",
            code,
            client_id = self.client_id,
            %address,
            duration_ms = millis(self.elapsed),
            "waiting"
        );
    }
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_micros() as f64 / 1000.0
}

/// Logs of how many refusals there was no line, once the second is over in which they were counted. To be called every now
/// and then.
pub fn write_rest() {
    for rest in SAMPLER.rest(Instant::now()) {
        rest.write();
    }
}

/// Anybody can be refused as often as they like: what they are told is not written down each time. An attacker fills the slots
/// of their own networks, so that the refusals of others are still seen.
struct Sampler {
    slots: [Mutex<Slot>; SLOTS],
}

struct Slot {
    /// When the second began in which these are counted.
    began: Option<Instant>,
    logged: u32,
    counted: u64,
    last: Kind,
}

/// What refusals have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    outcome: &'static str,
    code: &'static str,
    route: &'static str,
    network: IpNet,
}

/// Refusals that were counted and not logged; the last of them was of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    count: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    Logged,
    /// To be logged, after the number of those that were not.
    After(Rest),
    Counted,
}

static SAMPLER: Sampler = Sampler::new();

impl Rest {
    fn write(self) {
        let Self { count, kind: Kind { outcome, code, route, network } } = self;
        tracing::info!(route, outcome, code, %network, count, "… and {count} more like it");
    }
}

impl Slot {
    const fn new() -> Self {
        let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
        Self { began: None, logged: 0, counted: 0, last: Kind { outcome: "", code: "", route: "", network } }
    }

    /// Ends the second; what was counted in it is to be told.
    fn end(&mut self) -> Option<Rest> {
        let rest = Rest { count: self.counted, kind: self.last };
        (self.began, self.logged, self.counted) = (None, 0, 0);
        (rest.count > 0).then_some(rest)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) >= Duration::from_secs(1))
    }
}

impl Sampler {
    const fn new() -> Self {
        Self { slots: [const { Mutex::new(Slot::new()) }; SLOTS] }
    }

    fn pass(&self, now: Instant, kind: Kind) -> Passed {
        // Whoever finds two networks of one slot gains nothing by it.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(kind);
        let at = usize::try_from(hash % SLOTS as u64).unwrap_or_default();
        let mut slot = self.slots[at].lock().unwrap_or_else(PoisonError::into_inner);
        let rest = if slot.is_over(now) { slot.end() } else { None };
        slot.began.get_or_insert(now);
        if slot.logged < PER_SECOND {
            slot.logged += 1;
            return rest.map_or(Passed::Logged, Passed::After);
        }
        slot.counted += 1;
        slot.last = kind;
        Passed::Counted
    }

    fn rest(&self, now: Instant) -> Vec<Rest> {
        let ended = self.slots.iter().filter_map(|slot| {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.is_over(now) { slot.end() } else { None }
        });
        ended.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_a_second_and_the_number_of_the_rest() {
        let sampler = Sampler::new();
        let kind = |n: u8| Kind {
            outcome: "refused",
            code: "invalid_client",
            route: "/oauth2/token",
            network: neighbourhood(std::net::IpAddr::from([192, 0, n, 1])),
        };
        let now = Instant::now();
        let pass = |millis: u64, n: u8| sampler.pass(now + Duration::from_millis(millis), kind(n));
        let passed: Vec<Passed> = (0..4125).map(|_| pass(3, 2)).collect();
        assert_eq!(passed.iter().filter(|passed| **passed == Passed::Logged).count(), 5);
        assert_eq!(passed.iter().filter(|passed| **passed == Passed::Counted).count(), 4120);
        assert!((3..=255).any(|n| pass(4, n) == Passed::Logged), "another network's are seen");
        assert_eq!(sampler.rest(now + Duration::from_millis(900)), []);
        assert_eq!(sampler.rest(now + Duration::from_millis(1100)), [Rest { count: 4120, kind: kind(2) }]);
        assert_eq!(sampler.rest(now + Duration::from_millis(1100)), []);
        (0..7).for_each(|_| _ = pass(1200, 2));
        assert_eq!(pass(2300, 2), Passed::After(Rest { count: 2, kind: kind(2) }));
    }
}
