//! What clients and browsers say, and what they were answered, written down.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::http::{Answer, Http, NoAnswer, form, request};
use crate::ledger::Ledger;
use crate::world::{App, REDIRECT_URI};

/// Longer than any answer may take.
const LIMIT: Duration = Duration::from_secs(35);

/// How an exchange ended for whoever asked.
#[derive(Clone, Debug)]
pub enum Said {
    /// 2xx or 3xx.
    Yes(Answer),
    /// 4xx, with the OAuth error if there is one.
    No(u16, String),
    /// 429 or 503: later. Whether it was done is not known of a 503.
    Later(u16),
    Nothing(NoAnswer),
}

/// A way to the server.
#[derive(Clone)]
pub struct Api {
    pub http: Arc<Http>,
    pub port: u16,
    /// The issuer's, for the `Host` header.
    pub issuer_port: u16,
    pub ledger: Arc<Ledger>,
}

impl Api {
    /// Sees to open connections for as many requests.
    pub async fn open(&self, count: usize) -> Result<(), NoAnswer> {
        self.http.open(self.port, count).await
    }

    /// Sends a request and writes down what kind of answer it got.
    pub async fn send(&self, what: &'static str, bytes: &[u8]) -> Said {
        let outcome = self.http.send(self.port, bytes, LIMIT).await;
        let answer = match outcome {
            Ok(answer) => answer,
            Err(no) => {
                self.ledger.book().lost += 1;
                return Said::Nothing(no);
            }
        };
        *self.ledger.book().answers.entry((what, answer.status)).or_default() += 1;
        match answer.status {
            200..=399 => Said::Yes(answer),
            429 | 503 => {
                let seconds = answer.header("retry-after").parse::<u64>();
                if !seconds.is_ok_and(|seconds| (1..=900).contains(&seconds)) {
                    self.ledger.complain(format!("{what}: {} without Retry-After: {}", answer.status, answer.head));
                }
                Said::Later(answer.status)
            }
            400..=499 => {
                let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
                Said::No(answer.status, error)
            }
            status => {
                self.ledger.complain(format!("{what}: answered {status}: {}", answer.text()));
                Said::No(status, answer.text())
            }
        }
    }

    fn bytes(&self, method: &str, path: &str, headers: &str, body: Option<&str>) -> Vec<u8> {
        request(method, path, self.issuer_port, headers, body)
    }

    /// A client's form with its credentials.
    pub fn client_form(&self, path: &str, app: &App, pairs: &[(&str, &str)]) -> Vec<u8> {
        let credentials = STANDARD.encode(format!("{}:{}", app.id, app.secret));
        self.bytes("POST", path, &format!("Authorization: Basic {credentials}\r\n"), Some(&form(pairs)))
    }

    /// The bytes that redeem a code.
    pub fn redeeming(&self, app: &App, code: &str, verifier: &str) -> Vec<u8> {
        let pairs = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
        self.client_form("/oauth2/token", app, &[&pairs[..], &[("code_verifier", verifier)]].concat())
    }

    /// The bytes that use a refresh token.
    pub fn refreshing(&self, app: &App, token: &str) -> Vec<u8> {
        self.client_form("/oauth2/token", app, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// The bytes with which a device asks whether somebody has decided.
    pub fn polling(&self, app: &App, device_code: &str) -> Vec<u8> {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        self.client_form("/oauth2/token", app, &[grant, ("device_code", device_code)])
    }

    /// The bytes that press a button of a page which asks for a decision.
    pub fn deciding(&self, action: &str, cookies: &str, body: &str, decision: &str) -> Vec<u8> {
        let headers = format!("Cookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\n");
        self.bytes("POST", action, &headers, Some(&format!("{body}&decision={decision}")))
    }

    pub async fn redeem(&self, app: &App, code: &str, verifier: &str) -> Said {
        self.send("redeem", &self.redeeming(app, code, verifier)).await
    }

    pub async fn refresh(&self, app: &App, token: &str) -> Said {
        self.send("refresh", &self.refreshing(app, token)).await
    }

    pub async fn client_credentials(&self, app: &App) -> Said {
        self.send(
            "client_credentials",
            &self.client_form("/oauth2/token", app, &[("grant_type", "client_credentials")]),
        )
        .await
    }

    pub async fn revoke(&self, app: &App, token: &str) -> Said {
        self.send("revoke", &self.client_form("/oauth2/revoke", app, &[("token", token)])).await
    }

    /// Whether a token counts; `Err` if the server did not say.
    pub async fn is_active(&self, app: &App, token: &str) -> Result<bool, Said> {
        match self.send("introspect", &self.client_form("/oauth2/introspect", app, &[("token", token)])).await {
            Said::Yes(answer) => match answer.json()["active"] {
                Value::Bool(active) => Ok(active),
                _ => Err(Said::No(200, answer.text())),
            },
            // A disabled client learns nothing of its tokens, which is as good as dead for it.
            Said::No(401, _) => Ok(false),
            other => Err(other),
        }
    }

    pub async fn get(&self, what: &'static str, path: &str, cookies: &str) -> Said {
        let headers = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        self.send(what, &self.bytes("GET", path, &headers, None)).await
    }

    /// A form of a page of the server.
    pub async fn page_form(&self, what: &'static str, path: &str, cookies: &str, body: &str) -> Said {
        let headers = format!("Cookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\n");
        self.send(what, &self.bytes("POST", path, &headers, Some(body))).await
    }
}
