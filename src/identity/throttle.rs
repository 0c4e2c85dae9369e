//! How often a login may be tried: counters in the database, for all nodes.
//!
//! An attempt takes a place of each limit before it is evaluated, always in the same order, so that a hundred at once are
//! not a hundred guesses and no two logins wait for each other. Only a wrong password keeps its place: what was right, and
//! what was not evaluated, gives it back.

use super::Device;
use crate::config::Limits;
use crate::domain::{Attempts, Lease, Place, ThrottleKind, User};
use crate::storage::throttles::{self, Counter};
use crate::storage::{StorageError, Tx, sessions};
use crate::support::{Id, Seconds, host, network};

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The network, as `defense::network` tells it.
    pub address: &'a str,
    /// The browser, if it is one that was here before.
    pub device: Option<&'a Device>,
}

impl<'a> From<&'a str> for Origin<'a> {
    fn from(address: &'a str) -> Self {
        Self { address, device: None }
    }
}

impl<'a> From<&'a String> for Origin<'a> {
    fn from(address: &'a String) -> Self {
        Self { address, device: None }
    }
}

/// Which limit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Account,
    Address,
    /// The first attempt beyond it: the moment to tell the operator that somebody tries many accounts.
    AddressJustNow,
}

/// The counters of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Throttle {
    person: Option<Id>,
    address_text: String,
    device: Option<Counter>,
    address: Counter,
    pair: Counter,
    account: Counter,
    brake: Counter,
    bounds: Bounds,
}

/// The limits, as the configuration has them.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    per_account: i64,
    per_address: i64,
    /// Attempts of one network that are evaluated at once, so that others find the queue of hashes open.
    at_once: i64,
    window: Seconds,
    brake_after: i64,
    brake_window: Seconds,
    longest_wait: Seconds,
}

/// The places that an attempt has taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Used {
    /// One of a browser which this person has used before, alone.
    Device(Lease),
    /// Those of the address and the account. The account's is none while the account is being guessed from anywhere.
    Stranger { address: Lease, pair: Lease, account: Option<Lease> },
}

/// Whether an attempt may be evaluated.
pub(super) enum Reserved {
    Evaluate(Used),
    /// Too many have failed, until then.
    Wait(Limit, Seconds),
    /// Too many are being evaluated at this moment.
    Busy,
}

impl Throttle {
    /// `account` is the name of one account, whatever was typed, and `tag` what the operator is shown of it where nobody
    /// has it. `queue` is how many hashes may wait.
    pub fn new(
        (account, tag): (&str, &str),
        user: Option<&User>,
        origin: Origin<'_>,
        (limits, queue): (&Limits, usize),
        now: Seconds,
    ) -> Self {
        let person = user.map(|user| user.id);
        let subject = person.map_or_else(|| format!("?{tag}"), |id| id.to_string());
        let shown = origin.address.parse().map_or_else(|_| origin.address.to_owned(), |at| host(at).to_string());
        let of = |kind: ThrottleKind, key: &str, at: Option<&str>| {
            let subject = if kind == ThrottleKind::LoginAddress { "" } else { subject.as_str() };
            Counter::new(kind, key, subject, at)
        };
        let device = person.and_then(|id| origin.device.and_then(|device| device.counter(id, now)));
        let queue = i64::try_from(queue).unwrap_or(i64::MAX);
        Self {
            person,
            address_text: origin.address.to_owned(),
            device: device.map(|key| of(ThrottleKind::LoginBrowser, &key, None)),
            address: of(ThrottleKind::LoginAddress, "", Some(&shown)),
            pair: of(ThrottleKind::LoginAccountAtAddress, account, Some(&shown)),
            account: of(ThrottleKind::LoginAccount, account, None),
            brake: of(ThrottleKind::LoginBrake, account, None),
            bounds: Bounds {
                per_account: limits.login_failures_per_account.into(),
                per_address: limits.login_failures_per_address.into(),
                at_once: (queue / 2).max(1),
                window: limits.login_window_seconds.into(),
                brake_after: limits.login_brake_after.into(),
                brake_window: limits.login_brake_window_seconds.into(),
                longest_wait: limits.login_brake_max_seconds.into(),
            },
        }
    }

    /// Takes the places of an attempt, or none.
    pub fn reserve(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<Reserved, StorageError> {
        let bounds = self.bounds;
        if let Some(device) = &self.device {
            match take(tx, device, bounds.per_account, bounds.per_account, now)? {
                Place::Taken(lease) => return Ok(Reserved::Evaluate(Used::Device(lease))),
                Place::Busy => return Ok(Reserved::Busy),
                // A browser that guesses is a stranger.
                Place::Full(_) => {}
            }
        }
        if let Some(refused) = self.full(tx, now)? {
            return Ok(refused);
        }
        let address = match take(tx, &self.address, bounds.per_address, bounds.at_once, now)? {
            Place::Taken(lease) => lease,
            Place::Full(until) => return Ok(Reserved::Wait(Limit::Address, until)),
            Place::Busy => return Ok(Reserved::Busy),
        };
        let pair = take(tx, &self.pair, bounds.per_account, bounds.per_account, now)?;
        let Place::Taken(pair) = pair else {
            release(tx, &self.address, address, now)?;
            return Ok(refusal(pair));
        };
        let account = self.take_account(tx, now)?;
        match account {
            Ok(account) => Ok(Reserved::Evaluate(Used::Stranger { address, pair, account })),
            Err(refused) => {
                release(tx, &self.address, address, now)?;
                release(tx, &self.pair, pair, now)?;
                Ok(refused)
            }
        }
    }

    /// Whether failures alone refuse the attempt: until the last of the limits that they fill has a place. Nothing is
    /// written but, once, that the address's limit was met.
    fn full(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<Option<Reserved>, StorageError> {
        let bounds = self.bounds;
        let address = throttles::look(tx.reader(), &self.address)?;
        let pair = throttles::look(tx.reader(), &self.pair)?.full_until(bounds.per_account, now);
        let Some(until) = address.full_until(bounds.per_address, now) else {
            return Ok(pair.map(|until| Reserved::Wait(Limit::Account, until)));
        };
        let until = until.max(pair.unwrap_or(until));
        if address.failures_at(now) > bounds.per_address {
            return Ok(Some(Reserved::Wait(Limit::Address, until)));
        }
        let mut address = throttles::hold(tx, &self.address)?;
        let first = address.failures_at(now) == bounds.per_address;
        address.failures += i64::from(first);
        throttles::keep(tx, &self.address, &address, Some(bounds.per_address), now)?;
        Ok(Some(Reserved::Wait(if first { Limit::AddressJustNow } else { Limit::Address }, until)))
    }

    /// Who guesses one account from everywhere waits longer and longer. Where its person has been before, they do not.
    fn take_account(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<Result<Option<Lease>, Reserved>, StorageError> {
        let bounds = self.bounds;
        match take(tx, &self.account, bounds.brake_after, i64::MAX, now)? {
            Place::Taken(lease) => return Ok(Ok(Some(lease))),
            Place::Busy => return Ok(Err(Reserved::Busy)),
            Place::Full(_) if self.is_familiar(tx)? => return Ok(Ok(None)),
            Place::Full(_) => {}
        }
        let beyond = throttles::look(tx.reader(), &self.account)?.failures_at(now) - bounds.brake_after;
        let longest = bounds.longest_wait;
        let wait = 1_i64.checked_shl(u32::try_from(beyond.clamp(0, 62)).unwrap_or(62)).unwrap_or(longest).min(longest);
        let mut brake = throttles::hold(tx, &self.brake)?;
        if let Some(until) = brake.full_until(1, now) {
            return Ok(Err(Reserved::Wait(Limit::Account, until)));
        }
        brake.fail(wait, now);
        throttles::keep(tx, &self.brake, &brake, None, now)?;
        Ok(Ok(None))
    }

    fn is_familiar(&self, tx: &mut Tx<'_>) -> Result<bool, StorageError> {
        let Some(person) = self.person else { return Ok(false) };
        let addresses = sessions::addresses(tx.reader(), person)?;
        Ok(addresses
            .iter()
            .any(|text| text.parse().is_ok_and(|address| network(address).to_string() == self.address_text)))
    }

    /// The password was wrong: the places stay taken until their windows end.
    pub fn fail(&self, tx: &mut Tx<'_>, used: Used, now: Seconds) -> Result<(), StorageError> {
        let Bounds { per_account, per_address, window, brake_after, brake_window, .. } = self.bounds;
        let fail = |tx: &mut Tx<'_>, counter: &Counter, lease: Option<Lease>, most: i64, window: Seconds| {
            settle(tx, counter, lease, Some(most), now, |attempts| attempts.fail(window, now))
        };
        match used {
            Used::Device(lease) => match &self.device {
                Some(device) => fail(tx, device, Some(lease), per_account, window),
                None => Ok(()),
            },
            Used::Stranger { address, pair, account } => {
                fail(tx, &self.address, Some(address), per_address, window)?;
                fail(tx, &self.pair, Some(pair), per_account, window)?;
                fail(tx, &self.account, account, brake_after, brake_window)
            }
        }
    }

    /// Nothing was evaluated after all.
    pub fn give_back(&self, tx: &mut Tx<'_>, used: Used, now: Seconds) -> Result<(), StorageError> {
        self.end(tx, used, now, |_| 0)
    }

    /// It was the right person: what they got wrong before, from there, was no guessing.
    pub fn succeed(&self, tx: &mut Tx<'_>, used: Used, now: Seconds) -> Result<(), StorageError> {
        self.end(tx, used, now, |own| own.failures_at(now))
    }

    /// Releases the places of an attempt that was no guess, and forgives as many failures of before as `own` tells from
    /// what this person got wrong here.
    fn end(
        &self,
        tx: &mut Tx<'_>,
        used: Used,
        now: Seconds,
        own: impl Fn(&Attempts) -> i64,
    ) -> Result<(), StorageError> {
        let Bounds { per_account, per_address, brake_after, .. } = self.bounds;
        match used {
            Used::Device(lease) => match &self.device {
                Some(device) => settle(tx, device, Some(lease), Some(per_account), now, |attempts| {
                    attempts.forgive(own(attempts));
                }),
                None => Ok(()),
            },
            Used::Stranger { address, pair, account } => {
                // In the order in which they are taken: first the address.
                let own = own(&throttles::look(tx.reader(), &self.pair)?);
                let forgive = |attempts: &mut Attempts| attempts.forgive(own);
                settle(tx, &self.address, Some(address), Some(per_address), now, forgive)?;
                settle(tx, &self.pair, Some(pair), Some(per_account), now, forgive)?;
                settle(tx, &self.account, account, Some(brake_after), now, forgive)?;
                // Nobody guessed, so that nobody has to wait for this one.
                if account.is_none() { throttles::clear(tx, &self.brake) } else { Ok(()) }
            }
        }
    }
}

fn refusal(place: Place) -> Reserved {
    match place {
        Place::Full(until) => Reserved::Wait(Limit::Account, until),
        Place::Busy | Place::Taken(_) => Reserved::Busy,
    }
}

fn take(tx: &mut Tx<'_>, counter: &Counter, most: i64, at_once: i64, now: Seconds) -> Result<Place, StorageError> {
    let mut attempts = throttles::hold(tx, counter)?;
    let place = attempts.take(most, at_once, now);
    throttles::keep(tx, counter, &attempts, Some(most), now)?;
    Ok(place)
}

fn release(tx: &mut Tx<'_>, counter: &Counter, lease: Lease, now: Seconds) -> Result<(), StorageError> {
    settle(tx, counter, Some(lease), None, now, |_| ())
}

/// Ends an attempt under one name. `most` is what its failures are measured by.
fn settle(
    tx: &mut Tx<'_>,
    counter: &Counter,
    lease: Option<Lease>,
    most: Option<i64>,
    now: Seconds,
    change: impl FnOnce(&mut Attempts),
) -> Result<(), StorageError> {
    let mut attempts = throttles::hold(tx, counter)?;
    lease.into_iter().for_each(|lease| attempts.release(lease));
    change(&mut attempts);
    throttles::keep(tx, counter, &attempts, most, now)
}
