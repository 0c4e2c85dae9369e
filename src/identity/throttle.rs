//! How often a login may be tried: counters in the database, for all nodes.
//!
//! Every attempt is counted before it is evaluated, in one transaction and always in the same order, so that a hundred at
//! once are not a hundred guesses and no two logins wait for each other.

use super::Device;
use crate::config::Limits;
use crate::domain::User;
use crate::storage::{StorageError, Tx, sessions, throttles};
use crate::support::{Id, Seconds, network, sha256};

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

/// The names of the counters of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Throttle {
    person: Option<Id>,
    address_text: String,
    device: Option<String>,
    address: String,
    pair: String,
    account: String,
    brake: String,
}

/// Which counters an attempt used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// That of a browser which this person has used before, alone.
    Device,
    /// Those of the address and the account.
    Stranger,
}

/// What came of counting.
pub(super) enum Reserved {
    Evaluate(Used),
    Wait(Limit, Seconds),
}

impl Throttle {
    /// `account` is the name of one account, whatever was typed.
    pub fn new(account: &str, user: Option<&User>, origin: Origin<'_>, now: Seconds) -> Self {
        let hash = |text: &str| sha256(text.as_bytes())[..16].iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (of_account, of_address) = (hash(account), hash(origin.address));
        let person = user.map(|user| user.id);
        Self {
            person,
            address_text: origin.address.to_owned(),
            device: person.and_then(|id| origin.device.and_then(|device| device.counter(id, now))),
            address: format!("address:{of_address}"),
            pair: format!("login:{of_account}:{of_address}"),
            account: format!("account:{of_account}"),
            brake: format!("brake:{of_account}"),
        }
    }

    /// Counts an attempt.
    pub fn reserve(&self, tx: &mut Tx<'_>, limits: &Limits, now: Seconds) -> Result<Reserved, StorageError> {
        let window = Seconds::from(limits.login_window_seconds);
        let per_account = i64::from(limits.login_failures_per_account);
        if let Some(device) = &self.device {
            let (attempts, _) = throttles::count(tx, device, window, now)?;
            if attempts <= per_account {
                return Ok(Reserved::Evaluate(Used::Device));
            }
            // A browser that guesses is a stranger.
        }
        let (attempts, until) = throttles::count(tx, &self.address, window, now)?;
        let per_address = i64::from(limits.login_failures_per_address);
        if attempts > per_address {
            // Names that this address goes on to make up leave no rows.
            let limit = if attempts == per_address + 1 { Limit::AddressJustNow } else { Limit::Address };
            return Ok(Reserved::Wait(limit, until));
        }
        let (attempts, until) = throttles::count(tx, &self.pair, window, now)?;
        if attempts > per_account {
            return Ok(Reserved::Wait(Limit::Account, until));
        }
        if let Some(until) = self.brake(tx, limits, now)? {
            return Ok(Reserved::Wait(Limit::Account, until));
        }
        throttles::count(tx, &self.account, Seconds::from(limits.login_brake_window_seconds), now)?;
        Ok(Reserved::Evaluate(Used::Stranger))
    }

    /// Who guesses one account from everywhere waits longer and longer. Where its person has been before, they do not.
    fn brake(&self, tx: &mut Tx<'_>, limits: &Limits, now: Seconds) -> Result<Option<Seconds>, StorageError> {
        let failures = throttles::attempts(tx.reader(), &self.account, now)?;
        let Some(beyond) = u32::try_from(failures).ok().and_then(|n| n.checked_sub(limits.login_brake_after)) else {
            return Ok(None);
        };
        if self.is_familiar(tx)? {
            return Ok(None);
        }
        let longest = Seconds::from(limits.login_brake_max_seconds);
        let wait = 1_i64.checked_shl(beyond.min(62)).unwrap_or(longest).min(longest);
        let (attempts, until) = throttles::count(tx, &self.brake, wait, now)?;
        Ok((attempts > 1).then_some(until))
    }

    fn is_familiar(&self, tx: &mut Tx<'_>) -> Result<bool, StorageError> {
        let Some(person) = self.person else { return Ok(false) };
        let addresses = sessions::addresses(tx.reader(), person)?;
        Ok(addresses
            .iter()
            .any(|text| text.parse().is_ok_and(|address| network(address).to_string() == self.address_text)))
    }

    /// Nothing was evaluated after all.
    pub fn give_back(&self, tx: &mut Tx<'_>, used: Used) -> Result<(), StorageError> {
        if let (Used::Device, Some(device)) = (used, &self.device) {
            return throttles::give_back(tx, device, 1);
        }
        throttles::give_back(tx, &self.address, 1)?;
        throttles::give_back(tx, &self.pair, 1)?;
        throttles::give_back(tx, &self.account, 1)
    }

    /// It was the right person: what they got wrong before, from there, was no guessing.
    pub fn succeed(&self, tx: &mut Tx<'_>, used: Used, now: Seconds) -> Result<(), StorageError> {
        if let (Used::Device, Some(device)) = (used, &self.device) {
            return throttles::clear(tx, device);
        }
        // In the order in which they are counted: first the address.
        let own = throttles::attempts(tx.reader(), &self.pair, now)?;
        throttles::give_back(tx, &self.address, own.max(1))?;
        throttles::clear(tx, &self.pair)?;
        throttles::give_back(tx, &self.account, own.max(1))
    }
}
