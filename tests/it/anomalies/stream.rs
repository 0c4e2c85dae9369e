//! Streams of events, the same each time.

use std::net::{IpAddr, Ipv4Addr};

use latchway::defense::anomaly::{Observation, What};

pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;

/// SplitMix64: the same numbers from the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(end).expect("positive")).expect("below an i64")
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from)
    }

    pub fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    /// Somewhere on the Internet.
    pub fn address(&mut self) -> IpAddr {
        let bits = u32::try_from(self.below(1 << 32)).expect("32 bits");
        IpAddr::V4(Ipv4Addr::from(bits | 0x4000_0000))
    }
}

/// What happens, in any order.
pub struct Stream {
    events: Vec<Observation>,
    pub random: Random,
}

impl Stream {
    pub fn new(seed: u64) -> Self {
        Self { events: Vec::new(), random: Random::new(seed) }
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn span(&self) -> (i64, i64) {
        let times = || self.events.iter().map(|seen| seen.at);
        (times().min().expect("an event"), times().max().expect("an event"))
    }

    pub fn add(&mut self, other: &Self) {
        self.events.extend(other.events.iter().cloned());
    }

    pub fn sorted(mut self) -> Vec<Observation> {
        self.events.sort_by_key(|seen| seen.at);
        self.events
    }

    pub fn push(&mut self, seen: Observation) {
        self.events.push(seen);
    }

    pub fn login(&mut self, at: i64, from: &str, account: &str, right: bool) {
        let what = if right { What::LoginSucceeded } else { What::LoginFailed };
        let (address, account) = (from.parse().ok(), Some(account.to_owned()));
        self.push(Observation { address, account, ..Observation::new(at, what) });
    }

    pub fn client(&mut self, at: i64, from: &str, client: &str, what: What) {
        let (address, client) = (from.parse().ok(), Some(client.to_owned()));
        self.push(Observation { address, client, ..Observation::new(at, what) });
    }

    pub fn family(&mut self, at: i64, from: &str, client: &str, family: &str) {
        let (address, client) = (from.parse().ok(), Some(client.to_owned()));
        let family = Some(family.to_owned());
        self.push(Observation { address, client, family, ..Observation::new(at, What::FamilyUsed) });
    }

    /// Somebody who wants to log in: with typos first, perhaps, and in the end they get in or give up.
    pub fn person(&mut self, at: i64, from: &str, account: &str, typos: i64, gets_in: bool) {
        let mut at = at;
        for _ in 0..typos {
            self.login(at, from, account, false);
            at += self.random.between(8, 40);
        }
        if gets_in {
            self.login(at, from, account, true);
        }
    }

    /// Days of which only those are told whose habits take so long to learn: the web app's sessions, which its server
    /// refreshes, and those of phones.
    pub fn quiet(&mut self, from: i64, to: i64) {
        for at in (from..to).step_by(120) {
            self.sessions(at);
        }
    }

    fn sessions(&mut self, at: i64) {
        let (family, second) = (self.random.below(300), self.random.below(60));
        self.family(at + second, "10.9.9.7", "web", &format!("web{family}"));
        let phone = self.random.below(300);
        let network = if self.random.percent(15) { self.random.below(40) } else { 0 };
        self.family(at + second, &format!("100.{}.{network}.9", 64 + phone % 60), "phone", &format!("phone{phone}"));
    }

    /// An ordinary service: people at home who log in, with a typo now and then, thirty servers that fetch tokens, sessions
    /// of a web app that are refreshed by its server, and those of phones, which move.
    pub fn ordinary(&mut self, from: i64, to: i64) {
        for minute in from / 60..to / 60 {
            let at = minute * 60;
            for _ in 0..12 {
                let person = self.random.below(4_000);
                let home = format!("{}.{}.{}.{}", 80 + person % 90, person / 250, person % 250, 1 + person % 200);
                let typos = if self.random.percent(6) { self.random.between(1, 4) } else { 0 };
                let gets_in = !self.random.percent(1);
                let second = self.random.below(60);
                self.person(at + second, &home, &format!("person{person}"), typos.max(i64::from(!gets_in)), gets_in);
            }
            for n in 0..30 {
                self.client(at + n, &format!("10.0.{n}.7"), &format!("service{n}"), What::ClientServed);
            }
            (0..8).for_each(|_| self.sessions(at));
        }
    }
}
