//! The header fields that tell a client of its limits (draft-ietf-httpapi-ratelimit-headers-10).

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::defense::{Exceeded, Left};
use crate::protocol::{RateLimit, RateLimitPolicy};

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What is left, on an answer that says nothing of it yet.
pub fn left(left: Option<&Left>, headers: &mut HeaderMap) {
    if let Some(left) = left.filter(|_| !headers.contains_key(&LIMIT)) {
        put(left.shown(), headers);
    }
}

/// A refusal by a limit that may be told.
pub fn refused(exceeded: &Exceeded, headers: &mut HeaderMap) {
    if let Some(policy) = &exceeded.policy {
        exhausted(policy, exceeded.retry_after, headers);
    }
}

/// Nothing is left for so many seconds.
pub fn exhausted(policy: &RateLimitPolicy, seconds: u64, headers: &mut HeaderMap) {
    put(RateLimit { policy, remaining: 0, reset: seconds }, headers);
}

fn put(limit: RateLimit<'_>, headers: &mut HeaderMap) {
    let value = |text: String| HeaderValue::try_from(text).ok();
    if let (Some(policy), Some(limit)) = (value(limit.policy.to_string()), value(limit.to_string())) {
        headers.insert(POLICY.clone(), policy);
        headers.insert(LIMIT.clone(), limit);
    }
}
