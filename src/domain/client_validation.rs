//! Why a client is refused.

/// A client that must not be stored, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClientValidation(pub String);
