//! Why a request for tokens got none: one value, in which everything stands that happens because of it.

use crate::fault::Fault;
use crate::protocol::OAuthError;
use crate::storage::{StorageError, WriteError};

/// The error of a grant. What is not a [`Rejection`] is a failure, after which nothing of the transaction is left.
#[derive(Debug)]
pub enum NotIssued {
    /// Nothing was written, and the audit trail has no record of it yet.
    Failed(Fault),
    Rejected(Rejection),
}

/// A refusal that is committed: its own record, and what it did to the grant.
#[derive(Debug)]
pub struct Rejection {
    pub error: OAuthError,
    pub grant: GrantFate,
}

/// What became of the grant of the code or refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFate {
    Untouched,
    /// Revoked for good: whoever presents the same again is refused without the database.
    Revoked,
}

impl Rejection {
    /// A refusal that leaves the grant as it is.
    pub fn of(error: OAuthError) -> Self {
        Self { error, grant: GrantFate::Untouched }
    }
}

impl From<Rejection> for NotIssued {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Fault> for NotIssued {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<OAuthError> for NotIssued {
    fn from(error: OAuthError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StorageError> for NotIssued {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl WriteError for NotIssued {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Failed(fault) => fault.storage(),
            Self::Rejected(_) => None,
        }
    }
}
