//! Which part of the mock a path belongs to.

use crate::protocol::endpoints;

/// Who answers a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `/mock`: what drives this mode.
    Control,
    /// The authorization server; its path prefix, empty for the main one.
    Issuer { prefix: String },
    /// The mocked API.
    Api,
}

/// Of a path: whose it is, and how it is called there.
pub(super) struct Map<'a> {
    /// Whether the server itself has a path. Its start page is asked for last, as the API may have one.
    pub is_ours: fn(&str) -> bool,
    /// Whether the mocked API has it.
    pub is_api: &'a dyn Fn(&str) -> bool,
    /// Whether there is an issuer with this prefix.
    pub has_issuer: &'a dyn Fn(&str) -> bool,
    /// Whether issuers are made when they are first asked for.
    pub on_demand: bool,
}

impl Map<'_> {
    /// Whose a path is, and its name there.
    pub fn place<'p>(&self, path: &'p str) -> (Place, &'p str) {
        if path.strip_prefix(endpoints::MOCK).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return (Place::Control, path);
        }
        if let Some((prefix, inner)) = self.well_known(path) {
            return (Place::Issuer { prefix: prefix.to_owned() }, inner);
        }
        let is_ours = |path: &str| path != endpoints::HOME && (self.is_ours)(path);
        if is_ours(path) {
            return (Place::Issuer { prefix: String::new() }, path);
        }
        let is_issuer = |prefix: &str, rest: &str| {
            (self.has_issuer)(prefix) || (self.on_demand && speaks_oauth(rest) && !(self.is_api)(path))
        };
        let mut splits = splits(path).filter(|(_, rest)| is_ours(rest) || *rest == endpoints::MOCK_LOGIN);
        if let Some((prefix, rest)) = splits.find(|(prefix, rest)| is_issuer(prefix, rest)) {
            return (Place::Issuer { prefix: prefix.to_owned() }, rest);
        }
        // The start page of the server, unless the API has one of its own.
        if path == endpoints::HOME && !(self.is_api)(path) {
            return (Place::Issuer { prefix: String::new() }, path);
        }
        (Place::Api, path)
    }

    /// RFC 8414 §3.1: the issuer's path stands behind the well-known one.
    fn well_known<'p>(&self, path: &'p str) -> Option<(&'p str, &'static str)> {
        use endpoints::OAUTH_METADATA as METADATA;
        let prefix = path.strip_prefix(METADATA)?.strip_prefix('/')?;
        (is_prefix(prefix) && (self.on_demand || (self.has_issuer)(prefix))).then_some((prefix, METADATA))
    }
}

fn speaks_oauth(path: &str) -> bool {
    path.starts_with("/.well-known/") || path.starts_with("/oauth2/")
}

/// `/realms/acme/login` is `realms` and `/acme/login`, then `realms/acme` and `/login`.
fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let slashes = path.match_indices('/').map(|(at, _)| at).skip(1);
    slashes.map(|at| (&path[1..at], &path[at..])).filter(|(prefix, _)| is_prefix(prefix))
}

/// What an issuer's path may look like: segments of letters, digits, `-`, `_`, `.` and `~`, such as `tenant/v2.0`; 128
/// bytes at most.
pub fn is_prefix(text: &str) -> bool {
    let is_segment = |segment: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        !segment.is_empty() && segment.bytes().any(|b| b != b'.') && segment.bytes().all(known)
    };
    text.len() <= 128 && text.split('/').all(is_segment)
}

/// What a run or a snapshot may be called: 1 to 64 letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> (Place, String) {
        let map = Map {
            is_ours: |path| ["/login", "/oauth2/token", "/.well-known/openid-configuration"].contains(&path),
            is_api: &|path| path == "/pets" || path == "/api/oauth2/token",
            has_issuer: &|prefix| prefix == "acme",
            on_demand: true,
        };
        let (place, inner) = map.place(path);
        (place, inner.to_owned())
    }

    #[test]
    fn paths_have_their_place() {
        let issuer = |prefix: &str| Place::Issuer { prefix: prefix.to_owned() };
        for (path, expected, inner) in [
            ("/mock", Place::Control, "/mock"),
            ("/mock/token", Place::Control, "/mock/token"),
            ("/mocks", Place::Api, "/mocks"),
            ("/login", issuer(""), "/login"),
            ("/acme/login", issuer("acme"), "/login"),
            ("/acme/mock/login", issuer("acme"), "/mock/login"),
            ("/acme/mock/token", Place::Api, "/acme/mock/token"),
            ("/users/login", Place::Api, "/users/login"),
            ("/new/oauth2/token", issuer("new"), "/oauth2/token"),
            ("/api/oauth2/token", Place::Api, "/api/oauth2/token"),
            ("/new/.well-known/openid-configuration", issuer("new"), "/.well-known/openid-configuration"),
            ("/.well-known/oauth-authorization-server/x", issuer("x"), "/.well-known/oauth-authorization-server"),
            ("/", issuer(""), "/"),
            ("/pets", Place::Api, "/pets"),
            ("/a%2Fb/oauth2/token", Place::Api, "/a%2Fb/oauth2/token"),
            ("/realms/demo/oauth2/token", issuer("realms/demo"), "/oauth2/token"),
            (
                "/tenant/v2.0/.well-known/openid-configuration",
                issuer("tenant/v2.0"),
                "/.well-known/openid-configuration",
            ),
            (
                "/.well-known/oauth-authorization-server/realms/demo",
                issuer("realms/demo"),
                "/.well-known/oauth-authorization-server",
            ),
            ("/a/../oauth2/token", Place::Api, "/a/../oauth2/token"),
            ("/realms/demo/login", Place::Api, "/realms/demo/login"),
        ] {
            assert_eq!(place(path), (expected, inner.to_owned()), "{path}");
        }
    }
}
