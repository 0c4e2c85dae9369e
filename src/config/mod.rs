//! Configuration. `sections/` declares every setting; from there come the structs, the checks and the documentation.
//!
//! The defaults are read first. Above them come, each overriding the last: the TOML file, the environment
//! (`LATCHWAY__SECTION__KEY`, and `LATCHWAY__SECTION__KEY_FILE` for a value that lives in a file), and flags.

mod error;
mod issuer;
mod keys;
mod load;
mod log_level;
mod lookup;
mod mode;
mod print;
mod rate;
mod redact;
mod retired;
mod schema;
mod sections;
mod settings;
mod shared;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod validate;

pub use error::{ConfigError, Origin, Problem};
pub use load::{Overrides, load};
pub use mode::Dev;
pub use print::{Format, print};
pub use rate::{Per, Rate, RouteLimit};
pub use schema::schema;
pub use sections::{
    Anomalies, ApiKeys, Audit, Cleanup, Config, Database, Device, Gatekeeper, Keys, Limits, Log, LogFormat, Passwords,
    Pooler, Reaction, Server, Sessions, Tokens,
};
pub use shared::shared;
pub use template::template;
