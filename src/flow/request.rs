//! A validated authorization request, as it waits.

use serde::{Deserialize, Serialize};

use crate::domain::{Scopes, words};
use crate::support::Id;

/// A validated authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1), as it waits on the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client_id: String,
    pub target: Target,
    /// Whether the client named the redirect URI or left it to its only one.
    pub redirect_uri_sent: bool,
    pub scope: String,
    /// The APIs that it is for, named by it or by its client's registration at that time.
    pub resources: Vec<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    pub prompt: Vec<String>,
    pub max_age: Option<i64>,
    pub login_hint: Option<String>,
    /// The person that an `id_token_hint` named.
    pub hinted_user: Option<Id>,
}

/// Where and how the answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The client's registered name, for the page that posts the answer.
    pub client_name: String,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub mode: ResponseMode,
}

/// OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    #[default]
    Query,
    FormPost,
}

impl ResponseMode {
    pub const ALL: &'static [&'static str] = &["query", "form_post"];

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "query" => Some(Self::Query),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }
}

words! {
    /// OIDC Core §3.1.2.1
    Prompt { None = "none", Login = "login", Consent = "consent", SelectAccount = "select_account" }
}

impl AuthorizationRequest {
    pub fn has_prompt(&self, prompt: Prompt) -> bool {
        self.prompt.iter().any(|p| p == prompt.as_str())
    }

    pub fn scopes(&self) -> Scopes {
        self.scope.split(' ').filter(|s| !s.is_empty()).collect()
    }

    /// What consent is remembered for: every API by itself, or no API at all.
    pub fn consent_resources(&self) -> Vec<String> {
        if self.resources.is_empty() { vec![String::new()] } else { self.resources.clone() }
    }
}
