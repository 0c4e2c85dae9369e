//! 1.4 What comes back: state, response_mode, response_type, issuer, CORS.

use reqwest::Method;

use super::{metadata, refused_at_the_app};
use crate::harness::*;

async fn a_075_state_comes_back_as_it_was(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let states = [
        "\"><script>alert(1)</script>".to_owned(),
        "\u{1f511} \u{e4}\u{f6}\u{fc} \u{202e}\u{4f60}\u{597d}".to_owned(),
        "a+b c%20d%2Be&f=g#h?i;j".to_owned(),
        "code=stolen&error=x&iss=https://evil.example".to_owned(),
        "s".repeat(4_096),
    ];
    for state in states {
        let request = client.request().set("state", &state);
        let page = browser.get(&request.clone().set("prompt", "login").url()).await;
        assert!(!browser.follow(page).await.body.contains("<script>alert"), "state in a page");
        let back = browser.grant(&user, &request).await;
        assert_eq!(back.param("state"), Some(state.as_str()), "{}", back.location);
        assert_eq!(back.params.iter().filter(|(name, _)| name == "code").count(), 1, "{}", back.location);
        refused_at_the_app(server, [request.set("response_type", "foo")], "unsupported_response_type").await;
    }
}

async fn a_075_state_above_the_limit(server: Shared) {
    let request = Client::public(server).request().set("state", &"s".repeat(12_000));
    let form = http().post(server.url("/oauth2/authorize"));
    let answer =
        Answer::of(form.header("Content-Type", "application/x-www-form-urlencoded").body(request.query())).await;
    // The app learns of it, but not by twelve thousand bytes in an address that nobody can follow.
    let back = assert_error_redirect(&answer, &request, "invalid_request");
    assert!(back.location.len() < 8_192, "{} bytes", back.location.len());
    let by_get = assert_error_redirect(&Browser::new(server).authorize(&request).await, &request, "invalid_request");
    assert!(by_get.location.len() < 8_192, "{} bytes", by_get.location.len());
    let huge = request.set("state", &"s".repeat(20_000));
    assert_eq!(Browser::new(server).authorize(&huge).await.status, 414);
}

async fn a_078_response_modes(server: Shared) {
    let request = Client::public(server).request();
    for mode in ["fragment", "query.jwt", "form_post.jwt", "jwt", "web_message", "unknown", "QUERY", "query fragment"] {
        refused_at_the_app(server, [request.clone().set("response_mode", mode)], "invalid_request").await;
    }
    let mut modes = metadata(server).await["response_modes_supported"].as_array().expect("the modes").clone();
    modes.sort_by_key(ToString::to_string);
    assert_eq!(modes, ["form_post", "query"]);
    let token = request.set("response_type", "token").set("response_mode", "query");
    refused_at_the_app(server, [token], "unsupported_response_type").await;
}

async fn a_079_form_post(server: Shared) {
    let spec = Spec::confidential().redirect("https://app.example/cb?a=%22b%26").name("Post \"><b>App");
    let (client, user) = (spec.create(server), User::new(server));
    let state = "\"><script>alert(1)</script>&amp;";
    let request = client.request().set("response_mode", "form_post").set("state", state);
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &request).await;
    let page = browser.approve(&page).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_own_page(&page);
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<b>"), "escaped: {page:?}");
    let policy = page.header_or_empty("content-security-policy");
    // Browsers would hold every redirect of the client against it too; its one form leads to the registered URI.
    assert!(!policy.contains("form-action"), "{page:?}");
    assert!(policy.contains("default-src 'none'"), "{page:?}");
    assert!(policy.contains("script-src 'nonce-") || policy.contains("script-src 'self' 'nonce-"), "{policy}");

    let form = page.forms().into_iter().find(|form| form.action.host_str() == Some("app.example"));
    let form = form.unwrap_or_else(|| panic!("a form that posts to the app: {page:?}"));
    assert_eq!(form.action.as_str(), client.redirect);
    assert_eq!(form.get("state"), Some(state), "{page:?}");
    assert_eq!(form.get("iss"), Some(server.issuer.as_str()), "{page:?}");
    let code = form.get("code").expect("a code");
    assert_tokens(&client.redeem(&request, code).await);

    // Errors go the same way.
    let request = request.set("scope", "no-such-scope");
    let page = browser.authorize(&request).await;
    assert_own_page(&page);
    let form = page.forms().into_iter().next().unwrap_or_else(|| panic!("a form: {page:?}"));
    assert_eq!(form.get("error"), Some("invalid_scope"), "{page:?}");
    assert_eq!(form.get("state"), Some(state), "{page:?}");
    assert_eq!(form.get("iss"), Some(server.issuer.as_str()), "{page:?}");
    assert_eq!(form.get("code"), None, "{page:?}");
}

async fn a_080_no_tokens_from_the_front(server: Shared) {
    let types = [
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "code id_token token",
        "none",
        "code code",
        "CODE",
    ];
    for client in [Client::public(server), Client::confidential(server)] {
        let requests = types.map(|response_type| client.request().set("response_type", response_type));
        refused_at_the_app(server, requests, "unsupported_response_type").await;
    }
    assert_eq!(metadata(server).await["response_types_supported"], serde_json::json!(["code"]));
}

async fn a_081_the_flow_cannot_be_changed_on_its_way(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let request = client.request();
    let page = browser.open(&request.url()).await;
    let login = page.form("/login").with("username", &user.username).with("password", &user.password);
    let consent = browser.submit(&login.with("response_type", "token").with("scope", "openid email")).await;
    let decision = consent.form("/consent").press("decision", "approve");
    let decision = decision.with("response_type", "token").with("response_mode", "fragment");
    let back = browser.submit(&decision.with("redirect_uri", "https://evil.example/cb")).await.redirect();
    assert!(back.location.starts_with("https://app.example/cb?"), "{}", back.location);
    back.code();
    assert!(!back.location.contains("access_token"), "{}", back.location);
}

/// The way back is the server's to know: whoever changes a cookie of it has none.
async fn a_081_tampered_cookies(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let page = browser.open(&client.request().url()).await;
    let names = browser.jar().names();
    assert!(!names.is_empty(), "the transaction is bound to the browser by a cookie");
    for name in names {
        let thief = browser.copy();
        let value = thief.jar().get(&name).expect("its value").to_owned();
        let flipped = if value.ends_with('A') { "B" } else { "A" };
        thief.jar().set(&name, &format!("{}{flipped}", &value[..value.len() - 1]));
        let answer = thief.login(&page, &user).await;
        assert!(!answer.has_form("/consent") && answer.location().is_none(), "{name} changed: {answer:?}");
        let empty = browser.copy();
        empty.jar().remove(&name);
        let answer = empty.login(&page, &user).await;
        assert!(!answer.has_form("/consent") && answer.location().is_none(), "{name} removed: {answer:?}");
    }
    let consent = browser.login(&page, &user).await;
    browser.approve(&consent).await.redirect().code();
}

async fn a_089_issuer(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let back = browser.grant(&user, &client.request()).await;
    assert_eq!(back.param("iss"), Some(server.issuer.as_str()), "{}", back.location);
    let page = browser.consent_page(&user, &client.request()).await;
    let request = client.request();
    let denied = browser.deny(&page).await.redirect();
    assert_eq!(denied.param("error"), Some("access_denied"), "{}", denied.location);
    assert_eq!(denied.param("iss"), Some(server.issuer.as_str()), "{}", denied.location);
    refused_at_the_app(server, [request.set("scope", "no-such-scope")], "invalid_scope").await;
    let metadata = metadata(server).await;
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["issuer"], server.issuer);
}

async fn a_090_no_cors_at_authorize(server: Shared) {
    let client = Client::public(server);
    let url = client.request().url().parse().expect("a URL");
    let browser = Browser::new(server);
    for method in [Method::OPTIONS, Method::GET, Method::POST] {
        for origin in ["https://app.example", "https://evil.example", "null"] {
            let request = browser.request(method.clone(), &url).header("Origin", origin);
            let answer = browser.send(request.header("Access-Control-Request-Method", "GET")).await;
            let cors: Vec<_> =
                answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
            assert!(cors.is_empty(), "{method} from {origin}: {answer:?}");
        }
    }
}

both![
    a_075_state_comes_back_as_it_was,
    a_075_state_above_the_limit,
    a_078_response_modes,
    a_079_form_post,
    a_080_no_tokens_from_the_front,
    a_081_the_flow_cannot_be_changed_on_its_way,
    a_081_tampered_cookies,
    a_089_issuer,
    a_090_no_cors_at_authorize,
];
