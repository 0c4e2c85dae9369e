//! Where the issuer has its keys and answers questions (RFC 8414).

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::fetch::{FetchError, Fetcher, secure_url};
use crate::json::Object;
use crate::remote::Remote;
use latchway_core::Clock;
use latchway_oauth_types::endpoints::OAUTH_METADATA as WELL_KNOWN;

/// Endpoints do not move. While the issuer is away those are used that it had.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Of the issuer's metadata what an API needs.
pub(crate) struct Endpoints {
    pub jwks: Url,
    pub introspection: Option<Url>,
}

/// The metadata of an issuer, which must name itself by exactly that name (RFC 8414 §3.3).
pub(crate) fn discover(issuer: &str, url: Url, fetcher: Fetcher, clock: Clock) -> Remote<Endpoints> {
    let issuer: Arc<str> = issuer.into();
    Remote::new("the issuer's metadata", clock, KEEP, move || {
        let (issuer, url, fetcher) = (Arc::clone(&issuer), url.clone(), fetcher.clone());
        Box::pin(async move {
            let fetched = fetcher.get(&url).await?;
            Ok((read(&fetched.body, &issuer)?, fetched.max_age))
        })
    })
}

/// RFC 8414 §3.1: the well-known part stands between the host and the path of an issuer.
pub(crate) fn metadata_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    url.set_path(&format!("{WELL_KNOWN}{}", issuer.path().trim_end_matches('/')));
    url
}

fn read(json: &[u8], issuer: &str) -> Result<Endpoints, FetchError> {
    let wrong = |what: &str| FetchError::Answer(format!("the issuer's metadata: {what}"));
    let metadata = Object::parse(json).map_err(|_| wrong("no JSON object, or a member twice"))?;
    if metadata.required::<String>("issuer").ok().as_deref() != Some(issuer) {
        return Err(wrong("issuer is another one than was asked for"));
    }
    let endpoint = |name: &str| -> Result<Option<Url>, FetchError> {
        match metadata.optional::<String>(name).map_err(|_| wrong(name))? {
            Some(text) => secure_url(&text).map(Some).ok_or_else(|| wrong(&format!("{name} is no https URL"))),
            None => Ok(None),
        }
    };
    let jwks = endpoint("jwks_uri")?.ok_or_else(|| wrong("jwks_uri is missing"))?;
    Ok(Endpoints { jwks, introspection: endpoint("introspection_endpoint")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_before_the_path() {
        let at = |issuer: &str| metadata_url(&issuer.parse().expect("a URL")).to_string();
        assert_eq!(at("https://id.example"), "https://id.example/.well-known/oauth-authorization-server");
        assert_eq!(at("https://id.example/a"), "https://id.example/.well-known/oauth-authorization-server/a");
    }

    #[test]
    fn another_issuer_is_not_believed() {
        let metadata = |issuer: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://id.example/jwks"}}"#);
        assert!(read(metadata("https://id.example").as_bytes(), "https://id.example").is_ok());
        for other in ["https://id.example/", "http://id.example", "https://ID.example", ""] {
            assert!(read(metadata(other).as_bytes(), "https://id.example").is_err(), "{other}");
        }
        let plain = br#"{"issuer":"https://id.example","jwks_uri":"http://id.example/jwks"}"#;
        assert!(read(plain, "https://id.example").is_err());
        let twice =
            br#"{"issuer":"https://evil.example","issuer":"https://id.example","jwks_uri":"https://id.example/"}"#;
        assert!(read(twice, "https://id.example").is_err());
    }
}
