//! Trouble on demand: which requests are to go wrong, how, and how often.
//!
//! ```text
//! settings.rs   rules and profiles as they are written, in mock.toml and in JSON
//! wanted.rs     whether a request is meant
//! then.rs       what happens instead
//! answer.rs     the answers of that, as the real endpoints would give them
//! chance.rs     probabilities and latencies, by seed
//! profiles.rs   the rules that come with Latchway
//! effect.rs     bodies that come slowly, or break off
//! ```
//!
//! The rules set by hand come first, then those of the active profile. The first that says what happens decides; a rule
//! with nothing but a delay or a slow body adds it and lets the search go on.

mod answer;
mod chance;
mod effect;
mod engine;
mod error;
mod profiles;
#[cfg(test)]
pub(super) mod sample;
pub mod settings;
mod then;
mod wanted;

pub use effect::{Broken, Paced};
pub use engine::{Listed, Rules, State, Taken};
pub use error::RuleError;
pub use profiles::BUILT_IN;
pub use then::{Effect, Then};
