//! Latchway: an OAuth 2.0 authorization server and OpenID Provider.

pub mod config;
pub mod domain;
pub mod storage;
pub mod support;
