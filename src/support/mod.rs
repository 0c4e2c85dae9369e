//! The lowest layer: time, randomness, identifiers and secrets. Nothing here knows OAuth. What `latchway-resource-server` needs
//! as well is the crate `latchway-core`.

mod at_once;
pub mod duration;
pub mod gzip;
pub mod log_sink;
mod network;
#[cfg(test)]
pub mod reference;
pub mod text;

pub use at_once::{AtOnce, Share};
pub use latchway_core::{
    ApiKeyText, ApiKeyTextError, Clock, Digest, Handle, HandleError, Id, Moved, Pace, Rng, Seconds, constant_time_eq,
    hex, random_token, sha256, unhex,
};
pub use network::{InvalidNetwork, Network, host, is_exempt, may_be_proxy, neighbourhood, network};
