//! The short forms of `docs/security/catalogue.md`, each asserting all that the table there demands.

use super::{Answer, Client, Redirect, Request, Server};

/// The fields that carry tokens, which no refusal may have.
const TOKENS: &[&str] = &["access_token", "refresh_token", "id_token", "code"];

/// `PAGE`: 400, HTML rendered by the server itself, no redirect of any kind, `state` not reflected unescaped.
#[track_caller]
pub fn assert_page(answer: &Answer) {
    assert_eq!(answer.status, 400, "PAGE: {answer:?}");
    assert_own_page(answer);
    for (name, value) in answer.url.query_pairs() {
        let telling = value.contains(['<', '"', '>']);
        assert!(!telling || !answer.body.contains(&*value), "PAGE reflects {name} unescaped: {answer:?}");
    }
}

/// HTML that stays where it is, with every protection of.
#[track_caller]
pub fn assert_own_page(answer: &Answer) {
    assert!(!answer.body.to_lowercase().contains("http-equiv=\"refresh\""), "a page does not refresh: {answer:?}");
    assert_protected(answer);
}

/// The answer to a form that leads to another origin: a page of the server that goes on by itself, and has a link for whoever
/// stays. Returns where it goes.
#[track_caller]
pub fn assert_goes_on_by_page(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_protected(answer);
    let location = answer.goes_on_to().unwrap_or_else(|| panic!("a page that goes on: {answer:?}"));
    let page = scraper::Html::parse_document(&answer.body);
    let link = scraper::Selector::parse("a#onward").expect("a selector");
    let link = page.select(&link).next().and_then(|link| link.attr("href"));
    assert_eq!(link, Some(location.as_str()), "the link leads there too: {answer:?}");
    let policy = answer.header_or_empty("content-security-policy");
    assert!(policy.ends_with("form-action 'self'"), "{policy}");
    location
}

/// A page of the server with every protection of.
#[track_caller]
fn assert_protected(answer: &Answer) {
    assert!(answer.is_html(), "an HTML page: {answer:?}");
    for name in ["location", "refresh", "access-control-allow-origin"] {
        assert!(!answer.headers.contains_key(name), "a page has no {name}: {answer:?}");
    }
    assert_no_store(answer);
    let policy = answer.header_or_empty("content-security-policy");
    for part in ["frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "Content-Security-Policy has {part}: {answer:?}");
    }
    assert!(!policy.contains("unsafe-inline"), "Content-Security-Policy has no unsafe-inline: {answer:?}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert!(answer.headers.contains_key("cross-origin-opener-policy"), "{answer:?}");
}

/// `RED(x)` for a request with a registered redirect URI: the app gets the error, its state and the issuer.
#[track_caller]
pub fn assert_red(answer: &Answer, request: &Request, error: &str) {
    let redirect = assert_error_redirect(answer, request, error);
    // Compared after one decoding: what the app reads is what it sent, byte for byte.
    assert_eq!(redirect.param("state"), request.get("state"), "state: {answer:?}");
}

/// [`assert_red`] where no single state was sent.
#[track_caller]
pub fn assert_error_redirect(answer: &Answer, request: &Request, error: &str) -> Redirect {
    // 307 and 308 would repeat a POST, with the password in it, at the app. After a form a page of ours goes on.
    if answer.goes_on_to().is_some() {
        assert_goes_on_by_page(answer);
    } else {
        assert!(matches!(answer.status, 302 | 303), "RED({error}): {answer:?}");
    }
    let redirect = answer.redirect();
    let registered = request.get("redirect_uri").expect("a request with a redirect URI");
    let separator = if registered.contains('?') { '&' } else { '?' };
    assert!(redirect.location.starts_with(&format!("{registered}{separator}")), "to {registered}: {answer:?}");
    assert_eq!(redirect.param("error"), Some(error), "{answer:?}");
    assert_eq!(redirect.param("iss"), Some(request.issuer.as_str()), "RFC 9207: {answer:?}");
    for name in TOKENS {
        assert!(redirect.params.iter().all(|(key, _)| key != name), "RED has no {name}: {answer:?}");
    }
    assert!(!redirect.location.contains('#'), "nothing in the fragment: {answer:?}");
    if let Some(description) = redirect.param("error_description") {
        assert_description(description, answer);
    }
    assert_no_store(answer);
    redirect
}

/// `J(n x)`: a JSON error that caches nowhere and carries nothing.
#[track_caller]
pub fn assert_j(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "J({status} {error}): {answer:?}");
    assert!(answer.header_or_empty("content-type").starts_with("application/json"), "JSON: {answer:?}");
    let body = answer.json();
    assert_eq!(body["error"], error, "{answer:?}");
    for name in TOKENS {
        assert!(body.get(name).is_none(), "J has no {name}: {answer:?}");
    }
    if let Some(description) = body.get("error_description") {
        assert_description(description.as_str().expect("error_description is text"), answer);
    }
    assert_no_store(answer);
}

/// `IC`: `invalid_client`, with a challenge if the client tried `Authorization` (RFC 6749 §5.2).
#[track_caller]
pub fn assert_ic(answer: &Answer) {
    assert_j(answer, 401, "invalid_client");
    if answer.authorized {
        let challenge = answer.header_or_empty("www-authenticate");
        assert!(challenge.starts_with("Basic"), "WWW-Authenticate: Basic: {answer:?}");
    }
}

/// `IG`: `invalid_grant`.
#[track_caller]
pub fn assert_ig(answer: &Answer) {
    assert_j(answer, 400, "invalid_grant");
}

/// The authorization request was accepted: the person sees a page of the server, or is led to one.
#[track_caller]
pub fn assert_goes_on(answer: &Answer) {
    match answer.location() {
        Some(location) => {
            assert!(matches!(answer.status, 302 | 303), "goes on: {answer:?}");
            assert!(answer.leads_to_itself(&location), "goes on at the server: {answer:?}");
            assert!(!location.contains("error"), "goes on without an error: {answer:?}");
        }
        None => assert!(answer.status == 200 && answer.is_html(), "goes on: {answer:?}"),
    }
    assert_no_store(answer);
}

/// `SAME`: status, headers (but for dates, ids and cookies' values) and length of the body are equal.
#[track_caller]
pub fn assert_same(one: &Answer, other: &Answer) {
    assert_eq!(one.status, other.status, "SAME status:\n{one:?}\n{other:?}");
    assert_eq!(comparable(one), comparable(other), "SAME headers:\n{one:?}\n{other:?}");
    assert_eq!(one.body.len(), other.body.len(), "SAME length:\n{one:?}\n{other:?}");
}

/// `REV` of an access token: refused at introspection and at userinfo.
pub async fn assert_revoked(client: &Client, access_token: &str) {
    let answer = client.introspect(access_token).await;
    assert_eq!(answer.json(), serde_json::json!({"active": false}), "REV: {answer:?}");
    let answer = client.userinfo(access_token).await;
    assert_eq!(answer.status, 401, "REV: {answer:?}");
}

#[track_caller]
pub fn assert_no_store(answer: &Answer) {
    let value = answer.header_or_empty("cache-control");
    assert!(value.contains("no-store"), "Cache-Control: no-store: {answer:?}");
}

/// A 200 from the token endpoint with tokens in it.
#[track_caller]
pub fn assert_tokens(answer: &Answer) {
    assert_eq!(answer.status, 200, "tokens: {answer:?}");
    assert_no_store(answer);
    assert!(!answer.text("access_token").is_empty(), "{answer:?}");
    assert_eq!(answer.text("token_type").to_lowercase(), "bearer", "{answer:?}");
}

/// RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
#[track_caller]
fn assert_description(text: &str, answer: &Answer) {
    let fine = |character: char| matches!(character, ' '..='!' | '#'..='[' | ']'..='~');
    assert!(text.chars().all(fine), "error_description {text:?}: {answer:?}");
}

fn comparable(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| match name.as_str() {
            "set-cookie" => (name, value.split_once('=').map_or(String::new(), |(cookie, _)| cookie.to_owned())),
            // The nonce differs, the policy may not.
            "content-security-policy" => (name, value.split("'nonce-").next().unwrap_or_default().to_owned()),
            _ => (name, value),
        })
        .collect();
    headers.sort();
    headers
}

/// `AUD(x)`: exactly one audit record of this type for the request that got this answer, and nothing secret in it.
#[track_caller]
pub fn assert_audit(server: &Server, answer: &Answer, kind: &str) {
    let request_id = answer.header("x-request-id").unwrap_or_else(|| panic!("no x-request-id: {answer:?}"));
    let found = audit(server, &format!("kind = '{kind}' AND request_id = '{request_id}'"));
    assert_eq!(found.len(), 1, "AUD({kind}) for {request_id}: {found:?} after {answer:?}");
    let text = found[0].to_string();
    for (name, value) in answer.url.query_pairs() {
        let secret = matches!(&*name, "state" | "nonce" | "code_challenge" | "code" | "login_hint");
        assert!(!secret || value.len() < 8 || !text.contains(&*value), "AUD({kind}) tells {name}: {text}");
    }
    assert!(!text.contains("/oauth2/authorize?"), "AUD({kind}) tells a whole URL: {text}");
}

/// Audit records as rows in JSON, for a condition in SQL.
pub fn audit(server: &Server, condition: &str) -> Vec<serde_json::Value> {
    server.database.rows("audit_events", condition)
}
