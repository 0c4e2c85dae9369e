//! The cookies in which a first-party app in the browser keeps its tokens: out of reach of its own scripts.

/// Their names and attributes. On https they carry the `__Host-` prefix (RFC 6265bis §4.1.3.2). `SameSite=Strict`: nothing
/// of another site ever sends them.
#[derive(Debug, Clone, Copy)]
pub struct TokenCookies {
    /// The access token, a JWT.
    pub access: &'static str,
    pub refresh: &'static str,
    /// What scripts send as `X-CSRF-Token`; the one that they can read.
    pub csrf: &'static str,
    hidden: &'static str,
    readable: &'static str,
}

/// What every browser keeps of one cookie, name and attributes included (RFC 6265bis §5.6).
const MAX_COOKIE: usize = 4096;

impl TokenCookies {
    pub fn for_issuer(issuer: &str) -> Self {
        if issuer.starts_with("https://") {
            Self {
                access: "__Host-latchway_access",
                refresh: "__Host-latchway_refresh",
                csrf: "__Host-latchway_csrf",
                hidden: "Path=/; Secure; HttpOnly; SameSite=Strict",
                readable: "Path=/; Secure; SameSite=Strict",
            }
        } else {
            Self {
                access: "latchway_access",
                refresh: "latchway_refresh",
                csrf: "latchway_csrf",
                hidden: "Path=/; HttpOnly; SameSite=Strict",
                readable: "Path=/; SameSite=Strict",
            }
        }
    }

    fn attributes(&self, name: &str) -> &'static str {
        if name == self.csrf { self.readable } else { self.hidden }
    }

    /// A `Set-Cookie` value that goes with the browser; `None` if it is more than browsers keep.
    pub fn set(&self, name: &str, value: &str) -> Option<String> {
        let cookie = format!("{name}={value}; {}", self.attributes(name));
        (cookie.len() <= MAX_COOKIE).then_some(cookie)
    }

    /// `Set-Cookie` values that remove all of them.
    pub fn remove(&self) -> [String; 3] {
        [self.access, self.refresh, self.csrf].map(|name| format!("{name}=; Max-Age=0; {}", self.attributes(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_read_the_csrf_token_alone() {
        let cookies = TokenCookies::for_issuer("https://id.example");
        let set = |name| cookies.set(name, "x").expect("short enough");
        assert_eq!(set(cookies.access), "__Host-latchway_access=x; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(set(cookies.refresh), "__Host-latchway_refresh=x; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(set(cookies.csrf), "__Host-latchway_csrf=x; Path=/; Secure; SameSite=Strict");
        assert_eq!(cookies.set(cookies.access, &"x".repeat(4096)), None);
    }
}
