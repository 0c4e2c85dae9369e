//! Limits on failed credentials of programs, counted in the database for all nodes.

use std::net::IpAddr;

use super::gauge::Exceeded;
use super::limiter::Limiter;
use super::restraints::{RestraintKind, pair};
use crate::config::{Limits, Rate};
use crate::domain::ThrottleKind;
use crate::storage::throttles::{self, Counter};
use crate::storage::{Db, Refusal, StorageError, Tx};
use crate::support::{Seconds, host};

/// A secret that was presented, by whom it is said to be. What people choose has counters of its own
/// (`identity/login.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'a> {
    /// The secret or assertion of this client, which there is.
    Client(&'a str),
    /// That of a client that there is not. All of a network count together, so that names that somebody makes up leave no
    /// rows behind.
    UnknownClient,
    /// The API key of this id, which there is.
    ApiKey(&'a str),
    /// An API key that there is not.
    UnknownApiKey,
    /// A one-time link.
    Link,
}

/// What became of a failure that was counted.
#[derive(Debug, Clone)]
pub enum Counted {
    /// It was recorded, and may be refused for what it is.
    Within,
    /// It was one too many: nothing was recorded, and nothing is to be told of it but that.
    Beyond(Exceeded),
}

/// How many failures are within the limit.
pub(super) struct FailureLimits {
    client: Rate,
    unknown_client: Rate,
    api_key: Rate,
    link: Rate,
}

impl FailureLimits {
    pub fn new(limits: &Limits) -> Self {
        let (count, seconds) = (limits.client_auth_failures, limits.client_auth_window_seconds);
        Self {
            client: Rate { count, seconds, burst: count },
            unknown_client: limits.unknown_client_failures_per_address,
            api_key: limits.api_key_failures_per_address,
            link: limits.link_failures_per_address,
        }
    }

    fn of(&self, proof: Proof<'_>) -> Rate {
        match proof {
            Proof::Client(_) => self.client,
            Proof::UnknownClient => self.unknown_client,
            Proof::ApiKey(_) | Proof::UnknownApiKey => self.api_key,
            Proof::Link => self.link,
        }
    }
}

impl Proof<'_> {
    fn kind(self) -> RestraintKind {
        match self {
            Self::Client(_) => RestraintKind::ClientAuth,
            Self::UnknownClient => RestraintKind::UnknownClient,
            Self::ApiKey(_) => RestraintKind::ApiKey,
            Self::UnknownApiKey => RestraintKind::UnknownApiKey,
            Self::Link => RestraintKind::Link,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Client(name) | Self::ApiKey(name) => name,
            _ => "",
        }
    }

    fn counter(self, address: IpAddr) -> Counter {
        let kind = match self {
            Self::Client(_) => ThrottleKind::ClientAuth,
            Self::UnknownClient => ThrottleKind::UnknownClient,
            Self::ApiKey(_) => ThrottleKind::ApiKey,
            Self::UnknownApiKey => ThrottleKind::UnknownApiKey,
            Self::Link => ThrottleKind::Link,
        };
        Counter::new(kind, self.name(), self.name(), Some(&host(address).to_string()))
    }
}

impl Limiter {
    /// Whether an address may present such a proof. From elsewhere the right one still works.
    pub fn may_prove(&self, proof: Proof<'_>, address: IpAddr, now: Seconds) -> Result<(), Exceeded> {
        match self.restraints.barred(proof.kind(), proof.name(), address, now) {
            Some(until) => Err(exceeded(until, now)),
            None => Ok(()),
        }
    }

    /// Counts a proof that was wrong, over all nodes and before it is refused: of a hundred at once no more than the limit
    /// are told that they were. `record` writes in the same transaction what there is to write of one within the limit.
    /// As long as proofs are right, nothing is counted, looked up or written.
    ///
    /// # Errors
    /// [`StorageError`] if it could not be counted: then it must be refused as unavailable, for whoever is not counted
    /// could go on for ever.
    pub async fn failed<R>(
        &self,
        db: &Db,
        proof: Proof<'_>,
        address: IpAddr,
        now: Seconds,
        mut record: R,
    ) -> Result<Counted, StorageError>
    where
        R: FnMut(&mut Tx<'_>) -> Result<(), StorageError> + Send + 'static,
    {
        let limit = self.failures.of(proof);
        let (counter, window) = (proof.counter(address), Seconds::from(limit.seconds));
        let most = if limit.is_on() { i64::from(limit.count) } else { i64::MAX };
        let (within, full_until) = db
            .write("failure.count", move |tx| -> Result<_, Refusal<StorageError>> {
                // Beyond the limit nothing is written.
                if let Some(until) = throttles::look(tx.reader(), &counter)?.full_until(most, now) {
                    return Ok((false, Some(until)));
                }
                let mut attempts = throttles::hold(tx, &counter)?;
                let within = attempts.full_until(most, now).is_none();
                if within {
                    attempts.fail(window, now);
                    record(tx)?;
                }
                throttles::keep(tx, &counter, &attempts, Some(most), now)?;
                Ok((within, attempts.full_until(most, now)))
            })
            .await?;
        if let Some(until) = full_until {
            self.restraints.add(proof.kind(), pair(proof.name(), address), until);
        }
        Ok(match full_until {
            Some(until) if !within => Counted::Beyond(exceeded(until, now)),
            _ => Counted::Within,
        })
    }
}

fn exceeded(until: Seconds, now: Seconds) -> Exceeded {
    Exceeded { retry_after: u64::try_from(until - now).unwrap_or(0).max(1), policy: None }
}
