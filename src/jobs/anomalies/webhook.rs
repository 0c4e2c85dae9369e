//! Sends findings to the configured URL, signed, with bounded retries.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::App;
use crate::config::Reaction;
use crate::defense::anomaly::Finding;
use crate::support::sha256;

use super::record;

/// Findings that may wait to be sent; of more the operator learns from the trail.
const QUEUE: usize = 100;
/// Pauses before each further try.
const PAUSES: [u64; 5] = [1, 4, 15, 60, 240];

/// Findings on their way to the operator's own system.
///
/// They go to the one configured URL: no redirect leads elsewhere, no proxy stands between, and nothing of a finding
/// becomes a part of it.
#[derive(Clone)]
pub(super) struct Webhook {
    queue: Sender<Delivery>,
}

struct Delivery {
    id: String,
    body: String,
}

struct Poster {
    client: reqwest::Client,
    url: SecretString,
    key: hmac::Key,
    app: App,
}

/// Why a delivery did not succeed.
enum Failure {
    /// It may another time.
    Passing(String),
    Final(String),
}

impl Webhook {
    /// Starts what sends, if there is where to.
    pub fn start(app: &App) -> Option<Self> {
        let settings = &app.config.anomalies;
        if settings.webhook_url.expose_secret().is_empty() {
            return None;
        }
        let client = match client(Duration::from_secs(settings.webhook_timeout_seconds)) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(error, "findings cannot be posted");
                return None;
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, settings.webhook_secret.expose_secret().as_bytes());
        let poster = Poster { client, url: settings.webhook_url.clone(), key, app: app.clone() };
        let (queue, deliveries) = channel(QUEUE);
        actix_web::rt::spawn(poster.work(deliveries));
        Some(Self { queue })
    }

    /// Takes a finding to be sent, if there is room for it.
    pub fn send(&self, app: &App, finding: &Finding, reactions: &[Reaction]) {
        let (id, message) = message(app.issuer(), finding, reactions);
        if self.queue.try_send(Delivery { id, body: message.to_string() }).is_err() {
            count("dropped");
            tracing::error!(rule = finding.rule.as_str(), "too many findings wait to be posted: one is dropped");
        }
    }
}

fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .connect_timeout(timeout)
        .user_agent(concat!("latchway/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| e.to_string())
}

/// A finding as it is posted. The same finding, told by two nodes, has the same id.
fn message(issuer: &str, finding: &Finding, reactions: &[Reaction]) -> (String, Value) {
    let name = format!("{issuer} {} {} {}", finding.rule, finding.subject, finding.at);
    let id = hex(&sha256(name.as_bytes())[..16]);
    let mut message = record::detail(finding);
    if let Some(members) = message.as_object_mut() {
        members.extend([
            ("id".to_owned(), json!(id)),
            ("type".to_owned(), json!("anomaly")),
            ("issuer".to_owned(), json!(issuer)),
            ("rule".to_owned(), json!(finding.rule.as_str())),
            ("at".to_owned(), json!(finding.at)),
            ("client_id".to_owned(), json!(finding.client)),
            ("reactions".to_owned(), json!(reactions)),
        ]);
    }
    (id, message)
}

/// `t=…,v1=…`: the HMAC-SHA256 of the time, a dot and the body, so that neither can be changed or sent again later.
fn signature(key: &hmac::Key, at: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{at}.{body}").as_bytes());
    format!("t={at},v1={}", hex(tag.as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn count(outcome: &'static str) {
    metrics::counter!("latchway_webhook_deliveries_total", "outcome" => outcome).increment(1);
}

impl Poster {
    async fn work(self, mut deliveries: Receiver<Delivery>) {
        while let Some(delivery) = deliveries.recv().await {
            self.deliver(&delivery).await;
        }
    }

    async fn deliver(&self, delivery: &Delivery) {
        let mut pauses = PAUSES.iter();
        loop {
            match self.post(delivery).await {
                Ok(()) => return count("delivered"),
                Err(Failure::Passing(why)) => match pauses.next() {
                    Some(pause) => {
                        tracing::warn!(why, "a finding could not be posted; it will be tried again");
                        tokio::time::sleep(Duration::from_secs(*pause)).await;
                    }
                    None => {
                        tracing::error!(why, "a finding could not be posted");
                        return count("failed");
                    }
                },
                Err(Failure::Final(why)) => {
                    tracing::error!(why, "a finding was not taken");
                    return count("failed");
                }
            }
        }
    }

    async fn post(&self, delivery: &Delivery) -> Result<(), Failure> {
        let signature = signature(&self.key, self.app.now(), &delivery.body);
        let request = self
            .client
            .post(self.url.expose_secret())
            .header("Content-Type", "application/json")
            .header("Latchway-Delivery", &delivery.id)
            .header("Latchway-Signature", signature)
            .body(delivery.body.clone());
        // The URL may hold a secret of its own, and stays out of the log.
        let answer = request.send().await.map_err(|e| Failure::Passing(e.without_url().to_string()))?;
        let status = answer.status();
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(Failure::Passing(format!("status {status}"))),
            _ => Err(Failure::Final(format!("status {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_binds_time_and_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
        let signed = signature(&key, 1_700_000_000, "{}");
        assert!(signed.starts_with("t=1700000000,v1=") && signed.len() == 16 + 64, "{signed}");
        assert_ne!(signed[16..], signature(&key, 1_700_000_001, "{}")[16..]);
        assert_ne!(signed, signature(&key, 1_700_000_000, "{ }"));
    }
}
