//! Asking the issuer, within bounds: of time, of size, and without being sent elsewhere.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::{Host, Url};

/// For the connection, and for the whole answer.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);
/// Metadata and keys have a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

/// Why the issuer's answer is not there. For the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the issuer answered {status}")]
    Status {
        status: u16,
        /// In seconds.
        retry_after: Option<u32>,
    },
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
    #[error("{0}")]
    Answer(String),
}

/// What came back with 200.
pub(crate) struct Fetched {
    pub body: Vec<u8>,
    /// How long it may be kept (RFC 9111 §5.2.2.1).
    pub max_age: Option<Duration>,
}

#[derive(Clone)]
pub(crate) struct Fetcher {
    client: reqwest::Client,
}

impl Fetcher {
    /// Without `Tls::Yes` it speaks plain HTTP alone and does not look for the system's certificates.
    pub fn new(tls: Tls) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        if tls == Tls::Yes {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(format!("the system has no root certificates: {:?}", found.errors));
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(config)
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("latchway-resource-server/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client })
    }

    pub async fn get(&self, url: &Url) -> Result<Fetched, FetchError> {
        read(self.client.get(url.clone()).header(ACCEPT, "application/json").send().await?).await
    }

    /// Posts an encoded form with credentials.
    pub async fn post(&self, url: &Url, authorization: &HeaderValue, form: String) -> Result<Fetched, FetchError> {
        let request = self.client.post(url.clone()).header(AUTHORIZATION, authorization.clone());
        let request = request.header(ACCEPT, "application/json");
        read(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form).send().await?).await
    }
}

async fn read(mut response: reqwest::Response) -> Result<Fetched, FetchError> {
    if response.status() != reqwest::StatusCode::OK {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(FetchError::Status { status: response.status().as_u16(), retry_after });
    }
    let max_age = max_age(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body, max_age })
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let seconds = directives.split(',').find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Yes,
    No,
}

/// A URL that keys and secrets may come from and go to: https, or plain http that never leaves the machine.
pub(crate) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let secure = url.scheme() == "https" || url.scheme() == "http" && loopback;
    (secure && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_machine() {
        for good in ["https://id.example", "https://id.example/a?b=c", "http://127.0.0.1:80/", "http://[::1]:1/x"] {
            assert!(secure_url(good).is_some(), "{good}");
        }
        let bad = ["http://id.example", "http://127.0.0.1.example/", "file:///etc/passwd", "https://a:b@id.example"];
        for bad in bad.into_iter().chain(["https://id.example/#a", "data:,x", "id.example", ""]) {
            assert!(secure_url(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_age_is_read_from_among_other_directives() {
        let headers = |value| HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(value))]);
        assert_eq!(max_age(&headers("public, max-age=300")), Some(Duration::from_secs(300)));
        assert_eq!(max_age(&headers("max-age=x")), None);
        assert_eq!(max_age(&headers("no-store")), None);
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
