//! Mock mode: the real authorization server with people that are made up, and an API behind it.
//!
//! The server knows nothing of it. One layer stands around the handlers and pages of production; it picks the run that a
//! request belongs to, and gives handlers that run's [`crate::app::App`], on a database in memory.
//!
//! ```text
//! settings             mock.toml
//! house  issuer        the mock server, its runs, and the issuers in them
//! layer                what every request goes through
//! place  seen          whose a path is, and what came in
//! guests  persona      clients that are registered on first use, people logged in by a click
//! backend              the way to the mocked API, which is the crate `latchway-mock-api`
//! token                any token by one call
//! cors  rewrite        pages of this machine; issuers below a path
//! answer  world_error  what the mock says itself
//! trouble              rules and journal, around whoever serves
//! rules                trouble on demand
//! journal              what was asked, and what came of it
//! state  snapshot      reset and snapshots
//! control  routes      what drives all that: `/mock/…`
//! strict  glob  defaults   reading what developers write
//! ```

mod about;
mod answer;
mod backend;
pub mod control;
mod cors;
mod defaults;
mod glob;
mod guests;
mod house;
mod issuer;
pub mod journal;
pub mod layer;
mod own_claims;
pub mod persona;
mod place;
mod rewrite;
mod rotation;
mod routes;
pub mod rules;
mod seen;
mod settings;
mod snapshot;
mod state;
mod strict;
pub mod token;
mod trouble;
mod world_error;

pub use about::{about, description};
pub use house::{House, World};
pub use issuer::{Issuer, MakeError, Origin};
pub use place::{Place, is_prefix};
pub use routes::ROUTES;
pub use seen::Seen;
pub use settings::{Settings, SettingsError};
pub use trouble::Line;
