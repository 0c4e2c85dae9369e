//! A world as a whole: put back to its start, kept, and brought back.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use actix_web::web;

use super::house::{House, World};
use super::issuer::{Issuer, MakeError, Origin};
use super::rules::RuleError;
use super::snapshot::Snapshot;
use crate::storage::{Db, StorageError};
use crate::support::Clock;
use latchway_mock_api::ApiState;

/// Snapshots of one world, at most: each is a database or more.
const MAX_SNAPSHOTS: usize = 32;

/// Why a world cannot be brought back, or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("there is no snapshot {0}")]
    Unknown(String),
    #[error("a snapshot's name must be 1 to 64 letters, digits, - and _")]
    Name,
    #[error("there are {MAX_SNAPSHOTS} snapshots already; delete one with DELETE /mock/snapshots/NAME")]
    TooMany,
    #[error(transparent)]
    Make(#[from] MakeError),
    #[error(transparent)]
    Rules(#[from] RuleError),
}

impl From<StorageError> for StateError {
    fn from(error: StorageError) -> Self {
        Self::Make(error.into())
    }
}

impl World {
    fn snapshots(&self) -> MutexGuard<'_, BTreeMap<String, Snapshot>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything as it was when the world was made; snapshots stay.
    ///
    /// # Errors
    /// If it cannot be made anew.
    pub async fn reset(&self, house: &House) -> Result<(), StateError> {
        let _one_at_a_time = self.making.lock().await;
        let first = house.settings.first_rules()?;
        self.clock.resume();
        let origin = Origin::New(house.api.scopes());
        let main = Issuer::make(&house.settings, &house.base, "", &self.clock, origin).await?;
        self.replace(BTreeMap::from([(String::new(), main)]));
        self.set_api_state(ApiState::new(&house.api));
        self.rules.restore(first.snapshot());
        self.journal.clear();
        Ok(())
    }

    /// Keeps the world as it is, in the place of what had the name.
    ///
    /// # Errors
    /// If the name is none, there are too many, or a database cannot be copied.
    pub async fn keep(&self, name: &str) -> Result<i64, StateError> {
        if !super::place::is_name(name) {
            return Err(StateError::Name);
        }
        if self.snapshots().len() >= MAX_SNAPSHOTS && !self.snapshots().contains_key(name) {
            return Err(StateError::TooMany);
        }
        let _one_at_a_time = self.making.lock().await;
        let mut issuers = BTreeMap::new();
        for issuer in self.issuers() {
            issuers.insert(issuer.prefix.clone(), copied(&issuer.app.db, &self.clock).await?);
        }
        let taken_at = self.clock.now_millis();
        let (clock, rules, data) = (self.clock.moved(), self.rules.snapshot(), self.api_state().snapshot());
        let snapshot = Snapshot { taken_at, issuers, clock, rules, data };
        self.snapshots().insert(name.to_owned(), snapshot);
        Ok(taken_at)
    }

    /// Brings the world back to what it was. It is made anew around the copies, so that nothing remembers what came after.
    ///
    /// # Errors
    /// If there is none of this name, or a database cannot be copied.
    pub async fn bring_back(&self, house: &House, name: &str) -> Result<(), StateError> {
        let _one_at_a_time = self.making.lock().await;
        let (kept, clock, rules, data) = {
            let snapshots = self.snapshots();
            let snapshot = snapshots.get(name).ok_or_else(|| StateError::Unknown(name.to_owned()))?;
            (snapshot.issuers.clone(), snapshot.clock, snapshot.rules.clone(), snapshot.data.snapshot())
        };
        let mut copies = Vec::new();
        for (prefix, db) in kept {
            copies.push((prefix, copied(&db, &self.clock).await?));
        }
        let before = self.clock.moved();
        self.clock.move_again(clock);
        match self.around(house, copies).await {
            Ok(issuers) => self.replace(issuers),
            Err(error) => {
                self.clock.move_again(before);
                return Err(error.into());
            }
        }
        self.rules.restore(rules);
        self.set_api_state(data);
        Ok(())
    }

    /// Issuers around these databases.
    async fn around(&self, house: &House, databases: Vec<(String, Db)>) -> Result<BTreeMap<String, Issuer>, MakeError> {
        let mut issuers = BTreeMap::new();
        for (prefix, db) in databases {
            let origin = Origin::Database(db);
            let issuer = Issuer::make(&house.settings, &house.base, &prefix, &self.clock, origin).await?;
            issuers.insert(prefix, issuer);
        }
        Ok(issuers)
    }

    /// Names of the snapshots, and when each was taken.
    pub fn kept(&self) -> Vec<(String, i64)> {
        self.snapshots().iter().map(|(name, snapshot)| (name.clone(), snapshot.taken_at)).collect()
    }

    /// # Errors
    /// If there is none of this name.
    pub fn forget(&self, name: &str) -> Result<(), StateError> {
        self.snapshots().remove(name).map(|_| ()).ok_or_else(|| StateError::Unknown(name.to_owned()))
    }

    fn replace(&self, issuers: BTreeMap<String, Issuer>) {
        *self.issuers.write().unwrap_or_else(PoisonError::into_inner) = issuers;
        // They remember keys and tokens.
        self.servers.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A copy of a database, in memory as well.
async fn copied(db: &Db, clock: &Clock) -> Result<Db, StateError> {
    let (from, to) = (db.clone(), Issuer::database(clock)?);
    let copy = web::block(move || from.copy_into(&to).map(|()| to)).await;
    Ok(copy.map_err(|_| StorageError::Panicked("mock.copy"))??)
}
