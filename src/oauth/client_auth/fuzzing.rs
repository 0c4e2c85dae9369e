//! Targets for `crate::fuzzing` in rooms that are closed otherwise.

use actix_web::http::header::HeaderMap;

use super::assertion;
use super::credentials::Credentials;
use crate::domain::{AuthMethod, Client, GrantType};
use crate::protocol::Params;

/// Reads what a client presents.
pub fn credentials(headers: &HeaderMap, params: &Params) {
    if let Ok(credentials) = Credentials::read(headers, params) {
        assert!(!credentials.client_id.is_empty(), "nobody was read");
    }
}

/// A public key of which nobody has the private part.
const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}]}"#;

const EXPECTED: assertion::Expected<'static> = assertion::Expected {
    issuer: "https://id.example",
    token_endpoint: "https://id.example/oauth2/token",
    now: 1_800_000_000,
    skew: 60,
};

fn client(jwks: &str) -> Client {
    let mut client = Client::new("fuzz".to_owned(), "fuzz".to_owned(), AuthMethod::PrivateKeyJwt, 0);
    client.grant_types = vec![GrantType::ClientCredentials];
    client.jwks = Some(jwks.to_owned());
    client
}

/// An assertion: nobody without the client's key can make one.
pub fn assertion(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let _ = (assertion::claimed_subject(token), assertion::single_use(token));
    assert!(assertion::check(&client(JWKS), token, &EXPECTED).is_err(), "a forgery");
}

/// A client's key set, at registration and at use.
pub fn jwks(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let client = client(text);
    if client.validate().is_ok() {
        // A token whose signature is nonsense, whatever the keys are.
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJmdXp6Iiwic3ViIjoiZnV6eiIsImF1ZCI6Imh0dHBzOi8vaWQuZXhhbXBsZSIsImV4cCI6MTgwMDAwMDAzMCwianRpIjoiYSJ9.AAAA";
        assert!(assertion::check(&client, token, &EXPECTED).is_err(), "a forgery");
    }
}
