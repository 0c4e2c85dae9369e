//! From a proof to a credential.
//!
//! Checking a proof (a password, later a passkey or a one-time code) takes time, and happens outside of any transaction. An
//! account can change meanwhile. So a proof is worth nothing by itself: [`LoginProof::confirm`] holds the person's row inside the
//! transaction that writes the credential, and compares it with the row against which the proof was checked. What begins a
//! session or a family of tokens takes a [`Confirmed`], which only `confirm` makes.
//!
//! A further factor makes a [`LoginProof`] in the same way; removing or replacing one raises the person's `access_version`.

use crate::domain::{User, UserStatus};
use crate::storage::{StorageError, Tx, users};
use crate::support::{Id, Seconds};

/// A checked proof of who a person is, with the account as it was when the check began.
#[derive(Debug, Clone)]
pub struct LoginProof {
    user: User,
    at: Seconds,
}

/// A proof that still held when the transaction looked; good for that transaction.
#[derive(Debug)]
pub struct Confirmed {
    user: User,
    auth_time: Seconds,
}

/// Why a proof is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unconfirmed {
    /// The account was changed, disabled or deleted after the proof was read.
    #[error("the account was changed meanwhile")]
    Changed,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl LoginProof {
    /// A proof that was checked against `user` as read at the time `at` or later.
    pub fn new(user: User, at: Seconds) -> Self {
        Self { user, at }
    }

    pub fn user_id(&self) -> Id {
        self.user.id
    }

    /// Holds the person's row until the transaction ends, if it is the one that was proved.
    pub fn confirm(&self, tx: &mut Tx<'_>) -> Result<Confirmed, Unconfirmed> {
        let user = users::hold(tx, self.user.id)?.filter(|user| self.holds_for(user)).ok_or(Unconfirmed::Changed)?;
        Ok(Confirmed { user, auth_time: self.at })
    }

    fn holds_for(&self, user: &User) -> bool {
        user.status == UserStatus::Active
            && user.access_version == self.user.access_version
            && user.password_changed_at == self.user.password_changed_at
    }
}

impl Confirmed {
    pub fn user(&self) -> &User {
        &self.user
    }

    /// When the proof was read (OIDC Core §2, `auth_time`): what changed the account after that ends what comes of it.
    pub fn auth_time(&self) -> Seconds {
        self.auth_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_the_account_as_it_was() {
        let user = User::new(Id::from_bytes([1; 16]), "alice".to_owned(), 100);
        let proof = LoginProof::new(user.clone(), 100);
        assert!(proof.holds_for(&user));
        let renamed = User { name: Some("Alice".to_owned()), updated_at: 101, ..user.clone() };
        assert!(proof.holds_for(&renamed), "a name is no proof");
        for changed in [
            User { status: UserStatus::Disabled, ..user.clone() },
            User { password_changed_at: 101, ..user.clone() },
            User { access_version: 2, ..user.clone() },
        ] {
            assert!(!proof.holds_for(&changed), "{changed:?}");
        }
    }
}
