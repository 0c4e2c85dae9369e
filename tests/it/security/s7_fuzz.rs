//! 7 HTTP: whatever is sent anywhere, nothing breaks.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::RequestBuilder;

use super::held::{Held, at_once};
use crate::harness::*;

/// Every endpoint that takes anything, with the parameters that it knows.
const ENDPOINTS: &[(&str, &str, &[&str])] = &[
    (
        "GET",
        "/oauth2/authorize",
        &["client_id", "redirect_uri", "state", "scope", "max_age", "prompt", "code_challenge", "id_token_hint"],
    ),
    ("POST", "/oauth2/authorize", &["client_id", "redirect_uri", "response_mode", "resource", "login_hint"]),
    (
        "POST",
        "/oauth2/token",
        &[
            "grant_type",
            "code",
            "code_verifier",
            "refresh_token",
            "client_id",
            "client_secret",
            "client_assertion",
            "resource",
        ],
    ),
    ("POST", "/oauth2/introspect", &["token", "token_type_hint", "client_id", "client_secret"]),
    ("POST", "/oauth2/revoke", &["token", "token_type_hint", "client_id", "client_secret"]),
    ("POST", "/oauth2/userinfo", &["access_token"]),
    ("GET", "/login", &["transaction", "switch"]),
    ("POST", "/login", &["csrf", "transaction", "username", "password"]),
    ("POST", "/login/switch", &["csrf", "transaction"]),
    ("GET", "/consent", &["transaction"]),
    ("POST", "/consent", &["csrf", "transaction", "decision"]),
    ("GET", "/setup", &["token"]),
    ("POST", "/setup", &["csrf", "token", "username", "email", "password", "password_again"]),
    ("GET", "/account", &["removed", "done"]),
    ("POST", "/account/revoke", &["csrf", "client_id"]),
    ("POST", "/account/sessions/revoke", &["csrf", "session"]),
    ("GET", "/account/api-keys", &["done"]),
    ("POST", "/account/api-keys", &["csrf", "once", "name", "scope", "expires", "networks"]),
    ("POST", "/account/api-keys/rotate", &["csrf", "once", "id"]),
    ("POST", "/account/api-keys/revoke", &["csrf", "id"]),
    ("POST", "/api/v1/api-keys", &["name", "scope"]),
    ("GET", "/api/v1/api-keys", &["id"]),
    ("POST", "/logout", &["csrf"]),
    ("GET", "/static/app.css", &["v"]),
    ("GET", "/client-logo/%00", &["v"]),
    ("GET", "/client-logo/%ff%fe", &["v"]),
    ("GET", "/.well-known/jwks.json", &["v"]),
];

/// Values on which parsers stumble, raw as they go into a query or a form.
const PROBES: &[&str] = &[
    "",
    "%",
    "%zz",
    "%00",
    "%ff%fe",
    "%c0%af",
    "%ed%a0%80",
    "%0d%0aX:%20y",
    "-1",
    "9223372036854775808",
    "1e400",
    "NaN",
    "99999999999999999999999999",
    "0x10",
    "9999-02-29",
    "%F0%9F%92%A9",
    "..%2f..%2f",
    "%27%20OR%201=1--",
    "%7B%7B7*7%7D%7D",
    "%3Cscript%3E",
    "a.b.c",
    "eyJhbGciOiJub25lIn0.e30.",
    "....",
    "AAAA",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "lwrt_",
    "%2B%2F%3D",
    "http://[::1",
    "http://[",
    "http://a:99999/",
    "://",
    "javascript:alert(1)",
    "\u{202e}",
    "a%00b",
    "%20",
    "+",
    "=",
    "&&&",
    "openid%20%20openid",
    "%5B%5D=1",
    "%s%n%x",
];

fn fill(request: (&str, &str), query: &str, server: &Server) -> RequestBuilder {
    match request {
        ("GET", path) => http().get(server.url(&format!("{path}?{query}"))),
        (_, path) => {
            let request = http().post(server.url(path)).header("Content-Type", "application/x-www-form-urlencoded");
            request.header("Cookie", "latchway_browser=x; latchway_session=y").body(query.to_owned())
        }
    }
}

async fn none_failed(requests: Vec<RequestBuilder>) {
    for chunk in requests.chunks(20) {
        for answer in at_once(chunk.iter().map(|request| request.try_clone().expect("a plain request"))).await {
            // 503 is a refusal too, but nothing here is that many.
            assert!(answer.status < 500, "{answer:?}");
            assert!(answer.headers.contains_key("x-request-id"), "{answer:?}");
        }
    }
}

fn assert_no_panic(server: &Server) {
    assert!(server.is_alive());
    let log = server.log();
    assert!(!log.contains("panicked"), "{}", log.lines().find(|line| line.contains("panicked")).unwrap_or_default());
}

async fn g_014_probes(server: Shared) {
    let held = Held::new(server).await;
    let session = held.browser.jar().header("/").expect("cookies");
    let mut requests = Vec::new();
    for (method, path, names) in ENDPOINTS {
        for probe in PROBES {
            let query: Vec<String> = names.iter().map(|name| format!("{name}={probe}")).collect();
            requests.push(fill((method, path), &query.join("&"), server));
        }
        requests.push(fill((method, path), &"a&".repeat(3_000), server));
        requests.push(fill((method, path), &format!("{}=1", "[a]".repeat(1_000)), server).header("Cookie", &session));
    }
    // A good request in which one parameter at a time is wrong.
    for name in ["max_age", "state", "nonce", "prompt", "resource", "ui_locales", "acr_values", "display", "login_hint"]
    {
        for probe in PROBES {
            let url = held.client.request().set_raw(name, probe).url();
            requests.push(http().get(url.replace('\u{202e}', "%E2%80%AE")).header("Cookie", &session));
        }
    }
    none_failed(requests).await;
    assert_no_panic(server);
}

async fn g_014_headers(server: Shared) {
    let held = Held::new(server).await;
    let basics = [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic AAAA",
        "Basic Og==",
        "Basic AA==",
        "Basic ADph",
        "Basic OjpOOg==",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "DPoP x",
        "é",
    ];
    let mut requests = Vec::new();
    for value in basics {
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo"] {
            let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            requests.push(
                http()
                    .post(server.url(path))
                    .header("Authorization", value)
                    .form(&[("token", "x"), ("grant_type", "x")]),
            );
        }
    }
    let odd = |bytes: &[u8]| reqwest::header::HeaderValue::from_bytes(bytes).expect("a value");
    for name in [
        "Cookie",
        "Origin",
        "Accept",
        "Accept-Language",
        "Content-Type",
        "User-Agent",
        "If-None-Match",
        "X-Forwarded-For",
        "Sec-Fetch-Site",
        "Access-Control-Request-Method",
    ] {
        for value in [&b"\xff\xfe"[..], b"", b";;;===", b"\"", b"%00", &[b'a'; 8_000]] {
            requests.push(http().get(server.url("/login")).header(name, odd(value)));
            requests.push(http().post(server.url("/oauth2/token")).header(name, odd(value)).body("grant_type=x"));
            requests
                .push(http().request(reqwest::Method::OPTIONS, server.url("/oauth2/token")).header(name, odd(value)));
        }
    }
    // A subject with a NUL in it, on its way to a database that takes none.
    let assertion = EsKey::new().sign(&serde_json::json!({"iss": "a\u{0}b", "sub": "a\u{0}b", "aud": server.issuer, "jti": "\u{0}", "exp": now() + 60}));
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let form =
        [("client_assertion_type", kind), ("client_assertion", &assertion), ("grant_type", "client_credentials")];
    requests.push(http().post(server.url("/oauth2/token")).form(&form));
    requests.push(http().get(server.url("/oauth2/userinfo")).bearer_auth(&held.access));
    none_failed(requests).await;
    assert_no_panic(server);
}

/// A grammar fuzzer in small: known names, probes and random bytes, in random order. It stays well under a minute; the
/// seed is new each time, and a failure shows the request.
async fn g_015_fuzz(server: Shared) {
    let held = Held::new(server).await;
    let session = held.browser.jar().header("/").expect("cookies");
    let mut runner = TestRunner::default();
    let value = prop_oneof![
        proptest::sample::select(PROBES).prop_map(|probe| probe.replace('\u{202e}', "%E2%80%AE")),
        "[ -~]{0,30}".prop_map(|text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect()),
        proptest::collection::vec(any::<u8>(), 0..30)
            .prop_map(|bytes| bytes.iter().map(|b| format!("%{b:02x}")).collect()),
        Just(held.client.id.clone()),
        Just(held.access.clone()),
        Just(held.refresh.clone()),
    ];
    let pair = |names: &'static [&'static str]| {
        (proptest::sample::select(names), value.clone()).prop_map(|(name, value)| format!("{name}={value}"))
    };
    let mut requests = Vec::new();
    for round in 0..12 {
        for (method, path, names) in ENDPOINTS {
            let pairs = proptest::collection::vec(pair(names), 0..10).new_tree(&mut runner).expect("pairs").current();
            let request = fill((method, path), &pairs.join("&"), server);
            let request = if round % 2 == 0 { request } else { request.header("Cookie", &session) };
            let client = (round % 3 == 0).then_some(&held.client);
            requests
                .push(client.into_iter().fold(request, |r, client| r.basic_auth(&client.id, client.secret.as_deref())));
        }
    }
    none_failed(requests).await;
    assert_no_panic(server);
    assert_eq!(held.browser.get("/account").await.status, 200, "no forged form ended the session");
}

both![g_014_probes, g_014_headers, g_015_fuzz];
