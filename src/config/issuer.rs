//! The issuer identifier: what it must look like.

use std::net::SocketAddr;

use url::{Host, Url};

/// Refuses an issuer that clients would compare wrongly or that would give tokens away, and says what to write.
pub(super) fn check(issuer: &str) -> Result<Url, String> {
    let url =
        Url::parse(issuer).map_err(|error| format!("is not a URL ({error}); write one such as https://id.example"))?;
    check_scheme(&url)?;
    check_parts(&url)?;
    check_spelling(issuer, &url)?;
    Ok(url)
}

/// RFC 8414 §2: https; plain http never leaves the machine.
fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err("must begin with https://, since its host is not loopback".to_owned()),
        _ => Err("must begin with https://".to_owned()),
    }
}

/// RFC 8414 §2: no query and no fragment.
fn check_parts(url: &Url) -> Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password; remove all before the @".to_owned());
    }
    if url.query().is_some() {
        return Err("must not hold a query; remove the ? and what follows".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not hold a fragment; remove the # and what follows".to_owned());
    }
    Ok(())
}

/// RFC 8414 §3.3: issuers are compared character by character, so there is one spelling.
fn check_spelling(issuer: &str, url: &Url) -> Result<(), String> {
    let bare = url.as_str().trim_end_matches('/');
    if issuer.ends_with('/') {
        return Err(format!("must not end with a slash; write {bare}"));
    }
    if url.path() != "/" {
        let origin = url.origin().ascii_serialization();
        return Err(format!("must have no path, since Latchway serves the root of its host; write {origin}"));
    }
    if issuer != bare {
        return Err(format!("must be written as {bare}"));
    }
    Ok(())
}

/// Whether the URL's host is this machine by definition: localhost, 127.0.0.0/8 or [::1].
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// The issuer of a server that is reached where it listens.
pub(super) fn at(listen: SocketAddr) -> String {
    let issuer = format!("http://{listen}");
    issuer.strip_suffix(":80").map(str::to_owned).unwrap_or(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones_pass() {
        for issuer in [
            "https://id.example",
            "https://id.example:8443",
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080",
        ] {
            assert!(check(issuer).is_ok(), "{issuer}: {:?}", check(issuer));
        }
    }

    #[test]
    fn bad_ones_are_refused_with_the_fix() {
        for (issuer, fix) in [
            ("id.example", "https://id.example"),
            ("http://id.example", "https://"),
            ("http://localhost.evil.example", "https://"),
            ("http://0.0.0.0:8080", "https://"),
            ("ftp://id.example", "https://"),
            ("https://id.example/", "write https://id.example"),
            ("https://id.example/tenant", "must have no path"),
            ("https://id.example?x", "query"),
            ("https://id.example#x", "fragment"),
            ("https://me:pw@id.example", "user name"),
            ("https://ID.example", "https://id.example"),
            ("https://id.example:443", "https://id.example"),
            ("https://id.example/a/../b", "must have no path"),
            ("https://id.example//b", "must have no path"),
            (" https://id.example", "https://id.example"),
            ("https:id.example", "https://id.example"),
        ] {
            let reason = check(issuer).expect_err(issuer);
            assert!(reason.contains(fix), "{issuer}: {reason}");
        }
    }

    #[test]
    fn a_derived_issuer_passes() {
        for (listen, issuer) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("127.0.0.1:80", "http://127.0.0.1"),
        ] {
            assert_eq!(at(listen.parse().expect("an address")), issuer);
            assert!(check(issuer).is_ok());
        }
    }
}
