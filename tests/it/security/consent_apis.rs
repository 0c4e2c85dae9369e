//! What the consent page says of APIs and scopes, and what a consent covers.

use serde_json::json;

use super::family::api_uri;
use crate::harness::*;

fn audience(answer: &Answer) -> serde_json::Value {
    claims_of(&answer.text("access_token"))["aud"].clone()
}

/// P16: fails if a consent covers an API that the person was not shown, for new requests or for old refresh tokens.
async fn p16_a_consent_covers_what_was_shown(server: Shared) {
    let (first, later) = (api_uri(), api_uri());
    let client = Spec::confidential().scope("openid profile").audience(&first).create(server);
    let (user, browser) = (User::new(server), Browser::new(server));
    let request = client.request();
    let page = browser.consent_page(&user, &request).await;
    assert!(page.texts(".resources li")[0].contains(&first), "shown, although the request named none: {page:?}");
    let code = browser.approve(&page).await.redirect().code();
    let tokens = client.redeem(&request, &code).await;
    assert_eq!(audience(&tokens), json!([first, server.issuer]));
    let silent = request.clone().set("prompt", "none");
    browser.authorize(&silent).await.redirect().code();

    server.cli(&["client", "update", &client.id, "--audience", &first, "--audience", &later]);
    let renewed = client.refresh(&tokens.text("refresh_token")).await;
    assert_eq!(audience(&renewed), json!([first, server.issuer]), "an old refresh token");
    let refresh = renewed.text("refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("resource", later.as_str())];
    assert_j(&client.token(&form).await, 400, "invalid_target");
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");
    browser.authorize(&silent.clone().set("resource", &first)).await.redirect().code();
    let page = browser.open(&request.url()).await;
    let apis = page.texts(".resources li");
    assert!(apis[0].contains(&first) && !apis[0].contains("New"), "{apis:?}");
    assert!(apis[1].contains(&later) && apis[1].contains("New"), "{apis:?}");
    let code = browser.approve(&page).await.redirect().code();
    let both = client.redeem(&request, &code).await;
    assert_eq!(audience(&both), json!([first, later, server.issuer]));
    browser.authorize(&silent).await.redirect().code();
    assert_eq!(audience(&client.refresh(&refresh).await), json!([first, server.issuer]), "the family before it");

    // What the operator takes back is gone for all of them.
    server.cli(&["client", "update", &client.id, "--audience", &later]);
    assert_eq!(audience(&client.refresh(&both.text("refresh_token")).await), json!([later, server.issuer]));
}

/// P16 for a device, which asks at one time and is answered at another.
async fn p16_a_device_gets_what_was_shown(server: Shared) {
    let (first, later) = (api_uri(), api_uri());
    let client = Spec::device().audience(&first).create(server);
    let device = Device::ask_with(&client, &[("scope", "openid profile offline_access")]).await;
    server.cli(&["client", "update", &client.id, "--audience", &first, "--audience", &later]);
    let (user, browser) = (User::new(server), Browser::new(server));
    let page = browser.device_page(&user, &device).await;
    assert!(page.words().contains(&first) && !page.words().contains(&later), "{page:?}");
    browser.decide(&page, "approve").await;
    assert_eq!(audience(&device.poll().await), json!([first, server.issuer]));
}

/// ux "Consent" 2 to 8: what a person must know is on the page, the dangerous first.
async fn u08_the_consent_page_says_what_matters(server: Shared) {
    let (orders, files) = (api_uri(), api_uri());
    let unique = |name: &str| format!("{name}:{}", orders.rsplit('/').next().unwrap_or_default());
    let (send, read, odd) = (unique("payments"), unique("read"), unique("odd"));
    let text = ["--title", "Send payments", "--description", "It cannot be undone.", "--sensitive"];
    server.cli(&[&["scope", "set", send.as_str()], &text[..]].concat());
    server.cli(&["scope", "set", &read, "--title", "Read orders", "--description", "All of yours."]);
    server.cli(&["api", "set", &orders, "--title", "Orders"]);
    assert!(server.cli(&["api", "list"]).to_string().contains(&orders));
    let scope = format!("openid profile email {read} {odd} {send}");
    let spec = Spec::confidential().scope(&scope).audience(&orders).audience(&files);
    let client = spec.flags(&["--client-uri", "https://shop.example/about"]).create(server);
    let (user, browser) = (User::new(server), Browser::new(server));

    let request = client.request().set("scope", &format!("openid {read}")).set("resource", &orders);
    let page = browser.consent_page(&user, &request).await;
    assert_own_page(&page);
    assert_eq!(page.texts(".resources li"), [format!("Orders {orders}")]);
    assert!(!page.words().contains("New"), "nothing is new at the first time: {page:?}");
    assert!(page.body.contains("href=\"https://shop.example/about\"") && page.words().contains("shop.example"));
    assert!(page.texts("#publisher")[0].contains("Registered in "), "{page:?}");
    browser.approve(&page).await.redirect().code();

    let page = browser.open(&client.request().url()).await;
    let scopes = page.texts(".scopes li");
    assert!(
        scopes[0].contains("Careful: Send payments") && scopes[0].contains("New"),
        "the dangerous first: {scopes:?}"
    );
    assert_eq!(page.select(".scopes li.sensitive").len(), 1, "{page:?}");
    let found = |title: &str| scopes.iter().find(|scope| scope.starts_with(title)).expect(title).clone();
    assert!(found(&format!("See your e-mail address: {}", user.email)).contains("New"));
    assert!(!found("Read orders").contains("New") && !found("Know who you are").contains("New"), "{scopes:?}");
    assert!(found(&odd).contains("This server has no description of this permission."), "{scopes:?}");
    assert!(page.words().contains("You allowed this app something before."), "{page:?}");
    let apis = page.texts(".resources li");
    assert!(!apis[0].contains("New") && apis[1].contains(&files) && apis[1].contains("New"), "{apis:?}");

    // A long list is folded, but for what is warned of.
    let many: String = (0..9).map(|n| format!(" {read}{n}")).collect();
    (0..9).for_each(|n| {
        server.cli(&[
            "scope",
            "set",
            &format!("{read}{n}"),
            "--title",
            &format!("Part {n}"),
            "--description",
            "Of it.",
        ]);
    });
    let long = Spec::confidential().scope(&format!("openid {send}{many}")).create(server);
    let page = browser.open(&long.request().url()).await;
    assert_eq!(page.select("details.meanings").len(), 1, "{page:?}");
    let listed = page.texts(".scopes li").join(" | ");
    assert!(listed.contains("It cannot be undone.") && !listed.contains("Of it."), "{listed}");
    server.cli(&["api", "delete", &orders]);
}

/// ux 12: for a program on this device there is no address that a person could know.
async fn u12_programs_on_this_device(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let spec = || Spec::public().scope("openid profile");
    for (uri, is_native) in [
        ("http://127.0.0.1/cb", true),
        ("http://[::1]/cb", true),
        ("com.example.app:/cb", true),
        ("https://app.example/cb", false),
    ] {
        let client = spec().redirect(uri).create(server);
        let page = browser.open(&client.request().url()).await;
        let told = page.words();
        assert_eq!(told.contains("Allow only if you have just started this program yourself."), is_native, "{page:?}");
        assert_eq!(told.contains("Allow only if you know and trust this address."), !is_native, "{page:?}");
    }
}

/// P17: fails if a client that may ask tokens for an API is taken for that API, whose tokens and keys are not its business.
async fn p17_who_may_ask_is_not_the_api(server: Shared) {
    let api = api_uri();
    let spec = || Spec::confidential().scope("openid offline_access orders:read").audience(&api);
    let held = super::Held::by(server, spec().create(server)).await;
    let (other, is_it, both) = (spec().create(server), Spec::api(&api).create(server), spec().is(&api).create(server));
    let shown = server.cli(&["client", "show", &both.id]);
    assert_eq!((&shown["audiences"], &shown["resources"]), (&json!([api]), &json!([api])));
    let key = Key::of_client(server, &held.client, "orders:read", &["--audience", &api]);
    for token in [&held.access, &key.text] {
        assert_eq!(other.introspect(token).await.json(), json!({"active": false}));
        for asking in [&held.client, &is_it, &both] {
            assert_eq!(asking.introspect(token).await.json()["active"], true, "{}", asking.id);
        }
    }
    // Nor does its look count as a use of what another client was given.
    assert_eq!(other.introspect(&held.refresh).await.json(), json!({"active": false}));
    // Being the API is no right to ask tokens for it.
    let form = [("grant_type", "client_credentials"), ("resource", api.as_str())];
    assert_j(&is_it.token(&form).await, 400, "invalid_target");
    server.cli(&["client", "update", &is_it.id, "--resource", "https://other.example"]);
    assert_eq!(is_it.introspect(&held.access).await.json(), json!({"active": false}));
}

async fn is_asked(browser: &Browser, request: &Request) -> bool {
    browser.open(&request.url()).await.has_form("/consent")
}

/// ux 2: fails if an app at an https address of its own has no single sign-on, or a program on the device has one.
async fn u02_consent_is_remembered_where_the_address_is_known(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let page = Spec::public().scope("openid profile").create(server);
    browser.grant(&user, &page.request()).await.code();
    assert!(!is_asked(&browser, &page.request()).await, "a public client with an https redirect URI");
    browser.authorize(&page.request().set("prompt", "none")).await.redirect().code();
    assert!(is_asked(&browser, &page.request().set("prompt", "consent")).await);

    // Which rule counts is decided by the redirect URI of the request.
    let spec =
        Spec::public().scope("openid profile").redirect("https://app.example/cb").redirect("http://127.0.0.1/cb");
    let both = spec.flags(&["--application-type", "native"]).create(server);
    let at_loopback = both.request().set("redirect_uri", "http://127.0.0.1:4711/cb");
    browser.grant(&user, &both.request()).await.code();
    assert!(!is_asked(&browser, &both.request()).await);
    assert!(is_asked(&browser, &at_loopback).await);
    let silent = at_loopback.set("prompt", "none");
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");

    let always = Spec::confidential().scope("openid profile").flags(&["--consent", "always"]).create(server);
    browser.grant(&user, &always.request()).await.code();
    let again = browser.open(&always.request().url()).await;
    assert!(again.has_form("/consent") && again.words().contains("We ask each time for this app."), "{again:?}");
    let silent = always.request().set("prompt", "none");
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");
}

/// ux 2: the operator's own app, for which nobody is asked.
async fn u02_consent_never(server: Shared) {
    let (user, api) = (User::new(server), api_uri());
    let browser = Browser::of(server, &user).await;
    let spec = Spec::public().scope("openid profile offline_access").audience(&api).flags(&["--consent", "never"]);
    let own = spec.create(server);
    for request in [own.request(), own.request().set("prompt", "none")] {
        let code = browser.authorize(&request).await.redirect().code();
        let tokens = own.redeem(&request, &code).await;
        assert_eq!(tokens.text("scope"), "offline_access openid profile", "offline_access included");
        assert_eq!(audience(&tokens), json!([api, server.issuer]));
    }
    assert!(is_asked(&browser, &own.request().set("prompt", "consent")).await, "the app wants it asked");
    let native = Spec::public().scope("openid").redirect("http://127.0.0.1/cb").flags(&["--consent", "never"]);
    assert!(is_asked(&browser, &native.create(server).request()).await, "any program could answer there");
    server.cli(&["client", "update", &own.id, "--consent", "remember"]);
    assert!(is_asked(&browser, &own.request()).await, "and nothing was remembered");
}

both![
    p17_who_may_ask_is_not_the_api,
    u02_consent_is_remembered_where_the_address_is_known,
    u02_consent_never,
    p16_a_consent_covers_what_was_shown,
    p16_a_device_gets_what_was_shown,
    u08_the_consent_page_says_what_matters,
    u12_programs_on_this_device,
];
