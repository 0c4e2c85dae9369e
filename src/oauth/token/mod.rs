//! The token endpoint (RFC 6749 §3.2): prologue, the registry of grants, epilogue. A grant is one file.

mod authorization_code;
mod client_credentials;
mod device_code;
mod endpoint;
mod refresh_token;

pub use device_code::PREFIX as DEVICE_CODE_PREFIX;
pub use endpoint::post;

use crate::domain::GrantType;
use crate::fault::Fault;
use crate::issuing::{Ctx, Draft};
use crate::storage::{Refusal, Tx};

/// What this endpoint can do. Metadata and client registration read the same list.
pub const GRANTS: &[&Grant] =
    &[&authorization_code::GRANT, &refresh_token::GRANT, &client_credentials::GRANT, &device_code::GRANT];

/// A grant as its file declares it.
pub struct Grant {
    pub grant_type: GrantType,
    /// Its own parameters, beyond those of client authentication.
    pub parameters: &'static [&'static str],
    /// The parameter that can be used once.
    pub single_use: Option<&'static str>,
    redeem: Redeem,
}

/// How a grant is redeemed: a plain function, which decides and writes and leaves the signing for after the commit.
enum Redeem {
    /// Nothing but the issued token is written.
    Plain(fn(&Ctx) -> Result<Draft, Fault>),
    /// Inside one write transaction; may be run again after a deadlock.
    InTransaction(fn(&Ctx, &mut Tx<'_>) -> Result<Draft, Refusal<Fault>>),
}
