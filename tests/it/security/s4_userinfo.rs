//! 4 Userinfo, discovery, and what is not there for everybody.

use serde_json::{Value, json};

use super::held::Held;
use super::metadata;
use crate::harness::*;

async fn d_020_tokens_that_open_nothing(server: Shared) {
    let held = Held::by(server, Spec::confidential().audience("https://d020.example").create(server)).await;
    let url = server.url("/oauth2/userinfo");
    let none = Answer::of(http().get(&url)).await;
    assert_j(&none, 401, "invalid_token");
    let challenge = none.header_or_empty("www-authenticate");
    assert!(challenge.starts_with("Bearer") && !challenge.contains("error"), "RFC 6750 §3.1: {none:?}");
    for token in ["garbage", "a.b.c", &held.id, &held.refresh] {
        let answer = held.client.userinfo(token).await;
        assert_j(&answer, 401, "invalid_token");
        assert!(answer.header_or_empty("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
    }
    let basic = http().get(&url).basic_auth(&held.client.id, held.client.secret.as_deref());
    assert_j(&Answer::of(basic).await, 401, "invalid_token");
    // In the URL, never, though the token is good.
    let in_the_url = Answer::of(http().get(format!("{url}?access_token={}", held.access))).await;
    assert_j(&in_the_url, 400, "invalid_request");
    let also = http().get(format!("{url}?access_token=x")).bearer_auth(&held.access);
    assert_j(&Answer::of(also).await, 400, "invalid_request");
    // In header and body, or twice.
    let both = http().post(&url).bearer_auth(&held.access).form(&[("access_token", &held.access)]);
    assert_j(&Answer::of(both).await, 400, "invalid_request");
    let twice = http().post(&url).form(&[("access_token", &held.access), ("access_token", &held.access)]);
    assert_j(&Answer::of(twice).await, 400, "invalid_request");
    let headers = http().get(&url).bearer_auth(&held.access).header("Authorization", format!("Bearer {}", held.access));
    assert_j(&Answer::of(headers).await, 400, "invalid_request");
    // In one place it is good.
    assert_eq!(Answer::of(http().get(&url).bearer_auth(&held.access)).await.status, 200);
    assert_eq!(Answer::of(http().post(&url).bearer_auth(&held.access)).await.status, 200);
    assert_eq!(Answer::of(http().post(&url).form(&[("access_token", &held.access)])).await.status, 200);
}

async fn d_020_for_another_api_or_no_person(server: Shared) {
    let api = "https://d020b.example";
    let client = Spec::confidential().scope("openid profile").audience(api).create(server);
    // Without openid there is no userinfo.
    let request = client.request().set("scope", "profile").set("resource", api);
    let code = Browser::new(server).grant(&User::new(server), &request).await.code();
    let token = client.redeem(&request, &code).await.text("access_token");
    assert_eq!(claims_of(&token)["aud"], json!([api]));
    assert_j(&client.userinfo(&token).await, 401, "invalid_token");
    let plain = Spec::confidential().scope("openid profile reports:read").create(server);
    let request = plain.request().set("scope", "profile");
    let code = Browser::new(server).grant(&User::new(server), &request).await.code();
    let answer = plain.userinfo(&plain.redeem(&request, &code).await.text("access_token")).await;
    assert_j(&answer, 403, "insufficient_scope");
    assert!(answer.header_or_empty("www-authenticate").contains("scope=\"openid\""), "{answer:?}");
    // A program's token stands for nobody.
    let token =
        plain.token(&[("grant_type", "client_credentials"), ("scope", "reports:read")]).await.text("access_token");
    let answer = plain.userinfo(&token).await;
    assert!([401, 403].contains(&answer.status), "{answer:?}");
    assert!(answer.json().get("sub").is_none(), "{answer:?}");
}

async fn d_020_expired(db: Db) {
    let server = Server::start(db, &[("tokens.access_token_seconds", "1")]);
    let held = Held::new(&server).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    held.refused(&held.access).await;
}

async fn d_021_claims_by_scope(server: Shared) {
    let profile = ["name", "preferred_username", "updated_at"];
    let email = ["email", "email_verified"];
    for (scope, shown) in [
        ("openid", vec![]),
        ("openid profile", profile.to_vec()),
        ("openid email", email.to_vec()),
        ("openid profile email", [&profile[..], &email].concat()),
    ] {
        let client = Client::confidential(server);
        let request = client.request().set("scope", scope);
        let held = Held::asked(server, client, &request).await;
        let info = held.client.userinfo(&held.access).await;
        assert_no_store(&info);
        let info = info.json();
        assert_eq!(info["sub"], claims_of(&held.id)["sub"], "{info}");
        let mut names: Vec<&str> = info.as_object().expect("an object").keys().map(String::as_str).collect();
        names.retain(|name| *name != "sub");
        let mut wanted = shown.clone();
        wanted.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, wanted, "{scope}");
        assert!(info.get("email_verified").is_none_or(|verified| *verified == false), "nobody verified it: {info}");
    }
}

/// There is no admin API yet, and who is logged in is for first-party clients to ask: a token opens nothing there. The
/// account page wants a session.
async fn d_022_no_api_by_token(server: Shared) {
    let held = Held::new(server).await;
    for path in
        ["/api/admin/v1/clients", "/api/v1/users", "/admin", "/clients", "/tokens", "/grants", "/users", "/keys"]
    {
        let answer = Answer::of(http().get(server.url(path)).bearer_auth(&held.access)).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert!(!answer.body.contains("secret"), "{answer:?}");
    }
    assert_j(&Answer::of(http().get(server.url("/api/v1/me")).bearer_auth(&held.access)).await, 403, "forbidden");
    for path in ["/account", "/account?user=1"] {
        let answer = Answer::of(http().get(server.url(path)).bearer_auth(&held.access)).await;
        assert_eq!(answer.location(), Some(server.url("/login")), "{answer:?}");
    }
    let other = Held::new(server).await;
    let page = held.browser.get("/account").await;
    assert!(page.body.contains(&held.user.username) && !page.body.contains(&other.user.username), "{page:?}");
    // And nobody ends another's session by its id.
    let hex = |value: &Value| value.as_str().expect("bytes").trim_start_matches("\\x").to_lowercase();
    let theirs = other.user.id.replace('-', "");
    let of_theirs = || {
        let rows = server.database.rows("sessions", "ended_at IS NULL");
        rows.into_iter().find(|row| hex(&row["user_id"]) == theirs).expect("the other one's session")
    };
    let mut form = page.form("/account/revoke").with("session", &hex(&of_theirs()["id"]));
    form.action = form.action.join("/account/sessions/revoke").expect("a path");
    assert_eq!(held.browser.post(&form).await.status, 303, "taken, and nothing done");
    of_theirs();
    assert_eq!(other.browser.get("/account").await.status, 200, "still logged in");
}

/// Lists are not offered; the parameters that pages take are no SQL and no paths.
async fn d_023_parameters_are_not_sql(server: Shared) {
    let held = Held::new(server).await;
    for query in
        ["removed=%27%20OR%201%3D1%20--", "removed=%3B%20DROP%20TABLE%20users", "done=%3Cscript%3E", "sort=%3Bdrop"]
    {
        let page = held.browser.get(&format!("/account?{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_own_page(&page);
        assert!(!page.body.contains("<script>") && !page.body.contains("DROP TABLE"), "{page:?}");
    }
    for id in ["..%2f..%2fetc%2fpasswd", "%27%20OR%20%271%27=%271", "%00", &"x".repeat(4_000)] {
        let answer = held.browser.get(&format!("/client-logo/{id}")).await;
        assert!([400, 404].contains(&answer.status), "{answer:?}");
    }
    for name in ["..%2fCargo.toml", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc", ".env"] {
        let answer = held.browser.get(&format!("/static/{name}")).await;
        assert!([400, 404].contains(&answer.status), "{answer:?}");
    }
}

async fn d_024_discovery(server: Shared) {
    let plain = metadata(server).await;
    assert_eq!(plain["issuer"], server.issuer.as_str());
    for (name, value) in [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Forwarded-Prefix", "/evil"),
    ] {
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
            let answer = Answer::of(http().get(server.url(path)).header(name, value)).await;
            assert_eq!(answer.json(), plain, "{name}: {answer:?}");
        }
    }
    for (name, value) in plain.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            assert!(
                value.as_str().is_some_and(|url| url.starts_with(&format!("{}/", server.issuer))),
                "{name}: {value}"
            );
        }
    }
    // What is not built is not advertised, and answers as what it is.
    for name in [
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "end_session_endpoint",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
        "backchannel_logout_supported",
        "check_session_iframe",
    ] {
        assert!(plain.get(name).is_none_or(|value| *value == false), "{name}");
    }
    for name in ["request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"] {
        assert_eq!(plain[name], false, "{name}");
    }
    assert_eq!(
        plain["grant_types_supported"],
        json!(["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT])
    );
    assert_eq!(plain["response_types_supported"], json!(["code"]));
    for path in ["/oauth2/register", "/oauth2/par", "/oauth2/logout"] {
        assert_eq!(Answer::of(http().post(server.url(path))).await.status, 404, "{path}");
    }
    let cross = http().get(server.url("/.well-known/openid-configuration")).header("Origin", "https://spa.example");
    let answer = Answer::of(cross).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(answer.header_or_empty("cache-control").contains("max-age="), "{answer:?}");
}

/// An issuer behind https speaks of https, whatever the connection to it was.
async fn d_024_https_issuer(db: Db) {
    let server = Server::start(db, &[("server.issuer", "https://id.example")]);
    let document = metadata(&server).await;
    for (name, value) in document.as_object().expect("an object") {
        let url = value.as_str().is_some_and(|text| text.contains("://"));
        assert!(!url || value.as_str().is_some_and(|text| text.starts_with("https://id.example")), "{name}: {value}");
    }
    let answer = Browser::new(&server).get("/login").await;
    assert!(answer.header_or_empty("strict-transport-security").contains("max-age="), "{answer:?}");
}

async fn d_025_nothing_internal_in_public(db: Db) {
    let server = Server::start(db, &[("database.timeout_seconds", "1")]);
    let browser = Browser::new(&server);
    for path in
        ["/metrics", "/debug", "/debug/pprof", "/actuator", "/health/detail", "/status", "/.env", "/server-status"]
    {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    for path in ["/livez", "/readyz", "/", "/nothing-here", "/oauth2/nothing-here"] {
        let answer = browser.get(path).await;
        for name in ["server", "x-powered-by", "via"] {
            assert_eq!(answer.header(name), None, "{path}");
        }
        assert!(!answer.body.contains("latchway 0.") && !answer.body.contains("actix"), "{answer:?}");
    }
    assert_eq!(browser.get("/livez").await.json(), json!({"status": "ok"}));
    // A failure tells its number and nothing of its cause.
    let held = Held::new(&server).await;
    let blocked = server.database.block();
    let answer = held.client.refresh(&held.refresh).await;
    drop(blocked);
    assert_j(&answer, 503, "temporarily_unavailable");
    let text = answer.body.to_lowercase();
    for word in ["sqlite", "postgres", "database", "lock", "diesel", ".rs", "panic", "/tmp", "select", "timeout"] {
        assert!(!text.contains(word), "{word}: {answer:?}");
    }
    let id = answer.header_or_empty("x-request-id").to_owned();
    let begin = std::time::Instant::now();
    while !server.log().contains(&id) {
        assert!(begin.elapsed().as_secs() < 5, "the log has it under {id}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(matches!(answer.json(), Value::Object(_)));
}

both![
    d_020_tokens_that_open_nothing,
    d_020_for_another_api_or_no_person,
    d_020_expired,
    d_021_claims_by_scope,
    d_022_no_api_by_token,
    d_023_parameters_are_not_sql,
    d_024_discovery,
    d_024_https_issuer,
    d_025_nothing_internal_in_public,
];
