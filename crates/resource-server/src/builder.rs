//! Settings of a [`ResourceServer`], and why they may not go together.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::algorithm::Algorithm;
use crate::claims::Expected;
use crate::credential::{CookieNames, Places};
use crate::discovery::{discover, metadata_url};
use crate::fetch::{Fetcher, Tls, secure_url};
use crate::introspect::{Endpoint, Introspection, Introspector};
use crate::keys::{Keys, Source};
use crate::metadata::{MetadataDocument, ResourceMetadata};
use crate::refusal::Challenge;
use crate::request::RequestHead;
use crate::server::{CallerAddress, Inner, ResourceServer};
use latchway_core::{Clock, Seconds};

/// What a [`ResourceServer`] is made of. Nothing is fetched before the first request, or [`ResourceServer::ready`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    jwks_url: Option<String>,
    leeway: Duration,
    keep_keys: Duration,
    cookies: Option<Option<CookieNames>>,
    introspection: Option<Introspection>,
    api_keys: Option<Introspection>,
    caller_address: CallerAddress,
    metadata: Option<ResourceMetadata>,
    realm: Option<String>,
    clock: Clock,
}

/// Why no [`ResourceServer`] can be made of this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    #[error("{what} {value:?} is no https URL (plain http is for 127.0.0.1, [::1] and localhost alone)")]
    Url { what: &'static str, value: String },
    #[error("the audience is empty: it is the name of this API in the tokens that are meant for it")]
    NoAudience,
    #[error("no algorithm is allowed")]
    NoAlgorithm,
    #[error("the leeway is {0:?}: clocks that differ by more than five minutes want another remedy")]
    Leeway(Duration),
    #[error("the client id or secret for introspection is empty")]
    NoCredentials,
    #[error("the cookies need two names of letters, digits, - and _")]
    Cookies,
    #[error("metadata (RFC 9728) are only for an API whose audience is its https URL; this one's is {0:?}")]
    Metadata(String),
    #[error("no HTTPS client can be made: {0}")]
    Client(String),
}

const MAX_LEEWAY: Duration = Duration::from_secs(300);

impl ResourceServer {
    /// An API that trusts `issuer`, whose tokens name it by `audience`. Both are compared character by character with
    /// `iss` and `aud`. The audience is best the URL of the API (RFC 9728 §1.2), and needs to be for
    /// [`Builder::metadata`].
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: Algorithm::ALL.to_vec(),
            jwks_url: None,
            leeway: Duration::from_secs(30),
            keep_keys: Duration::from_secs(24 * 3600),
            cookies: None,
            introspection: None,
            api_keys: None,
            caller_address: |head| head.peer(),
            metadata: None,
            realm: None,
            clock: Clock::system(),
        }
    }
}

impl Builder {
    /// The algorithms by which tokens may be signed; ES256, EdDSA, RS256 and PS256 by default. Which one it is, each key of
    /// the issuer says, and never a token.
    pub fn algorithms(self, algorithms: &[Algorithm]) -> Self {
        Self { algorithms: algorithms.to_vec(), ..self }
    }

    /// Where the issuer's keys are, instead of where its metadata (RFC 8414) say.
    pub fn jwks_url(self, url: impl Into<String>) -> Self {
        Self { jwks_url: Some(url.into()), ..self }
    }

    /// How far the clocks of issuer and API may differ; 30 seconds by default, five minutes at most. So much longer a token
    /// counts than it says.
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// How long keys are believed that cannot be fetched again because the issuer is away; a day by default. In this time
    /// a key that the issuer gave up may still be believed.
    pub fn keep_keys(self, keep_keys: Duration) -> Self {
        Self { keep_keys, ..self }
    }

    /// Accepts the cookies that Latchway's API for browser apps sets: `__Host-latchway_access` with the access token, and
    /// `__Host-latchway_csrf`, whose value `X-CSRF-Token` has to repeat with every method but GET, HEAD and OPTIONS. Where
    /// the issuer speaks plain http, on 127.0.0.1, they have no `__Host-`.
    pub fn cookies(self) -> Self {
        Self { cookies: Some(None), ..self }
    }

    /// As [`Builder::cookies`], with other names.
    pub fn cookies_named(self, access: impl Into<String>, csrf: impl Into<String>) -> Self {
        Self { cookies: Some(Some(CookieNames { access: access.into(), csrf: csrf.into() })), ..self }
    }

    /// Asks the issuer about every token, after its signature was verified. A revocation holds at once then, or as soon as
    /// the remembered answer is forgotten; and while the issuer is away nobody gets in.
    pub fn introspection(self, introspection: Introspection) -> Self {
        Self { introspection: Some(introspection), ..self }
    }

    /// Accepts API keys, in `X-API-Key` or as Bearer, and asks the issuer about each.
    pub fn api_keys(self, introspection: Introspection) -> Self {
        Self { api_keys: Some(introspection), ..self }
    }

    /// Where the program is that makes a request, for API keys that are bound to networks. By default it is the other end
    /// of the connection; behind a proxy, read what that proxy says, and nothing that a stranger could have written.
    pub fn caller_address(self, caller_address: fn(&RequestHead<'_>) -> Option<IpAddr>) -> Self {
        Self { caller_address, ..self }
    }

    /// Publishes what clients need to know of this API (RFC 9728), and points to it with every refusal.
    pub fn metadata(self, metadata: ResourceMetadata) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// What refusals call this API; its audience by default.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        Self { realm: Some(realm.into()), ..self }
    }

    /// Another clock than the system's, for tests.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The resource server.
    ///
    /// # Errors
    /// If something of the above cannot be.
    pub fn build(self) -> Result<ResourceServer, BuildError> {
        let issuer = url("the issuer", &self.issuer)?;
        let jwks = self.jwks_url.as_deref().map(|text| url("the JWKS URL", text)).transpose()?;
        self.check()?;
        let endpoints = [&self.introspection, &self.api_keys].into_iter().flatten();
        let endpoints: Vec<Url> = endpoints
            .filter_map(|introspection| introspection.endpoint.as_deref())
            .map(|text| url("the introspection endpoint", text))
            .collect::<Result<_, _>>()?;
        let tls = [&issuer].into_iter().chain(&jwks).chain(&endpoints).any(|url| url.scheme() == "https");
        let fetcher = Fetcher::new(if tls { Tls::Yes } else { Tls::No }).map_err(BuildError::Client)?;
        // Another provider that the app has installed serves as well.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();

        let metadata = match &self.metadata {
            Some(metadata) => Some(
                MetadataDocument::new(metadata, &self.audience, &self.issuer)
                    .ok_or_else(|| BuildError::Metadata(self.audience.clone()))?,
            ),
            None => None,
        };
        let discovered = discover(&self.issuer, metadata_url(&issuer), fetcher.clone(), self.clock.clone());
        let leeway = Seconds::try_from(self.leeway.as_secs()).unwrap_or_default();
        let expected = Arc::new(Expected { issuer: self.issuer, audience: self.audience, leeway });
        let introspector = |settings: &Introspection| {
            let endpoint = match &settings.endpoint {
                Some(text) => Endpoint::At(url("the introspection endpoint", text)?),
                None => Endpoint::Discovered(discovered.clone()),
            };
            Introspector::new(settings, endpoint, fetcher.clone(), Arc::clone(&expected), self.clock.clone())
                .ok_or(BuildError::NoCredentials)
        };
        let source = jwks.map_or_else(|| Source::Discovered(discovered.clone()), Source::At);
        let names = self.cookies.map(|names| names.unwrap_or_else(|| usual_cookies(&issuer)));
        Ok(ResourceServer::of(Inner {
            places: Places { cookies: names, api_keys: self.api_keys.is_some() },
            keys: Keys::new(source, self.algorithms, self.keep_keys, fetcher.clone(), self.clock.clone()),
            tokens: self.introspection.as_ref().map(introspector).transpose()?,
            api_keys: self.api_keys.as_ref().map(introspector).transpose()?,
            caller_address: self.caller_address,
            challenge: Arc::new(Challenge {
                realm: self.realm.unwrap_or_else(|| expected.audience.clone()),
                resource_metadata: metadata.as_ref().map(|document| document.url().to_owned()),
            }),
            metadata: metadata.map(Arc::new),
            clock: self.clock.clone(),
            expected,
        }))
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.audience.is_empty() {
            return Err(BuildError::NoAudience);
        }
        if self.algorithms.is_empty() {
            return Err(BuildError::NoAlgorithm);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(BuildError::Leeway(self.leeway));
        }
        let name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if let Some(Some(names)) = &self.cookies
            && !(name(&names.access) && name(&names.csrf) && names.access != names.csrf)
        {
            return Err(BuildError::Cookies);
        }
        use secrecy::ExposeSecret;
        let empty =
            |settings: &Introspection| settings.client_id.is_empty() || settings.secret.expose_secret().is_empty();
        if [&self.introspection, &self.api_keys].into_iter().flatten().any(empty) {
            return Err(BuildError::NoCredentials);
        }
        Ok(())
    }
}

fn url(what: &'static str, text: &str) -> Result<Url, BuildError> {
    secure_url(text).ok_or_else(|| BuildError::Url { what, value: text.to_owned() })
}

fn usual_cookies(issuer: &Url) -> CookieNames {
    let prefix = if issuer.scheme() == "https" { "__Host-" } else { "" };
    CookieNames { access: format!("{prefix}latchway_access"), csrf: format!("{prefix}latchway_csrf") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        ResourceServer::builder("https://id.example", "https://api.example")
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        assert!(builder().build().is_ok());
        let error = |builder: Builder| builder.build().expect_err("refused");
        let plain = error(ResourceServer::builder("http://id.example", "api"));
        assert!(matches!(plain, BuildError::Url { what: "the issuer", .. }), "{plain}");
        assert!(matches!(error(builder().jwks_url("x")), BuildError::Url { what: "the JWKS URL", .. }));
        assert_eq!(error(ResourceServer::builder("https://id.example", "")), BuildError::NoAudience);
        assert_eq!(error(builder().algorithms(&[])), BuildError::NoAlgorithm);
        assert!(matches!(error(builder().leeway(Duration::from_secs(301))), BuildError::Leeway(_)));
        assert_eq!(error(builder().cookies_named("a", "a")), BuildError::Cookies);
        assert_eq!(error(builder().cookies_named("a b", "c")), BuildError::Cookies);
        assert_eq!(error(builder().introspection(Introspection::new("", "x"))), BuildError::NoCredentials);
        let endpoint = Introspection::new("a", "b").endpoint("http://id.example/introspect");
        assert!(matches!(error(builder().api_keys(endpoint)), BuildError::Url { .. }));
        let metadata = ResourceServer::builder("https://id.example", "api").metadata(ResourceMetadata::new());
        assert_eq!(error(metadata), BuildError::Metadata("api".to_owned()));
    }

    #[test]
    fn c_002_there_is_no_algorithm_with_a_shared_secret() {
        assert!(Algorithm::ALL.iter().all(|algorithm| !algorithm.as_str().starts_with("HS")));
        assert_eq!(Algorithm::parse("none"), None);
    }

    #[test]
    fn cookies_are_bound_to_their_host_where_there_is_tls() {
        let names = |issuer: &str| usual_cookies(&issuer.parse().expect("a URL"));
        assert_eq!(names("https://id.example").access, "__Host-latchway_access");
        assert_eq!(names("http://127.0.0.1:8080").csrf, "latchway_csrf");
    }
}
