//! What a request's credentials say, and whether they count.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use latchway_core::Clock;

use crate::claims::{Claims, Expected, Presented};
use crate::confirmation::Confirmation;
use crate::credential::Places;
use crate::introspect::{Introspector, Question};
use crate::keys::Keys;
use crate::metadata::MetadataDocument;
use crate::refusal::{Challenge, Refusal, Refused};
use crate::request::RequestHead;
use crate::require::Requirement;
use crate::token::{Invalid, Token};

/// An API, as its callers' credentials know it. Made once by [`ResourceServer::builder`] and cloned to wherever it is needed:
/// all clones share keys and answers.
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

/// Where a request says that its program is.
pub(crate) type CallerAddress = fn(&RequestHead<'_>) -> Option<IpAddr>;

pub(crate) struct Inner {
    pub expected: Arc<Expected>,
    pub places: Places,
    pub keys: Keys,
    /// For tokens, where the issuer is asked about each.
    pub tokens: Option<Introspector>,
    pub api_keys: Option<Introspector>,
    pub caller_address: CallerAddress,
    pub challenge: Arc<Challenge>,
    pub metadata: Option<Arc<MetadataDocument>>,
    pub clock: Clock,
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { issuer, audience, .. } = &*self.inner.expected;
        f.debug_struct("ResourceServer").field("issuer", issuer).field("audience", audience).finish_non_exhaustive()
    }
}

impl ResourceServer {
    pub(crate) fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// What clients need to know of this API (RFC 9728), if [`Builder::metadata`](crate::Builder::metadata) said so. The features
    /// `actix` and `tower` serve it.
    pub fn metadata(&self) -> Option<&Arc<MetadataDocument>> {
        self.inner.metadata.as_ref()
    }

    /// Fetches the issuer's keys unless they are there: for a start that should fail early, and for a readiness check.
    pub async fn ready(&self) -> Result<(), Refused> {
        self.inner.keys.ready().await.map_err(|error| self.refused(error.into()))
    }

    /// Who makes this request. `None` if it carries no credentials at all; whatever it carries that does not count is an
    /// error.
    pub async fn authenticate<'a>(&self, request: impl Into<RequestHead<'a>>) -> Result<Option<Arc<Claims>>, Refused> {
        let head = request.into();
        let credential = self.inner.places.read(&head).map_err(|refusal| self.refused(refusal))?;
        let Some(credential) = credential else { return Ok(None) };
        let address = match credential.presented {
            Presented::ApiKey => (self.inner.caller_address)(&head),
            Presented::Bearer | Presented::Cookie => None,
        };
        let question = Question { text: &credential.text, presented: credential.presented, address };
        self.judge(question, Binding::None).await.map(Some).map_err(|refusal| self.refused(refusal))
    }

    /// What an access token says, if it counts: for what is no HTTP request.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Refused> {
        let question = Question { text: token, presented: Presented::Bearer, address: None };
        self.judge(question, Binding::None).await.map_err(|refusal| self.refused(refusal))
    }

    /// What an access token says that is bound to a key, and to which: for an API that itself has the proof of that key
    /// checked, by DPoP or by mutual TLS. **Whoever calls this must compare that proof with the [`Confirmation`].** A token
    /// that is not bound is refused.
    pub async fn verify_bound(&self, token: &str) -> Result<(Arc<Claims>, Confirmation), Refused> {
        const UNBOUND: Invalid = Invalid("the access token is bound to no key");
        let question = Question { text: token, presented: Presented::Bearer, address: None };
        let claims = self.judge(question, Binding::Key).await.map_err(|refusal| self.refused(refusal))?;
        let confirmation = claims.confirmation.ok_or_else(|| self.refused(UNBOUND.into()))?;
        Ok((claims, confirmation))
    }

    /// What an API key says, if it counts: for one that came where [`ResourceServer::authenticate`] does not look.
    pub async fn verify_api_key(&self, key: &str, address: Option<IpAddr>) -> Result<Arc<Claims>, Refused> {
        let question = Question { text: key, presented: Presented::ApiKey, address };
        self.judge(question, Binding::None).await.map_err(|refusal| self.refused(refusal))
    }

    /// Whether the requirement is met now.
    pub fn check(&self, requirement: &Requirement, claims: &Claims) -> Result<(), Refused> {
        requirement.check(claims, self.inner.clock.now()).map_err(|refusal| self.refused(refusal))
    }

    /// A refusal for a reason that the API itself has found, as this server words and sends its own.
    pub fn refused(&self, refusal: Refusal) -> Refused {
        Refused::new(refusal, &self.inner.challenge)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    async fn judge(&self, question: Question<'_>, binding: Binding) -> Result<Arc<Claims>, Refusal> {
        const DEAD: Invalid = Invalid("the access token has expired or was revoked");
        if question.presented == Presented::ApiKey {
            let Some(introspector) = &self.inner.api_keys else {
                return Err(Invalid("API keys are not accepted").into());
            };
            let claims =
                introspector.ask(question).await?.ok_or(Invalid("the API key is unknown, expired or revoked"))?;
            binding.check(&claims)?;
            return Ok(claims);
        }
        // Before the issuer is asked about a token it must be one of its: a stranger cannot make this API ask.
        let claims = self.judge_jwt(question).await?;
        binding.check(&claims)?;
        let Some(introspector) = &self.inner.tokens else { return Ok(Arc::new(claims)) };
        let live = introspector.ask(question).await?.ok_or(DEAD)?;
        let same =
            (&live.sub, &live.client_id, live.confirmation) == (&claims.sub, &claims.client_id, claims.confirmation);
        if !same || live.jti.is_some() && live.jti != claims.jti {
            tracing::error!("the issuer says of a token something else than the token itself");
            return Err(DEAD.into());
        }
        Ok(live)
    }

    async fn judge_jwt(&self, question: Question<'_>) -> Result<Claims, Refusal> {
        const UNKNOWN: Invalid = Invalid("the access token was signed by a key that is not the issuer's");
        let token = Token::read(question.text)?;
        let key = self.inner.keys.find(&token.kid).await?.ok_or(UNKNOWN)?;
        let json = token.verify(&key)?;
        Ok(Claims::of_jwt(&json, question.presented, &self.inner.expected, self.inner.clock.now())?)
    }
}

/// Whether a token may be bound to a key.
#[derive(Clone, Copy)]
enum Binding {
    None,
    Key,
}

impl Binding {
    /// RFC 9449 §7.1, RFC 8705 §3: a bound token counts only together with a proof of its key, so that a stolen one is of no use.
    fn check(self, claims: &Claims) -> Result<(), Invalid> {
        match (self, claims.confirmation) {
            (Self::None, Some(_)) => Err(Invalid("the access token is bound to a key and cannot be used as Bearer")),
            (Self::Key, None) => Err(Invalid("the access token is bound to no key")),
            _ => Ok(()),
        }
    }
}
