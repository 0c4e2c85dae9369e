//! What a restore took over, in numbers.

/// What was taken over from the database that is being replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    pub clients_disabled: usize,
    pub users_disabled: usize,
    /// People who were deleted since.
    pub users_erased: usize,
    /// Clients with another secret, other keys or another way to prove themselves.
    pub credentials: usize,
    /// Clients that may do or ask for less.
    pub reductions: usize,
    /// Administrators who are none any more.
    pub demoted: usize,
    pub passwords: usize,
    /// Signing keys that were retired since, or made.
    pub keys: usize,
    /// API keys that were revoked since, or rotated.
    pub api_keys: usize,
    pub audit_events: usize,
    /// Made since the backup, and not in it: they are gone.
    pub clients_lost: i64,
    pub users_lost: i64,
}
