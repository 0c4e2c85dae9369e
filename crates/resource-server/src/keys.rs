//! The issuer's keys, as long as they may be believed.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::algorithm::Algorithm;
use crate::discovery::Endpoints;
use crate::fetch::{FetchError, Fetcher};
use crate::jwk::{KeySet, VerifyingKey, read_set};
use crate::remote::{Remote, Unavailable};
use latchway_core::Clock;

/// Where the JWKS is.
#[derive(Clone)]
pub(crate) enum Source {
    Discovered(Remote<Endpoints>),
    At(Url),
}

pub(crate) struct Keys {
    remote: Remote<KeySet>,
}

impl Keys {
    pub fn new(source: Source, allowed: Vec<Algorithm>, keep: Duration, fetcher: Fetcher, clock: Clock) -> Self {
        let allowed: Arc<[Algorithm]> = allowed.into();
        let remote = Remote::new("the issuer's keys", clock, keep, move || {
            let (source, allowed, fetcher) = (source.clone(), Arc::clone(&allowed), fetcher.clone());
            Box::pin(async move {
                let url = match source {
                    Source::At(url) => url,
                    Source::Discovered(endpoints) => {
                        let endpoints = endpoints.get().await.map_err(|error| FetchError::Answer(error.to_string()))?;
                        endpoints.value.jwks.clone()
                    }
                };
                let fetched = fetcher.get(&url).await?;
                let keys = read_set(&fetched.body, &allowed)
                    .map_err(|_| FetchError::Answer("the answer is no JWK set".to_owned()))?;
                if keys.is_empty() {
                    tracing::warn!("the issuer has no key that this API accepts");
                }
                Ok((keys, fetched.max_age))
            })
        });
        Self { remote }
    }

    /// Makes sure that there are keys.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        self.remote.get().await.map(drop)
    }

    /// The key of that name; for one that is not known the issuer is asked again, but not often.
    pub async fn find(&self, kid: &str) -> Result<Option<Arc<VerifyingKey>>, Unavailable> {
        let known = self.remote.get().await?;
        if let Some(key) = known.value.get(kid) {
            return Ok(Some(Arc::clone(key)));
        }
        let newer = self.remote.newer_than(&known).await?;
        Ok(newer.value.get(kid).cloned())
    }
}
