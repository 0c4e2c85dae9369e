//! The original request, read from the headers of a trusted proxy in nginx's and Traefik's and Caddy's forms.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use super::forwarded::{Forwarded, Said, address_of, origin_at, url};
use crate::app::App;
use crate::protocol::OAuthError;

/// The request that a proxy asks about, as the proxy describes it. Only trusted proxies are believed: of others nothing is
/// known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Original {
    pub method: Option<String>,
    /// Scheme, host and port at which the app is reached, in their one spelling.
    pub origin: Option<String>,
    /// Where a browser may be led back to: the whole address, or as much of it as can be kept.
    pub address: Option<String>,
}

const METHODS: [&str; 2] = ["x-original-method", "x-forwarded-method"];
const URL: &str = "x-original-url";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";

impl Original {
    /// `X-Original-Method` and `X-Original-URL` as nginx is told to send them, or `X-Forwarded-Method`, `-Proto`, `-Host`
    /// and `-Uri` as Traefik and Caddy do by themselves. Each value is brought into its one spelling, or is an error that
    /// names its header, because a proxy that is configured wrongly must not look like a browser without a login. Where two
    /// are sound and disagree, one of them is the client's own, and neither is believed.
    pub fn read(app: &App, req: &HttpRequest) -> Result<Self, OAuthError> {
        let trusted = &app.config.server.trusted_proxies;
        if !req.peer_addr().is_some_and(|peer| trusted.iter().any(|network| network.contains(peer.ip()))) {
            return Ok(Self::default());
        }
        Self::described(req.headers()).map_err(OAuthError::invalid_request)
    }

    fn described(headers: &HeaderMap) -> Result<Self, String> {
        let read = |name| Forwarded::read(headers, name);
        let method = METHODS.map(|name| read(name).one()).into_iter().reduce(Said::and).and_then(Said::believed);
        let direct = read(URL).one().try_map(|text| url(URL, &text))?;
        let base = match (read(PROTO).first(), read(HOST).all()) {
            (Some(scheme), Some(hosts)) => Said::Once(origin_at((PROTO, &scheme), (HOST, &hosts))?),
            _ => Said::Nothing,
        };
        let at = direct.as_ref().map(|(origin, _)| origin.clone());
        let Some(origin) = at.and(base).believed() else { return Ok(Self { method, ..Self::default() }) };
        let target = read(URI).one().try_map(|text| target_of(&origin, text))?;
        let target = direct.map(|(_, target)| target).and(target).believed();
        let address = target.map(|target| address_of(&origin, &target));
        Ok(Self { method, origin: Some(origin), address })
    }

    /// Whether this changes nothing, as far as one knows.
    pub fn is_safe(&self) -> bool {
        self.method.as_deref().is_some_and(|method| matches!(method, "GET" | "HEAD" | "OPTIONS"))
    }

    /// Whether a person looks at the answer: the browser goes to a page.
    pub fn is_navigation(&self, headers: &HeaderMap) -> bool {
        let says = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
        let wants_a_page = says("accept").is_some_and(|accept| accept.contains("text/html"));
        let goes_there = says("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        self.method.as_deref() == Some("GET") && wants_a_page && goes_there
    }
}

/// A request target (RFC 9112 §3.2) within an origin: the origin form, or the absolute form of the same origin.
fn target_of(origin: &str, text: String) -> Result<String, String> {
    if text.starts_with('/') {
        return Ok(text);
    }
    match url(URI, &text) {
        Ok((at, target)) if at == origin => Ok(target),
        _ => Err(format!("{URI} must begin with a slash")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    type Described = (Option<String>, Option<String>, Option<String>);

    fn described(headers: &[(&'static str, &str)]) -> Result<Described, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            map.append(HeaderName::from_static(name), value);
        }
        Original::described(&map).map(|Original { method, origin, address }| (method, origin, address))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example"),
        ("x-forwarded-uri", "/a?b=c"),
    ];

    /// The headers of a good description, some of them replaced or added.
    fn with(changes: &[(&'static str, &str)]) -> Result<Described, String> {
        let kept = FORWARDED.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        described(&kept.chain(changes).copied().collect::<Vec<_>>())
    }

    #[test]
    fn both_kinds_of_headers_are_understood() {
        let (origin, address) = (some("https://app.example"), some("https://app.example/a?b=c"));
        let direct = [("x-original-method", "GET"), ("x-original-url", "https://app.example/a?b=c")];
        assert_eq!(described(&direct), Ok((some("GET"), origin.clone(), address.clone())));
        assert_eq!(described(&FORWARDED), Ok((some("POST"), origin.clone(), address)));
        assert_eq!(described(&FORWARDED[1..3]), Ok((None, origin, None)));
        assert_eq!(described(&[]), Ok((None, None, None)));
    }

    #[test]
    fn each_spelling_is_brought_into_the_one() {
        let expected = with(&[]);
        for same in [
            [("x-forwarded-proto", "wss"), ("x-forwarded-host", "app.example")],
            [("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "APP.Example")],
            [("x-forwarded-proto", "WSS "), ("x-forwarded-host", "app.example:443")],
            [("x-forwarded-proto", "https, http"), ("x-forwarded-host", "app.example, APP.example:443")],
            [("x-forwarded-proto", "https,wss"), ("x-forwarded-host", " app.example ")],
        ] {
            assert_eq!(with(&same), expected, "{same:?}");
        }
        assert_eq!(with(&[("x-forwarded-uri", "HTTPS://app.example:443/a?b=c")]), expected);
        let plain = with(&[("x-forwarded-proto", "ws"), ("x-forwarded-host", "app.example:80")]).expect("understood");
        assert_eq!(plain.1, some("http://app.example"));
        let six = with(&[("x-forwarded-host", "[::1]:8443")]).expect("understood");
        assert_eq!(six.1, some("https://[::1]:8443"));
        let direct = described(&[("x-original-url", "WSS://APP.example:443/A?B")]).expect("understood");
        assert_eq!((direct.1, direct.2), (some("https://app.example"), some("https://app.example/A?B")));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (header, value) in [
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-proto", "https://"),
            ("x-forwarded-host", "app.example@evil.example"),
            ("x-forwarded-host", "app.example/evil"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-host", "0x7f.1"),
            ("x-forwarded-host", "app.example:0443"),
            ("x-forwarded-host", "app.example, other.example"),
            ("x-forwarded-host", "b\u{fc}cher.example"),
            ("x-forwarded-uri", ".evil/"),
            ("x-forwarded-uri", "https://other.example/a"),
            ("x-original-url", "app.example/b"),
            ("x-original-url", "https://u@app.example/a?b=c"),
        ] {
            let why = with(&[(header, value)]).expect_err(value);
            assert!(why.contains(header), "{header}: {value}: {why}");
        }
    }

    #[test]
    fn two_that_disagree_are_not_believed() {
        let post = some("POST");
        assert_eq!(with(&[("x-original-url", "https://other.example/a?b=c")]), Ok((post.clone(), None, None)));
        let other_path = with(&[("x-original-url", "https://app.example/b")]);
        assert_eq!(other_path, Ok((post, some("https://app.example"), None)));
        assert_eq!(with(&[("x-original-method", "GET")]).expect("understood").0, None);
        let twice = [("x-original-url", "https://app.example/"), ("x-original-url", "https://other.example/")];
        assert_eq!(described(&twice), Ok((None, None, None)));
        assert_eq!(described(&[("x-original-method", "GET"), ("x-original-method", "POST")]), Ok((None, None, None)));
        assert_eq!(
            described(&[("x-original-method", "GET"), ("x-original-method", "GET")]),
            Ok((some("GET"), None, None))
        );
    }

    #[test]
    fn as_much_of_an_address_is_kept_as_can_be() {
        let long = "y".repeat(3_000);
        let kept = |uri: &str| with(&[("x-forwarded-uri", uri)]).expect("understood").2;
        assert_eq!(kept(&format!("/a/b?q={long}")), some("https://app.example/a/b"));
        assert_eq!(kept(&format!("/{long}?q=1")), some("https://app.example/"));
        assert_eq!(kept("/caf\u{e9} au lait#x"), some("https://app.example/caf%C3%A9%20au%20lait%23x"));
    }
}
