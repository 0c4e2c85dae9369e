//! The library for APIs: against an issuer that does what a test wants, and its examples against a real Latchway.

mod example;
mod guard;
mod introspection;
mod issuer;
mod keys;
mod layer;
mod tokens;

use std::sync::Arc;

use latchway_resource_server::{Claims, Refusal, ResourceServer};

/// How a token is refused. Panics if it is not.
#[track_caller]
fn refusal(outcome: Result<Arc<Claims>, latchway_resource_server::Refused>, what: &str) -> Refusal {
    match outcome {
        Ok(claims) => panic!("let through: {what}: {claims:?}"),
        Err(refused) => refused.refusal,
    }
}

async fn assert_invalid(server: &ResourceServer, token: &str) {
    let refusal = refusal(server.verify(token).await, token);
    assert!(matches!(refusal, Refusal::InvalidToken(_)), "{refusal:?} for {token}");
}

async fn assert_unavailable(server: &ResourceServer, token: &str) {
    let refusal = refusal(server.verify(token).await, token);
    assert!(matches!(refusal, Refusal::Unavailable { .. }), "{refusal:?} for {token}");
}

/// Runs a test in a runtime of its own. These need no database.
fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

/// Makes a test of each async function named. Once a file, at its end.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        mod run {
            $(#[test] fn $name() { super::super::block_on(super::$name()) })+
        }
    };
}
use tests;
