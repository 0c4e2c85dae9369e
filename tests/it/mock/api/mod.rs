//! The mocked API: documents, who may, who asks, and things that are kept.

mod collections;
mod documents;
mod petstore;
mod ways;
mod who;

use serde_json::{Value, json};

use super::*;

/// The well-known pet store, written anew.
const PETSTORE: &str = include_str!("../../../fixtures/petstore.yaml");

/// A mock of the pet store, with more of `mock.toml` behind `[api]`.
fn petstore(more: &str) -> Mock {
    let config = format!("seed = 7\n[api]\ndocuments = [\"petstore.yaml\"]\n{more}");
    Mock::with(&config, &[("petstore.yaml", PETSTORE)], &[])
}

/// A token with the scopes of the pet store.
async fn keeper(mock: &Mock, persona: &str) -> String {
    mock.token(&json!({"sub": persona, "scope": "read:pets write:pets"})).await
}

async fn get_as(mock: &Mock, token: &str, path: &str) -> Answer {
    Answer::of(mock.request("GET", path).bearer_auth(token)).await
}
