//! The ground floor: time, randomness, identifiers and secrets. Nothing here knows OAuth.

#[cfg(any(feature = "server", feature = "resource-server"))]
mod api_key;
#[cfg(feature = "server")]
mod at_once;
mod clock;
pub mod duration;
#[cfg(feature = "server")]
pub mod gzip;
mod hex;
mod id;
#[cfg(feature = "server")]
pub mod log_sink;
#[cfg(feature = "server")]
mod network;
mod rng;
mod secret;
pub mod text;

#[cfg(any(feature = "server", feature = "resource-server"))]
pub use api_key::{ApiKeyText, ApiKeyTextError};
#[cfg(feature = "server")]
pub use at_once::{AtOnce, Share};
pub use clock::{Clock, Moved, Pace, Seconds};
pub use hex::{hex, unhex};
pub use id::Id;
#[cfg(feature = "server")]
pub use network::{InvalidNetwork, Network, host, is_exempt, neighbourhood, network};
pub use rng::Rng;
pub use secret::{Digest, Handle, HandleError, constant_time_eq, random_token, sha256};
