//! Latchway: an OAuth 2.0 authorization server and OpenID Provider in one binary.
//!
//! The layers, from top to bottom. Imports point down this list only, never up and never in a circle; modules on one line do not
//! import each other. `tests/it/layers.rs` checks it.
//!
//! ```text
//! cli  fuzzing                 one file a subcommand; targets for a fuzzer
//! http                         routes, server, middleware, errors as answers
//! jobs                         what happens by itself: cleaning, keys, checkpoints, anomalies
//! mock                         mock mode: a layer around everything that is served
//! pages  oauth  api            what is served
//! issuing                      how tokens are issued, whichever endpoint was asked
//! oidc                         ID tokens for what oauth grants, and who a token speaks of
//! flow  bearer  api_key  request    what they share: a request under way, a presented credential, reading requests
//! app                          all that a handler needs
//! identity  keys  defense      what handlers are served with
//! audit                        what was decided, and how that is checked
//! fault  route                 why a request was not served; a row of a route table
//! storage                      the only module that knows SQL
//! config  domain               settings and entities; no IO
//! protocol                     wire types, no IO: the crate `latchway-oauth-types`
//! support                      clock, randomness, identifiers, secrets
//! ```
//!
//! `docs/architecture.md` walks one request through them.
//!
//! An API that is protected by Latchway needs none of that: its library is the crate `latchway-resource-server`.

// A serving process has a log, and its standard output may be full, closed or not read: printing there can panic and block.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod api;
mod api_key;
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
#[cfg(feature = "mock")]
pub mod mock;
pub mod oauth;
pub mod oidc;
pub mod pages;
pub mod request;
pub mod route;
pub mod storage;
pub mod support;

pub use latchway_oauth_types as protocol;
