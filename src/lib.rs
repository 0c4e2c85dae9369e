//! Latchway: an OAuth 2.0 authorization server and OpenID Provider in one binary.
//!
//! The rooms of the house, from the roof down. Dependencies point down this list only, never up and never in a circle;
//! rooms on one line do not know each other. `tests/it/layers.rs` holds us to it.
//!
//! ```text
//! cli  fuzzing                 one file a subcommand; targets for a fuzzer
//! http                         routes, server, middleware, errors as answers
//! jobs                         what happens by itself
//! pages  oauth  api            what is served
//! issuing                      how tokens are issued, whichever endpoint was asked
//! oidc                         ID tokens for what oauth grants, and who a token speaks of
//! flow  bearer  request        what they share: a request under way, a presented token, reading requests
//! app                          all that a handler needs
//! identity  keys  defense  audit
//! fault                        why a request was not served
//! storage                      the only room that knows SQL
//! config  protocol  domain     settings, wire types, entities; no IO
//! support                      clock, randomness, identifiers, secrets
//! ```
//!
//! `docs/architecture.md` walks one request through them.

pub mod api;
pub mod app;
pub mod audit;
mod bearer;
pub mod cli;
pub mod config;
pub mod defense;
pub mod domain;
pub mod fault;
pub mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http;
pub mod identity;
pub mod issuing;
pub mod jobs;
pub mod keys;
pub mod oauth;
pub mod oidc;
pub mod pages;
pub mod protocol;
pub mod request;
pub mod storage;
pub mod support;
