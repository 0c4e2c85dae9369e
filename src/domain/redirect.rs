//! Redirect URIs: which can be registered, and when a request's equals one (RFC 9700 §4.1.3, RFC 8252 §7.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Longer ones are refused, at registration and in requests.
const MAX_BYTES: usize = 2048;

/// A registered redirect URI. Requests are compared with it character by character (RFC 9700 §4.1.3); the one
/// exception is the port of a loopback address (RFC 8252 §7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    port: PortRule,
}

/// Whether a request may name another port than the registered URI.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PortRule {
    Exact,
    /// The text before and behind the port.
    Any {
        before: String,
        behind: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redirect_uri {what}")]
pub struct InvalidRedirectUri {
    what: &'static str,
}

/// What may stand in a URI at all (RFC 3986), less the brackets, which are looked at apart. A wildcard or a pattern is
/// no part of any redirect URI here (RFC 9700 §4.1).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?&=+,;@!$'%".contains(&byte)
}

fn refuse<T>(what: &'static str) -> Result<T, InvalidRedirectUri> {
    Err(InvalidRedirectUri { what })
}

impl RedirectUri {
    /// Checks what a client wants to register.
    pub fn register(text: &str) -> Result<Self, InvalidRedirectUri> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return refuse("must have 1 to 2048 bytes");
        }
        if text.contains('#') {
            // RFC 6749 §3.1.2
            return refuse("must not have a fragment");
        }
        let ipv6 = text.starts_with("http://[::1]");
        let unbracketed = if ipv6 { text.replacen("[::1]", "", 1) } else { text.to_owned() };
        if !unbracketed.bytes().all(is_plain) {
            return refuse("has a character that a redirect URI cannot have, or a wildcard");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("is not an absolute URI");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not have user information");
        }
        match url.scheme() {
            "https" | "http" => Self::register_web(text, &url),
            scheme => Self::register_private(text, scheme),
        }
    }

    fn register_web(text: &str, url: &Url) -> Result<Self, InvalidRedirectUri> {
        // Exactly as the URL standard writes it, so that no two spellings of one place are ever registered.
        let canonical = url.as_str();
        let without_root = canonical.strip_suffix('/').filter(|_| url.path() == "/" && url.query().is_none());
        if canonical != text && without_root != Some(text) {
            return refuse(
                "is not written in its canonical form (lower-case scheme and host, no default port, no dot segments)",
            );
        }
        // RFC 3986 §3.4: behind the `?` a slash is data.
        if url.path().contains("//") {
            return refuse("must not have an empty path segment");
        }
        match url.host() {
            Some(Host::Domain(host)) if host.ends_with('.') => refuse("must not have a host that ends in a dot"),
            Some(_) if url.scheme() == "https" => Ok(Self { text: text.to_owned(), port: PortRule::Exact }),
            Some(Host::Ipv4(ip)) if ip == Ipv4Addr::LOCALHOST => Ok(Self::loopback(text, "http://127.0.0.1")),
            Some(Host::Ipv6(ip)) if ip == Ipv6Addr::LOCALHOST => Ok(Self::loopback(text, "http://[::1]")),
            // RFC 8252 §8.3: a name can be pointed elsewhere, so `localhost` has no leniency about its port.
            Some(Host::Domain("localhost")) => Ok(Self { text: text.to_owned(), port: PortRule::Exact }),
            Some(_) => refuse("must be https, unless its host is 127.0.0.1, [::1] or localhost"),
            None => refuse("must have a host"),
        }
    }

    // RFC 8252 §7.1: a private-use scheme is a reversed domain name, so it has a dot; nothing that a browser executes has one.
    fn register_private(text: &str, scheme: &str) -> Result<Self, InvalidRedirectUri> {
        if !scheme.contains('.') || !text.starts_with(scheme) {
            return refuse(
                "must be https, http on loopback, or a private-use scheme with a dot, such as com.example.app:/cb",
            );
        }
        Ok(Self { text: text.to_owned(), port: PortRule::Exact })
    }

    fn loopback(text: &str, origin: &str) -> Self {
        let rest = &text[origin.len()..];
        let behind = rest.strip_prefix(':').map_or(rest, |port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
        Self { text: text.to_owned(), port: PortRule::Any { before: origin.to_owned(), behind: behind.to_owned() } }
    }

    /// Whether a request that sent `text` means this URI.
    pub fn matches(&self, text: &str) -> bool {
        if self.text == text {
            return true;
        }
        let PortRule::Any { before, behind } = &self.port else { return false };
        let Some(rest) = text.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(behind.as_str())) else {
            return false;
        };
        rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether whoever listens there cannot be told from any other program of that machine (RFC 8252 §8.6).
    pub fn is_native(&self) -> bool {
        leads_to_a_device(&self.text)
    }
}

/// Whether a redirect URI leads to a program on the person's device (RFC 8252 §7) and not to a website.
pub fn leads_to_a_device(redirect_uri: &str) -> bool {
    !redirect_uri.starts_with("https://")
}

/// 1 to 65535, written without sign or leading zero.
fn is_port(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
        && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registered(text: &str) -> RedirectUri {
        RedirectUri::register(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example",
            "https://app.example/",
            "https://app.example/cb?a=b",
            "https://app.example/cb?next=https://app.example/home",
            "https://app.example/cb?next=//a/../b&who=me@app.example:8443",
            "http://127.0.0.1/cb?next=https://app.example/home",
            "https://app.example:8443/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "com.example.app://host/cb",
            "https://xn--bcher-kva.example/cb",
        ] {
            registered(good);
        }
    }

    #[test]
    fn what_may_not() {
        for bad in [
            "",
            "http://app.example/cb",
            "https://app.example/cb#",
            "https://app.example/*",
            "https://*.example/cb",
            "https://user@app.example/cb",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example./cb",
            "https://app.example/a/../cb",
            "https://app.example//cb",
            "https://app.example/a//cb?x=1",
            "https://app.example/cb//",
            "https://bücher.example/cb",
            "myapp:/cb",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:x",
            "data:text/html,x",
            "blob:https://app.example/x",
            "file:///etc/passwd",
            "about:blank",
            "https://app.example/(a)",
            "https://app.example/{a}",
            "https://app.example/[a]",
            "https://[2001:db8::1/cb",
            "http://127.0.0.2/cb",
            "http://0.0.0.0/cb",
            "http://2130706433/cb",
            "/cb",
            "https:app.example/cb",
            "https://app.example\\cb",
            "http://[::ffff:127.0.0.1]/cb",
        ] {
            assert!(RedirectUri::register(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn loopback_ports_are_free_and_nothing_else_is() {
        let uri = registered("http://127.0.0.1/cb");
        for good in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert!(uri.matches(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:-1/cb",
            "http://127.0.0.1:+1/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.1:80@evil/cb",
            "http://127.0.0.1:80/x/cb",
            "http://127.0.0.2/cb",
            "http://localhost/cb",
            "https://127.0.0.1/cb",
            "http://127.0.0.1:80/cb?x=1",
        ] {
            assert!(!uri.matches(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_https_uri_matches_itself_alone(path in "[a-z/]{0,12}", sent in ".{0,60}") {
            if let Ok(uri) = RedirectUri::register(&format!("https://app.example/{path}")) {
                prop_assert_eq!(uri.matches(&sent), sent == uri.as_str());
            }
        }

        #[test]
        fn whatever_a_loopback_uri_matches_leads_to_that_loopback_address(sent in "http://127\\.0\\.0\\.1[:0-9a-z@./\\\\-]{0,20}/cb") {
            let uri = registered("http://127.0.0.1/cb");
            if uri.matches(&sent) {
                let url = Url::parse(&sent).expect("what matches is a URL");
                prop_assert_eq!(url.host_str(), Some("127.0.0.1"));
                prop_assert_eq!(url.path(), "/cb");
            }
        }

        #[test]
        fn registration_never_panics(text in "\\PC{0,80}") {
            let _ = RedirectUri::register(&text);
        }
    }
}
