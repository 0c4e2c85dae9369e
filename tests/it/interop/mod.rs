//! What real clients do that is within the standards: each is served as it comes, as far as no security is lost.
//! Named after the findings of the reviews (`b031_…`, `f03_…`).

mod authorize;
mod client_auth;
mod http;
mod parameters;
mod policies;
mod presets;
mod refresh;
mod registration;

use crate::harness::*;
use crate::security::{Family, assert_active, assert_inactive};
