//! What a request carries: exactly one credential, in a place where one may be.

use latchway_core::{ApiKeyText, constant_time_eq};

use crate::claims::Presented;
use crate::refusal::Refusal;
use crate::request::{RequestHead, visible};

const KEY_HEADER: &str = "x-api-key";
const CSRF_HEADER: &str = "x-csrf-token";
const SITE_HEADER: &str = "sec-fetch-site";

/// A credential as it was presented.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub presented: Presented,
    /// Never for a log.
    pub text: String,
}

/// The cookies of a browser app: its access token, and the CSRF token that its scripts can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CookieNames {
    pub access: String,
    pub csrf: String,
}

/// Where credentials may be.
pub(crate) struct Places {
    pub cookies: Option<CookieNames>,
    pub api_keys: bool,
}

impl Places {
    /// The credential of a request; `None` if it carries none at all.
    pub fn read(&self, head: &RequestHead<'_>) -> Result<Option<Credential>, Refusal> {
        // RFC 9700 §4.3.2: a token in a URL ends up in logs and histories.
        if url::form_urlencoded::parse(head.query().as_bytes()).any(|(name, _)| name == "access_token") {
            return Err(Refusal::InvalidRequest("the access token must not be in the URL"));
        }
        let header = self.authorization(head)?;
        let key = if self.api_keys { one(head, KEY_HEADER)? } else { None };
        let cookie = match &self.cookies {
            Some(names) => cookie(head, &names.access)?,
            None => None,
        };
        match (header, key, cookie) {
            (None, None, None) => Ok(None),
            (Some(credential), None, None) => Ok(Some(credential)),
            (None, Some(key), None) => api_key(key).map(Some),
            (None, None, Some(cookie)) => {
                self.check_origin(head)?;
                Ok(Some(Credential { presented: Presented::Cookie, text: cookie.to_owned() }))
            }
            _ => Err(Refusal::InvalidRequest("the request has more than one credential")),
        }
    }

    fn authorization(&self, head: &RequestHead<'_>) -> Result<Option<Credential>, Refusal> {
        let Some(value) = one(head, "authorization")? else { return Ok(None) };
        let (scheme, text) = value.split_once(' ').unwrap_or((value, ""));
        // RFC 9110 §11.1: schemes have no case. Another one than Bearer is not understood, as if it were not there, but
        // nobody is let in as a stranger with it.
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Refusal::Missing);
        }
        let text = text.trim_start_matches(' ');
        if !is_b64token(text) {
            return Err(Refusal::InvalidRequest("the Bearer token is missing or malformed"));
        }
        if self.api_keys && text.starts_with(ApiKeyText::PREFIX) {
            return api_key(text).map(Some);
        }
        Ok(Some(Credential { presented: Presented::Bearer, text: text.to_owned() }))
    }

    /// A browser sends its cookie whoever made it ask. What changes something therefore wants proof that a script of the
    /// cookie's own origin did: only that can read the CSRF cookie.
    ///
    /// A handshake for a WebSocket is a GET, and what follows can change anything (RFC 6455 §10.2). Scripts cannot add a
    /// header to it, so that the browser's word that a page of the same origin asks counts there as well.
    fn check_origin(&self, head: &RequestHead<'_>) -> Result<(), Refusal> {
        let Some(names) = &self.cookies else { return Ok(()) };
        let is_upgrade = is_upgrade(head);
        if !is_upgrade && ["GET", "HEAD", "OPTIONS"].contains(&head.method()) {
            return Ok(());
        }
        let mut sites = head.values(SITE_HEADER);
        if is_upgrade && sites.next().is_some_and(|site| site == b"same-origin") && sites.next().is_none() {
            return Ok(());
        }
        if head.values(SITE_HEADER).any(|site| site == b"cross-site") {
            return Err(Refusal::CrossSite("the request was made by a page of another site"));
        }
        let forged = Refusal::CrossSite("the header X-CSRF-Token must repeat the value of the CSRF cookie");
        let (sent, kept) = (one(head, CSRF_HEADER)?, cookie(head, &names.csrf)?);
        match (sent, kept) {
            (Some(sent), Some(kept)) if !sent.is_empty() && constant_time_eq(sent.as_bytes(), kept.as_bytes()) => {
                Ok(())
            }
            _ => Err(forged),
        }
    }
}

/// Whether a request asks for another protocol on its connection, such as a WebSocket.
fn is_upgrade(head: &RequestHead<'_>) -> bool {
    head.values("upgrade").next().is_some() || head.values("sec-fetch-mode").any(|mode| mode == b"websocket")
}

/// A key by its form and its checksum alone: whether it counts, the issuer says.
fn api_key(text: &str) -> Result<Credential, Refusal> {
    match ApiKeyText::parse(text) {
        Ok(_) => Ok(Credential { presented: Presented::ApiKey, text: text.to_owned() }),
        Err(_) => Err(Refusal::InvalidToken("the API key is malformed: mistyped, cut off, or no API key at all")),
    }
}

/// RFC 6750 §2.1
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// The value of a header that may be there once.
fn one<'a>(head: &RequestHead<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = head.values(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::InvalidRequest("a header with a credential is there more than once"));
    }
    first
        .map(|value| visible(value).ok_or(Refusal::InvalidRequest("a header with a credential is malformed")))
        .transpose()
}

/// The value of a cookie that may be there once (RFC 6265 §5.4).
fn cookie<'a>(head: &RequestHead<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let pairs = head.values("cookie").filter_map(visible).flat_map(|header| header.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
    let first = values.next().map(|(_, value)| value);
    if values.next().is_some() {
        return Err(Refusal::InvalidRequest("a cookie with a credential is there more than once"));
    }
    Ok(first.filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use latchway_core::{Clock, Rng};
    use secrecy::ExposeSecret;

    use super::*;

    fn places() -> Places {
        let cookies = CookieNames { access: "access".to_owned(), csrf: "csrf".to_owned() };
        Places { cookies: Some(cookies), api_keys: true }
    }

    fn read(request: RequestHead<'_>) -> Result<Option<(Presented, String)>, Refusal> {
        let read = places().read(&request)?;
        Ok(read.map(|credential| (credential.presented, credential.text)))
    }

    fn with<'a>(headers: &[(&'static str, &'a str)]) -> RequestHead<'a> {
        headers.iter().fold(RequestHead::new("GET", "/"), |request, (name, value)| request.header(name, *value))
    }

    #[test]
    fn each_place_alone() {
        assert_eq!(read(with(&[])), Ok(None));
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let read = read(with(&[("Authorization", &format!("{scheme} a.b.c"))]));
            assert_eq!(read, Ok(Some((Presented::Bearer, "a.b.c".to_owned()))));
        }
        assert_eq!(read(with(&[("Cookie", "x=y; access=a.b.c")])), Ok(Some((Presented::Cookie, "a.b.c".to_owned()))));
        let key = ApiKeyText::new(&Clock::system(), &Rng::system()).expose();
        let key = key.expose_secret();
        let expected = Ok(Some((Presented::ApiKey, key.to_owned())));
        assert_eq!(read(with(&[("X-API-Key", key)])), expected);
        assert_eq!(read(with(&[("Authorization", &format!("Bearer {key}"))])), expected);
        for no_key in ["a.b.c", "lw_a", &key[1..], &key[..key.len() - 1], &key.replace("lw_", "lw_0")] {
            assert!(matches!(read(with(&[("X-API-Key", no_key)])), Err(Refusal::InvalidToken(_))), "{no_key}");
        }
        assert!(matches!(read(with(&[("Authorization", "Bearer lw_a")])), Err(Refusal::InvalidToken(_))));
    }

    #[test]
    fn d_020_exactly_one_credential() {
        for two in [
            &[("Authorization", "Bearer a"), ("Authorization", "Bearer a")][..],
            &[("Authorization", "Bearer a"), ("Authorization", "Basic a")],
            &[("Authorization", "Bearer a"), ("Cookie", "access=a")],
            &[("Authorization", "Bearer a"), ("X-API-Key", "lw_a")],
            &[("X-API-Key", "lw_a"), ("Cookie", "access=a")],
            &[("X-API-Key", "lw_a"), ("X-API-Key", "lw_a")],
            &[("Cookie", "access=a; access=b")],
            &[("Cookie", "access=a"), ("Cookie", "access=a")],
            &[("Authorization", "Bearer")],
            &[("Authorization", "Bearer ")],
            &[("Authorization", "Bearer a b")],
            &[("Authorization", "Bearer a,b")],
        ] {
            assert!(matches!(read(with(two)), Err(Refusal::InvalidRequest(_))), "{two:?}");
        }
        for query in ["/?access_token=a", "/?a=b&access%5Ftoken=a", "/?access_token"] {
            assert!(matches!(read(RequestHead::new("GET", query)), Err(Refusal::InvalidRequest(_))), "{query}");
        }
    }

    #[test]
    fn another_scheme_is_not_understood_and_no_stranger() {
        for other in ["Basic YTpi", "DPoP a.b.c", "Bearera", "Bearer\ta", "lw_a"] {
            assert_eq!(read(with(&[("Authorization", other)])), Err(Refusal::Missing), "{other}");
        }
    }

    #[test]
    fn what_is_not_switched_on_is_not_looked_at() {
        let places = Places { cookies: None, api_keys: false };
        let request = with(&[("Cookie", "access=a"), ("X-API-Key", "lw_a")]);
        assert_eq!(places.read(&request), Ok(None));
    }

    #[test]
    fn a_handshake_for_a_websocket_is_a_change() {
        let socket = [("Cookie", "access=a; csrf=tok"), ("Connection", "Upgrade"), ("Upgrade", "websocket")];
        let ask = |more: &[(&'static str, &str)]| read(with(&[&socket[..], more].concat()));
        assert!(ask(&[("Sec-Fetch-Site", "same-origin")]).is_ok());
        assert!(ask(&[("X-CSRF-Token", "tok")]).is_ok(), "a program that speaks for the page");
        for bad in [
            &[][..],
            &[("Sec-Fetch-Site", "same-site")],
            &[("Sec-Fetch-Site", "cross-site")],
            &[("Sec-Fetch-Site", "cross-site"), ("X-CSRF-Token", "tok")],
            &[("Sec-Fetch-Site", "none")],
            &[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
            &[("Origin", "https://evil.example")],
        ] {
            assert!(matches!(ask(bad), Err(Refusal::CrossSite(_))), "{bad:?}");
        }
        assert!(matches!(read(with(&[socket[0], ("Sec-Fetch-Mode", "websocket")])), Err(Refusal::CrossSite(_))));
        let by_header = with(&[("Authorization", "Bearer a"), ("Upgrade", "websocket")]);
        assert!(read(by_header).is_ok(), "a header is no cookie");
    }

    #[test]
    fn a_cookie_changes_nothing_without_the_csrf_token() {
        let post = |headers: &[(&'static str, &'static str)]| {
            headers.iter().fold(RequestHead::new("POST", "/"), |request, (name, value)| request.header(name, *value))
        };
        let cookies = ("Cookie", "access=a; csrf=tok");
        assert!(read(post(&[cookies, ("X-CSRF-Token", "tok")])).is_ok());
        assert!(read(post(&[cookies, ("X-CSRF-Token", "tok"), ("Sec-Fetch-Site", "same-origin")])).is_ok());
        for bad in [
            &[cookies][..],
            &[cookies, ("X-CSRF-Token", "")],
            &[cookies, ("X-CSRF-Token", "tok2")],
            &[cookies, ("X-CSRF-Token", "tok"), ("Sec-Fetch-Site", "cross-site")],
            &[("Cookie", "access=a"), ("X-CSRF-Token", "tok")],
            &[("Cookie", "access=a; csrf="), ("X-CSRF-Token", "")],
        ] {
            assert!(matches!(read(post(bad)), Err(Refusal::CrossSite(_))), "{bad:?}");
        }
        assert!(read(post(&[("Authorization", "Bearer a")])).is_ok(), "a header is no cookie");
    }
}
