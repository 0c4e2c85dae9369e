//! Why a request was refused, as its answer says, and whom its token speaks of.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use crate::mock::seen::Seen;

/// The error of an answer in a line: of its JSON (RFC 6749 §5.2, RFC 9457), its challenge (RFC 6750 §3), or the redirect
/// that carries it (RFC 6749 §4.1.2.1).
pub fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &actix_web::http::header::HeaderValue| value.to_str().ok());
    if status.is_redirection() {
        return redirected(text(LOCATION)?);
    }
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let json = serde_json::from_slice::<Value>(body).ok();
    let member = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    if let Some(error) = member("error") {
        return Some(joined(error, member("error_description")));
    }
    if let Some(title) = member("title") {
        return Some(joined(title, member("detail")));
    }
    text(WWW_AUTHENTICATE).map(str::to_owned)
}

fn redirected(location: &str) -> Option<String> {
    let url = Url::parse(location).ok()?;
    let fragment = url::form_urlencoded::parse(url.fragment().unwrap_or_default().as_bytes());
    let pairs: Vec<_> = url.query_pairs().chain(fragment).collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
    Some(joined(value("error")?, value("error_description")))
}

fn joined(code: &str, sentence: Option<&str>) -> String {
    sentence.map_or_else(|| code.to_owned(), |sentence| format!("{code}: {sentence}"))
}

/// The claims of the JWT that a request presents, which nobody has verified here.
pub fn claims(seen: &Seen) -> Option<Value> {
    let bearer = seen.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        ["bearer", "dpop"].contains(&scheme.to_ascii_lowercase().as_str()).then_some(token.trim())
    });
    let named = ["access_token", "token", "id_token_hint", "client_assertion"];
    bearer.into_iter().chain(named.iter().filter_map(|name| seen.parameter(name))).find_map(decoded)
}

fn decoded(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    value.is_object().then_some(value)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{AUTHORIZATION, HeaderValue};
    use serde_json::json;

    use super::*;
    use crate::mock::rules::sample::sample;

    #[test]
    fn a_refusal_says_why_in_whatever_form() {
        let why = |status: u16, headers: &[(&'static str, &'static str)], body: &str| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name.parse().expect("a name"), HeaderValue::from_static(value));
            }
            refusal(StatusCode::from_u16(status).expect("a status"), &map, body.as_bytes())
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(why(400, &[], r#"{"error":"invalid_grant","error_description":"late"}"#), is("invalid_grant: late"));
        assert_eq!(why(401, &[("www-authenticate", "Bearer error=\"x\"")], ""), is("Bearer error=\"x\""));
        assert_eq!(why(404, &[], r#"{"title":"Not Found","detail":"no route"}"#), is("Not Found: no route"));
        let location = "http://127.0.0.1/cb?error=access_denied&state=1";
        assert_eq!(why(303, &[("location", location)], ""), is("access_denied"));
        assert_eq!(why(303, &[("location", "http://127.0.0.1/cb?code=1")], ""), None);
        assert_eq!(why(200, &[], r#"{"error":"no"}"#), None);
    }

    #[test]
    fn a_token_is_read_wherever_it_stands() {
        let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"sub":"alice"}"#));
        let mut seen = sample("GET", "/orders", "");
        assert_eq!(claims(&seen), None);
        seen.request.headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"));
        assert_eq!(claims(&seen), Some(json!({"sub": "alice"})));
        assert_eq!(claims(&sample("POST", "/x", &format!("token={token}"))), Some(json!({"sub": "alice"})));
        assert_eq!(claims(&sample("POST", "/x", "token=opaque")), None);
    }
}
