//! Clock, randomness, identifiers and secrets, which the server and `latchway-resource-server` share. Nothing here knows OAuth.
//!
//! ```text
//! api_key             the text of an API key: form, id, secret and checksum
//! secret              bearer credentials that lead to their row, digests, comparison in constant time
//! id                  UUIDv7
//! clock  rng  hex     time and randomness as values; hexadecimal digits
//! ```

mod api_key;
mod clock;
mod hex;
mod id;
mod rng;
mod secret;

pub use api_key::{ApiKeyText, ApiKeyTextError};
pub use clock::{Clock, Moved, Pace, Seconds};
pub use hex::{hex, unhex};
pub use id::Id;
pub use rng::Rng;
pub use secret::{Digest, Handle, HandleError, constant_time_eq, random_token, sha256};
