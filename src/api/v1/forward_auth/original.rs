use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use crate::app::App;
use crate::domain::origin_of;

/// The request that a proxy asks about, as the proxy tells it. Only trusted proxies are believed: of others nothing is
/// known.
#[derive(Debug, Default)]
pub struct Original {
    pub method: Option<String>,
    /// Scheme, host and port at which the app is reached.
    pub origin: Option<String>,
    /// The whole address.
    pub address: Option<String>,
}

impl Original {
    /// `X-Original-Method` and `X-Original-URL` as nginx is told to send them, or `X-Forwarded-Method`, `-Proto`, `-Host`
    /// and `-Uri` as Traefik and Caddy do by themselves. Where both are there and disagree, one of them is the client's
    /// own, and neither is believed.
    pub fn read(app: &App, req: &HttpRequest) -> Self {
        let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
        let trusted = &app.config.server.trusted_proxies;
        if !peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(&peer))) {
            return Self::default();
        }
        Self::told(req.headers())
    }

    fn told(headers: &HeaderMap) -> Self {
        let header = |name| single(headers, name);
        let method = agreed(header("x-original-method"), header("x-forwarded-method"));
        let direct = header("x-original-url");
        let base = match (header("x-forwarded-proto"), header("x-forwarded-host")) {
            (Told::Once(scheme), Told::Once(host)) => Told::Once(format!("{scheme}://{host}")),
            (Told::Never, _) | (_, Told::Never) => Told::Never,
            _ => Told::Nonsense,
        };
        let forwarded = match (&base, header("x-forwarded-uri")) {
            (Told::Once(base), Told::Once(path)) if path.starts_with('/') => Told::Once(format!("{base}{path}")),
            (_, Told::Never) => Told::Never,
            (Told::Never, _) => Told::Never,
            _ => Told::Nonsense,
        };
        let of_base = |base: &str| origin_of(base).filter(|origin| *origin == base).map(str::to_owned);
        let origin = match (&direct, &base) {
            (Told::Never, Told::Once(base)) => of_base(base),
            (Told::Once(url), Told::Never) => origin_of(url).map(str::to_owned),
            (Told::Once(url), Told::Once(base)) => of_base(base).filter(|origin| origin_of(url) == Some(origin)),
            _ => None,
        };
        let address = agreed(direct, forwarded).filter(|address| origin_of(address) == origin.as_deref());
        Self { method, address: address.filter(|_| origin.is_some()), origin }
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

enum Told {
    Never,
    Once(String),
    Nonsense,
}

fn single(headers: &HeaderMap, name: &str) -> Told {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Told::Never,
        (Some(value), None) => match value.to_str() {
            Ok("") => Told::Never,
            Ok(text) => Told::Once(text.to_owned()),
            Err(_) => Told::Nonsense,
        },
        (Some(_), Some(_)) => Told::Nonsense,
    }
}

fn agreed(one: Told, other: Told) -> Option<String> {
    match (one, other) {
        (Told::Once(one), Told::Once(other)) => (one == other).then_some(one),
        (Told::Once(told), Told::Never) | (Told::Never, Told::Once(told)) => Some(told),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn told(headers: &[(&'static str, &'static str)]) -> (Option<String>, Option<String>, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let Original { method, origin, address } = Original::told(&map);
        (method, origin, address)
    }

    #[test]
    fn both_ways_of_telling_are_understood() {
        let some = |text: &str| Some(text.to_owned());
        let url = "https://app.example/a?b=c";
        assert_eq!(
            told(&[("x-original-method", "GET"), ("x-original-url", url)]),
            (some("GET"), some("https://app.example"), some(url))
        );
        let forwarded = [
            ("x-forwarded-method", "POST"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example"),
            ("x-forwarded-uri", "/a?b=c"),
        ];
        assert_eq!(told(&forwarded), (some("POST"), some("https://app.example"), some(url)));
        assert_eq!(told(&forwarded[1..3]), (None, some("https://app.example"), None));
        assert_eq!(told(&[]), (None, None, None));
    }

    #[test]
    fn whoever_disagrees_is_not_believed() {
        let proxy = [("x-forwarded-proto", "https"), ("x-forwarded-host", "app.example"), ("x-forwarded-uri", "/a")];
        let and = |more: (&'static str, &'static str)| told(&[&proxy[..], &[more]].concat());
        assert_eq!(and(("x-original-url", "https://other.example/a")), (None, None, None));
        assert_eq!(and(("x-original-url", "https://app.example/b")).2, None);
        assert_eq!(and(("x-forwarded-host", "other.example")), (None, None, None));
        assert_eq!(told(&[("x-original-method", "GET"), ("x-forwarded-method", "POST")]).0, None);
        assert_eq!(told(&[("x-original-method", "GET"), ("x-original-method", "GET")]).0, None);
        for host in ["app.example@evil.example", "app.example/evil", "APP.example", "app.example:443", "a b"] {
            let answer = told(&[("x-forwarded-proto", "https"), ("x-forwarded-host", host), ("x-forwarded-uri", "/")]);
            assert_eq!(answer, (None, None, None), "{host}");
        }
        let uri = [("x-forwarded-proto", "https"), ("x-forwarded-host", "app.example"), ("x-forwarded-uri", ".evil/")];
        assert_eq!(told(&uri).2, None);
    }
}
