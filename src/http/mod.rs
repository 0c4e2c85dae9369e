//! Sockets, routes, and what every answer has in common.

mod connections;
mod error;
#[cfg(test)]
mod error_reference;
mod health;
mod metrics;
mod middleware;
#[cfg(feature = "mock")]
pub mod mock;
mod rate_limit_fields;
mod request_log;
mod respond;
pub mod routes;
pub mod server;
