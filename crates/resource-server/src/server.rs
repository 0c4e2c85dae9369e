//! What a request's credentials say, and whether they count.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, web};

use crate::builder::Builder;
use crate::claims::{Claims, Expected, Presented};
use crate::credential::Places;
use crate::guard::Guard;
use crate::introspect::{Introspector, Question};
use crate::keys::Keys;
use crate::metadata::Published;
use crate::refusal::{Challenge, Refusal, Refused};
use crate::require::{Requirement, all_of};
use crate::token::{Invalid, Token};
use latchway_core::Clock;

/// An API, as its callers' credentials know it. Made once by [`ResourceServer::builder`] and cloned to wherever it is needed:
/// all clones share keys and answers.
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

/// Where a request says that its program is.
pub(crate) type CallerAddress = fn(&HttpRequest) -> Option<IpAddr>;

pub(crate) struct Inner {
    pub expected: Arc<Expected>,
    pub places: Places,
    pub keys: Keys,
    /// For tokens, where the issuer is asked about each.
    pub tokens: Option<Introspector>,
    pub api_keys: Option<Introspector>,
    pub caller_address: CallerAddress,
    pub challenge: Arc<Challenge>,
    pub metadata: Option<Arc<Published>>,
    pub clock: Clock,
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { issuer, audience, .. } = &*self.inner.expected;
        f.debug_struct("ResourceServer").field("issuer", issuer).field("audience", audience).finish_non_exhaustive()
    }
}

impl ResourceServer {
    /// An API that trusts `issuer`, whose tokens name it by `audience`. Both are compared character by character with
    /// `iss` and `aud`. The audience is best the URL of the API (RFC 9728 §1.2), and needs to be for
    /// [`Builder::metadata`].
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder::new(issuer.into(), audience.into())
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// What an app has to be configured with: extractors find the server then, and the RFC 9728 metadata are served if
    /// there are any.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let server = self.clone();
        move |config| {
            if let Some(published) = &server.inner.metadata {
                let (path, published) = (published.path.clone(), web::Data::from(Arc::clone(published)));
                config.service(web::resource(path).app_data(published).route(web::get().to(Published::get)));
            }
            config.app_data(server);
        }
    }

    /// A middleware that lets whoever meets the requirement through, with [`Claims`] attached to the request.
    pub fn require(&self, requirement: Requirement) -> Guard {
        Guard::new(self.clone(), requirement)
    }

    /// A middleware that lets everybody through who has good credentials for this API, whatever they allow.
    pub fn authenticated(&self) -> Guard {
        self.require(all_of([]))
    }

    /// Fetches the issuer's keys unless they are there: for a start that should fail early, and for a readiness check.
    pub async fn ready(&self) -> Result<(), Refused> {
        self.inner.keys.ready().await.map_err(|error| self.refused(error.into()))
    }

    /// Who makes this request. `None` if it carries no credentials at all; whatever it carries that does not count is an
    /// error.
    pub async fn authenticate(&self, req: &HttpRequest) -> Result<Option<Arc<Claims>>, Refused> {
        let credential = self.inner.places.read(req).map_err(|refusal| self.refused(refusal))?;
        let Some(credential) = credential else { return Ok(None) };
        let address = match credential.presented {
            Presented::ApiKey => (self.inner.caller_address)(req),
            Presented::Bearer | Presented::Cookie => None,
        };
        let question = Question { text: &credential.text, presented: credential.presented, address };
        self.judge(question).await.map(Some).map_err(|refusal| self.refused(refusal))
    }

    /// What an access token says, if it counts: for what is no HTTP request.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Refused> {
        let question = Question { text: token, presented: Presented::Bearer, address: None };
        self.judge(question).await.map_err(|refusal| self.refused(refusal))
    }

    /// What an API key says, if it counts: for one that came where [`ResourceServer::authenticate`] does not look.
    pub async fn verify_api_key(&self, key: &str, address: Option<IpAddr>) -> Result<Arc<Claims>, Refused> {
        let question = Question { text: key, presented: Presented::ApiKey, address };
        self.judge(question).await.map_err(|refusal| self.refused(refusal))
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

    async fn judge(&self, question: Question<'_>) -> Result<Arc<Claims>, Refusal> {
        const DEAD: Invalid = Invalid("the access token has expired or was revoked");
        if question.presented == Presented::ApiKey {
            let Some(introspector) = &self.inner.api_keys else {
                return Err(Invalid("API keys are not accepted").into());
            };
            return Ok(introspector
                .ask(question)
                .await?
                .ok_or(Invalid("the API key is unknown, expired or revoked"))?);
        }
        // Before the issuer is asked about a token it must be one of its: a stranger cannot make this API ask.
        let claims = self.judge_jwt(question).await?;
        let Some(introspector) = &self.inner.tokens else { return Ok(Arc::new(claims)) };
        let live = introspector.ask(question).await?.ok_or(DEAD)?;
        let same = (&live.sub, &live.client_id) == (&claims.sub, &claims.client_id);
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
