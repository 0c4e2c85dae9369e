//! Limits on failed credentials of programs, counted in the database for all nodes.

use std::net::IpAddr;

use super::failure_limits::Proof;
use super::gauge::Exceeded;
use super::limiter::Limiter;
use super::restraints::pair;
use crate::storage::throttles;
use crate::storage::{Db, Refusal, StorageError, Tx};
use crate::support::Seconds;

/// What became of a failure that was counted.
#[derive(Debug, Clone)]
pub enum Counted {
    /// It was recorded, and may be refused for what it is.
    Within,
    /// It was one too many: nothing was recorded, and nothing is to be told of it but that.
    Beyond(Exceeded),
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
