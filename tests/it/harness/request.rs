//! Authorization requests, right until a test makes them wrong.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::form_urlencoded::Serializer;

use super::random;

/// RFC 7636: a verifier and its S256 challenge.
#[derive(Debug, Clone)]
pub struct Pkce {
    pub verifier: String,
    pub challenge: String,
}

impl Pkce {
    pub fn new() -> Self {
        Self::of(&random(32))
    }

    pub fn of(verifier: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
        Self { verifier: verifier.to_owned(), challenge: URL_SAFE_NO_PAD.encode(hash) }
    }
}

/// The parameters of one authorization request, in order.
#[derive(Debug, Clone)]
pub struct Request {
    pub issuer: String,
    pub pkce: Pkce,
    params: Vec<(String, String)>,
    /// Appended to the query as it is.
    raw: String,
}

impl Request {
    pub fn new(issuer: &str, client_id: &str, redirect_uri: &str, scope: &str) -> Self {
        let pkce = Pkce::new();
        let empty = Self { issuer: issuer.to_owned(), pkce: pkce.clone(), params: Vec::new(), raw: String::new() };
        empty
            .set("response_type", "code")
            .set("client_id", client_id)
            .set("redirect_uri", redirect_uri)
            .set("scope", scope)
            .set("state", &random(16))
            .set("nonce", &random(16))
            .set("code_challenge", &pkce.challenge)
            .set("code_challenge_method", "S256")
    }

    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).add(name, value)
    }

    /// Adds a parameter, even if it is there already.
    pub fn add(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(key, _)| key != name);
        self
    }

    /// Replaces a parameter by text that goes into the query as it is, without encoding.
    pub fn set_raw(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.raw.push_str(&format!("&{name}={value}"));
        self
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.params).finish() + &self.raw
    }

    pub fn url(&self) -> String {
        format!("{}/oauth2/authorize?{}", self.issuer, self.query())
    }
}
