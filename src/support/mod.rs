//! The ground floor: time, randomness, identifiers and secrets. Nothing here knows OAuth.

mod clock;
mod id;
mod network;
mod rng;
mod secret;
pub mod text;

pub use clock::{Clock, Pace, Seconds};
pub use id::Id;
pub use network::{host, is_exempt, neighbourhood, network};
pub use rng::Rng;
pub use secret::{Digest, Handle, HandleError, constant_time_eq, random_token, sha256};
