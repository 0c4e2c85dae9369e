//! What the rules observe: one event of the trail, reduced to what a rule asks.

use std::net::IpAddr;

use crate::support::Seconds;

/// What happened, as far as a rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    LoginSucceeded,
    /// A wrong password, evaluated or turned away.
    LoginFailed,
    /// A client or something in its name was served.
    ClientServed,
    /// A client authentication failed. The number tells different secrets apart, where there was one.
    ClientAuthFailed {
        secret: Option<u8>,
    },
    /// Another refusal of a client's request.
    ClientRefused,
    /// A token of a family was used from where the observation says.
    FamilyUsed,
    /// An API key was used from another network than the time before, when it had been in use for so many seconds.
    KeyMoved {
        known_for: Seconds,
    },
    /// A code or refresh token was used again; its family was ended.
    Reused,
    ClientCreated,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Observation {
    pub at: Seconds,
    pub what: What,
    pub address: Option<IpAddr>,
    /// Whose password it was: an account, or a name that none has.
    pub account: Option<String>,
    pub client: Option<String>,
    /// A family of tokens, or an API key's id.
    pub family: Option<String>,
}

impl Observation {
    /// Something that nobody is known to have done.
    pub fn new(at: Seconds, what: What) -> Self {
        Self { at, what, address: None, account: None, client: None, family: None }
    }
}
