//! What a grant declares.

use crate::domain::GrantType;
use crate::fault::Fault;
use crate::issuing::{Ctx, Draft, NotIssued};
use crate::storage::Tx;

/// A grant as its file declares it.
pub struct Grant {
    pub grant_type: GrantType,
    /// Its own parameters, beyond those of client authentication.
    pub parameters: &'static [&'static str],
    /// The parameter that can be used once.
    pub single_use: Option<&'static str>,
    pub(super) redeem: Redeem,
}

/// How a grant is redeemed: a plain function, which decides and writes and leaves the signing for after the commit.
pub(super) enum Redeem {
    /// Nothing but the issued token is written.
    Plain(fn(&Ctx) -> Result<Draft, Fault>),
    /// Inside one write transaction; may be run again after a deadlock.
    InTransaction(fn(&Ctx, &mut Tx<'_>) -> Result<Draft, NotIssued>),
}
