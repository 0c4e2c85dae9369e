//! The answers of rules, as the endpoints themselves would give them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use url::{Host, Url};

use super::then::Then;
use crate::mock::place::Place;
use crate::mock::seen::Seen;
use crate::protocol::{RateLimit, RateLimitPolicy, endpoints};

impl Then {
    /// What is answered instead of serving the request, if anything. `issuer` is the identifier of the one that was asked.
    pub fn answer(&self, seen: &Seen, issuer: &str) -> Option<HttpResponse> {
        match self {
            Self::Pass | Self::RotateKeys | Self::Drop | Self::DropMidBody => None,
            Self::Status { status, headers, body } => {
                let mut response = HttpResponse::build(*status);
                for (name, value) in headers {
                    response.append_header((name.clone(), value.clone()));
                }
                Some(response.body(body.clone()))
            }
            Self::RateLimited { retry_after } => Some(rate_limited(*retry_after)),
            Self::OauthError { error, description, status } => {
                Some(oauth_error(seen, issuer, error, description, *status))
            }
        }
    }
}

fn rate_limited(seconds: u32) -> HttpResponse {
    let policy = RateLimitPolicy { name: "mock".to_owned(), quota: 1, window: seconds.max(1) };
    let limit = RateLimit { policy: &policy, remaining: 0, reset: seconds.into() };
    HttpResponse::TooManyRequests()
        .insert_header((RETRY_AFTER, seconds.to_string()))
        .insert_header(("RateLimit-Policy", policy.to_string()))
        .insert_header(("RateLimit", limit.to_string()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"error": "slow_down", "error_description": "too many requests; wait as long as Retry-After says"}))
}

fn oauth_error(seen: &Seen, issuer: &str, error: &str, description: &str, status: Option<StatusCode>) -> HttpResponse {
    let is_api = seen.place == Place::Api;
    if !is_api
        && seen.path == endpoints::AUTHORIZE
        && status.is_none()
        && let Some(back) = way_back(seen, issuer, error, description)
    {
        return HttpResponse::SeeOther()
            .insert_header((LOCATION, back))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    let mut response = HttpResponse::build(status.unwrap_or_else(|| status_of(error)));
    // RFC 6749 §5.1
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    if is_api || seen.path == endpoints::USERINFO {
        // RFC 6750 §3
        let challenge = format!(r#"Bearer realm="latchway", error="{error}", error_description="{description}""#);
        response.insert_header((WWW_AUTHENTICATE, challenge));
    } else if error == "invalid_client" {
        // RFC 6749 §5.2
        response.insert_header((WWW_AUTHENTICATE, r#"Basic realm="latchway", charset="UTF-8""#));
    }
    response.json(json!({"error": error, "error_description": description}))
}

/// RFC 6749 §4.1.2.1, RFC 9207 §2; to this machine or to an app on it alone, as nobody has checked the redirect URI.
fn way_back(seen: &Seen, issuer: &str, error: &str, description: &str) -> Option<String> {
    let mut url = Url::parse(seen.parameter("redirect_uri")?).ok()?;
    let local = match (url.scheme(), url.host()) {
        ("http" | "https", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http" | "https", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http" | "https", Some(Host::Ipv6(address))) => address.is_loopback(),
        // RFC 8252 §7.1: a domain turned around.
        (scheme, _) => scheme.contains('.'),
    };
    if !local {
        return None;
    }
    let mut answer = url::form_urlencoded::Serializer::new(String::new());
    answer.append_pair("error", error).append_pair("error_description", description);
    if let Some(state) = seen.parameter("state") {
        answer.append_pair("state", state);
    }
    let answer = answer.append_pair("iss", issuer).finish();
    if seen.parameter("response_mode") == Some("fragment") {
        url.set_fragment(Some(&answer));
    } else {
        let query = url.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&{answer}"));
        url.set_query(Some(&query.unwrap_or(answer)));
    }
    Some(url.into())
}

/// RFC 6749 §5.2, RFC 6750 §3.1, RFC 8628 §3.5, RFC 9470 §3
fn status_of(error: &str) -> StatusCode {
    match error {
        "invalid_client" | "invalid_token" | "insufficient_user_authentication" => StatusCode::UNAUTHORIZED,
        "insufficient_scope" => StatusCode::FORBIDDEN,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::rules::sample::sample;

    fn answer(seen: &Seen) -> HttpResponse {
        let then = Then::OauthError { error: "access_denied".into(), description: "no".into(), status: None };
        then.answer(seen, "http://127.0.0.1:8080").expect("an answer")
    }

    #[test]
    fn an_error_goes_back_to_this_machine_alone() {
        let ask = |uri: &str| {
            let uri: String = url::form_urlencoded::byte_serialize(uri.as_bytes()).collect();
            let seen = sample("GET", "/oauth2/authorize", &format!("state=s&redirect_uri={uri}"));
            answer(&seen).headers().get(LOCATION).map(|location| location.to_str().expect("text").to_owned())
        };
        let tail = "error=access_denied&error_description=no&state=s&iss=http%3A%2F%2F127.0.0.1%3A8080";
        assert_eq!(ask("http://localhost:3000/cb"), Some(format!("http://localhost:3000/cb?{tail}")));
        assert_eq!(ask("http://127.0.0.1/cb?x=1"), Some(format!("http://127.0.0.1/cb?x=1&{tail}")));
        assert_eq!(ask("com.example.app:/cb"), Some(format!("com.example.app:/cb?{tail}")));
        for elsewhere in ["https://evil.example/cb", "javascript:alert(1)", "http://localhost.evil.example/", "data:x"]
        {
            assert_eq!(ask(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn the_api_challenges() {
        let mut seen = sample("GET", "/orders", "");
        seen.place = Place::Api;
        let then = Then::OauthError { error: "invalid_token".into(), description: "expired".into(), status: None };
        let response = then.answer(&seen, "x").expect("an answer");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = response.headers().get(WWW_AUTHENTICATE).expect("a challenge");
        assert_eq!(challenge, r#"Bearer realm="latchway", error="invalid_token", error_description="expired""#);
    }
}
