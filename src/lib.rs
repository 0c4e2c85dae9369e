//! Latchway: an OAuth 2.0 authorization server and OpenID Provider in one binary.
//!
//! The rooms of the house, from the roof down. Dependencies point down this list only, never up and never in a circle;
//! rooms on one line do not know each other. `tests/it/layers.rs` holds us to it.
//!
//! ```text
//! cli  fuzzing                 one file a subcommand; targets for a fuzzer
//! http                         routes, server, middleware, errors as answers
//! jobs                         what happens by itself
//! mock                         developers' mode: what stands around all that is served
//! pages  oauth  api            what is served
//! issuing                      how tokens are issued, whichever endpoint was asked
//! oidc                         ID tokens for what oauth grants, and who a token speaks of
//! flow  bearer  api_key  request    what they share: a request under way, a presented credential, reading requests
//! app                          all that a handler needs
//! identity  keys  defense      what handlers are served with
//! audit                        what was decided, and how that is checked
//! fault                        why a request was not served
//! storage                      the only room that knows SQL
//! config  domain  resource_server   settings and entities, no IO; a library for APIs, which knows no more than:
//! protocol                     wire types; no IO
//! support                      clock, randomness, identifiers, secrets
//! ```
//!
//! `docs/architecture.md` walks one request through them.
//!
//! An API that is protected by Latchway needs none of that: with `default-features = false, features =
//! ["resource-server"]` this crate is [`resource_server`] and the two rooms that it stands on.

// A serving process has a log, and its standard output may be full, closed or not read: printing there can panic and block.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod api_key;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
mod bearer;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod defense;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod fault;
#[cfg(feature = "server")]
pub mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod issuing;
#[cfg(feature = "server")]
pub mod jobs;
#[cfg(feature = "server")]
pub mod keys;
#[cfg(feature = "server")]
pub mod mock;
#[cfg(feature = "server")]
pub mod oauth;
#[cfg(feature = "server")]
pub mod oidc;
#[cfg(feature = "server")]
pub mod pages;
pub mod protocol;
#[cfg(feature = "server")]
pub mod request;
#[cfg(feature = "resource-server")]
pub mod resource_server;
#[cfg(feature = "server")]
pub mod storage;
pub mod support;
