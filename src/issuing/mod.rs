//! How tokens are issued, whichever endpoint was asked: the verbs that grants share, the rotation of refresh tokens, and
//! the signature after the commit.

pub mod client;
mod outcome;
mod rotation;
mod sign;
mod steps;

pub use outcome::{NotIssued, Rejection};
pub use rotation::{foreign_token, refresh, revoke_family_of, revoke_family_with};
pub use sign::{Signed, sign, transact};
pub use steps::{
    Ctx, Draft, REFRESH_PREFIX, begin_family, check_alive, expose_refresh, record_failure, refuse_recorded,
    revoke_family, session_stands, store_refresh,
};
