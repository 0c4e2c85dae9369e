//! Mock mode, driven as front-end developers and their tests do.

mod api;
mod clock;
mod journal;
mod login;
mod names;
mod pages;
mod recipes;
mod rules;
mod start;
mod token;
mod worlds;

use crate::harness::*;

/// A client for tokens of its own.
const CI: &str = "[[clients]]\nid = \"ci\"\nsecret = \"secret\"\n";

/// An access token of that client.
async fn ci_token(mock: &Mock) -> String {
    let request = mock.request("POST", "/oauth2/token").basic_auth("ci", Some("secret"));
    Answer::of(request.form(&[("grant_type", "client_credentials")])).await.text("access_token")
}

/// Whether a token counts (RFC 7662).
async fn is_active(mock: &Mock, token: &str) -> bool {
    let request = mock.request("POST", "/oauth2/introspect").basic_auth("ci", Some("secret"));
    Answer::of(request.form(&[("token", token)])).await.json()["active"] == true
}

/// RFC 7009
async fn revoke(mock: &Mock, token: &str) {
    let request = mock.request("POST", "/oauth2/revoke").basic_auth("ci", Some("secret"));
    assert_eq!(Answer::of(request.form(&[("token", token)])).await.status, 200);
}
