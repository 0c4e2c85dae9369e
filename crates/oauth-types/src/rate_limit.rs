//! The `RateLimit` and `RateLimit-Policy` header fields (draft-ietf-httpapi-ratelimit-headers-10).

use std::fmt;

/// A limit as clients are told of it: `"token-address";q=600;w=60`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitPolicy {
    /// Visible ASCII without quotes or backslashes.
    pub name: String,
    /// How many.
    pub quota: u32,
    /// In so many seconds.
    pub window: u32,
}

impl fmt::Display for RateLimitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\";q={};w={}", self.name, self.quota, self.window)
    }
}

/// What is left of a limit: `"token-address";r=12;t=3`.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit<'a> {
    pub policy: &'a RateLimitPolicy,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u64,
}

impl fmt::Display for RateLimit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\";r={};t={}", self.policy.name, self.remaining, self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_structured() {
        let policy = RateLimitPolicy { name: "token-address".to_owned(), quota: 600, window: 60 };
        assert_eq!(policy.to_string(), r#""token-address";q=600;w=60"#);
        let left = RateLimit { policy: &policy, remaining: 12, reset: 3 };
        assert_eq!(left.to_string(), r#""token-address";r=12;t=3"#);
    }
}
