//! Asking the issuer itself (RFC 7662), and remembering its answer for a moment.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moka::Expiry;
use moka::future::Cache;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use url::{Url, form_urlencoded};

use crate::claims::{Claims, Expected, Presented};
use crate::discovery::Endpoints;
use crate::fetch::{FetchError, Fetcher};
use crate::json::Object;
use crate::refusal::Refusal;
use crate::remote::Remote;
use latchway_core::{Clock, Digest, sha256};

/// How an API asks the issuer: as which client, and how long it remembers an answer.
#[derive(Debug, Clone)]
pub struct Introspection {
    pub(crate) client_id: String,
    pub(crate) secret: SecretString,
    pub(crate) endpoint: Option<String>,
    cache_for: Duration,
    cache_entries: u64,
}

impl Introspection {
    /// As a confidential client of the issuer, by `client_secret_basic`. It must be registered with the audience of the API
    /// (`latchway client create --audience …`): an issuer tells nobody else about a token.
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            secret: SecretString::from(secret.into()),
            endpoint: None,
            cache_for: Duration::from_secs(5),
            cache_entries: 10_000,
        }
    }

    /// How long an answer is believed; 5 seconds by default. So long a revoked token still works here. With zero every
    /// request asks, and a revocation holds from the moment at which the issuer confirms it. An answer that says no is
    /// remembered for a second at most.
    #[must_use]
    pub fn cache_for(self, cache_for: Duration) -> Self {
        Self { cache_for, ..self }
    }

    /// How many answers are remembered; 10,000 by default, of about a kilobyte each.
    #[must_use]
    pub fn cache_entries(self, cache_entries: u64) -> Self {
        Self { cache_entries, ..self }
    }

    /// The introspection endpoint, where the issuer's metadata do not name it.
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }
}

/// More questions at once are not asked: whoever sends many bad credentials cannot make this API besiege its issuer.
const MAX_QUESTIONS: usize = 100;
const NEGATIVE: Duration = Duration::from_secs(1);
/// Where the issuer does not say when to try again.
const RETRY_SECONDS: u32 = 5;

/// What the issuer says of a credential; `None` if it does not count.
type Answer = Option<Arc<Claims>>;

pub(crate) struct Introspector {
    fetcher: Fetcher,
    endpoint: Endpoint,
    authorization: HeaderValue,
    /// By a hash of the credential, so that nothing that can be used lies in memory for longer than its request.
    cache: Option<Cache<Digest, Answer>>,
    questions: Semaphore,
    expected: Arc<Expected>,
    clock: Clock,
}

pub(crate) enum Endpoint {
    Discovered(Remote<Endpoints>),
    At(Url),
}

/// A credential, and where the program is that presents it.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub text: &'a str,
    pub presented: Presented,
    pub address: Option<IpAddr>,
}

impl Introspector {
    pub fn new(
        settings: &Introspection,
        endpoint: Endpoint,
        fetcher: Fetcher,
        expected: Arc<Expected>,
        clock: Clock,
    ) -> Option<Self> {
        let keep = Keep { active: settings.cache_for, inactive: settings.cache_for.min(NEGATIVE) };
        let cache = (!settings.cache_for.is_zero())
            .then(|| Cache::builder().max_capacity(settings.cache_entries).expire_after(keep).build());
        let authorization = basic(&settings.client_id, settings.secret.expose_secret())?;
        let questions = Semaphore::new(MAX_QUESTIONS);
        Some(Self { fetcher, endpoint, authorization, cache, questions, expected, clock })
    }

    /// What the issuer says now, or said a moment ago. Many requests with one credential are one question.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer, Refusal> {
        let Some(cache) = &self.cache else { return self.question(question).await };
        let answer = cache.try_get_with(question.digest(), self.question(question)).await;
        let answer = answer.map_err(|refusal| Refusal::clone(&refusal))?;
        Ok(answer.filter(|claims| claims.is_live(&self.expected, self.clock.now())))
    }

    async fn question(&self, question: Question<'_>) -> Result<Answer, Refusal> {
        let Ok(_permit) = self.questions.try_acquire() else {
            tracing::warn!("too many questions to the issuer at once");
            return Err(Refusal::Unavailable { retry_after: 1 });
        };
        let url = match &self.endpoint {
            Endpoint::At(url) => url.clone(),
            Endpoint::Discovered(endpoints) => {
                let endpoints = endpoints.get().await?;
                endpoints.value.introspection.clone().ok_or_else(|| {
                    tracing::error!("the issuer's metadata name no introspection_endpoint");
                    Refusal::Unavailable { retry_after: RETRY_SECONDS }
                })?
            }
        };
        match self.fetcher.post(&url, &self.authorization, question.form()).await {
            Ok(fetched) => self.read(&fetched.body, question.presented),
            Err(error) => Err(refuse(&error, question.presented)),
        }
    }

    fn read(&self, json: &[u8], presented: Presented) -> Result<Answer, Refusal> {
        let unreadable = |_| {
            tracing::warn!("the issuer's answer about a credential makes no sense");
            Refusal::Unavailable { retry_after: RETRY_SECONDS }
        };
        let answer = Object::parse(json).map_err(unreadable)?;
        if !answer.required::<bool>("active").map_err(unreadable)? {
            return Ok(None);
        }
        match Claims::of_answer(&answer, presented, &self.expected, self.clock.now()) {
            Ok(claims) => Ok(Some(Arc::new(claims))),
            Err(invalid) => {
                tracing::debug!(reason = invalid.0, "the issuer calls a credential active that does not count here");
                Ok(None)
            }
        }
    }
}

/// The issuer does not answer, or refuses this API itself: nobody is let in.
fn refuse(error: &FetchError, presented: Presented) -> Refusal {
    match error {
        FetchError::Status { status: 429, retry_after } if presented == Presented::ApiKey => {
            return Refusal::TooOften { retry_after: retry_after.unwrap_or(RETRY_SECONDS) };
        }
        FetchError::Status { status: 400 | 401 | 403, .. } => {
            tracing::error!(%error, "the issuer refuses the client by which this API asks about credentials");
        }
        _ => tracing::warn!(%error, "the issuer could not be asked about a credential"),
    }
    let retry_after = match error {
        FetchError::Status { retry_after, .. } => *retry_after,
        _ => None,
    };
    Refusal::Unavailable { retry_after: retry_after.unwrap_or(RETRY_SECONDS) }
}

impl Question<'_> {
    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", self.text);
        if let Some(address) = self.address {
            form.append_pair("address", &address.to_string());
        }
        form.finish()
    }

    fn digest(&self) -> Digest {
        sha256(format!("{:?}\n{:?}\n{}", self.presented, self.address, self.text).as_bytes())
    }
}

struct Keep {
    active: Duration,
    inactive: Duration,
}

impl Expiry<Digest, Answer> for Keep {
    fn expire_after_create(&self, _: &Digest, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(if answer.is_some() { self.active } else { self.inactive })
    }
}

/// RFC 6749 §2.3.1: both parts are form-urlencoded first.
fn basic(client_id: &str, secret: &str) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret)));
    let mut header = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}
