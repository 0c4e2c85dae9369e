//! 1.5 Sessions, and what protects the pages in a browser.

use reqwest::Method;

use crate::harness::*;

const SESSION: &str = "latchway_session";

fn session_of(browser: &Browser) -> Option<String> {
    browser.jar().get(SESSION).map(str::to_owned)
}

/// Whether these cookies are somebody's session.
async fn is_logged_in(browser: &Browser) -> bool {
    let answer = browser.get("/account").await;
    match answer.status {
        200 => true,
        303 if answer.header_or_empty("location") == "/login" => false,
        _ => panic!("neither in nor out: {answer:?}"),
    }
}

async fn a_104_a_login_that_began_in_another_browser(server: Shared) {
    let (client, user, attacker) = (Client::confidential(server), User::new(server), User::new(server));
    let theirs = Browser::new(server);
    let login_page = theirs.open(&client.request().url()).await;
    let form = login_page.form("/login");
    let transaction = form.get("transaction").expect("a transaction").to_owned();

    let (fresh, visitor, logged_in) = (Browser::new(server), Browser::new(server), Browser::of(server, &user).await);
    visitor.open("/login").await;
    for victim in [&fresh, &visitor, &logged_in] {
        let before = session_of(victim);
        for path in ["/login", "/consent"] {
            let answer = victim.open(&format!("{path}?transaction={transaction}")).await;
            assert_page(&answer);
            assert!(!answer.has_form("/consent") && !answer.has_form("/login"), "a way on: {answer:?}");
        }
        // Nor does the attacker's form log the victim in as the attacker (login CSRF), or as themself for the attacker.
        for who in [&attacker, &user] {
            let filled = form.clone().with("username", &who.username).with("password", &who.password);
            let answer = victim.post(&filled).await;
            assert!([400, 403].contains(&answer.status), "{answer:?}");
            assert_own_page(&answer);
            assert_eq!(session_of(victim), before, "the session did not change");
        }
    }
    // What the victims did left no trace in the attacker's transaction.
    let page = theirs.open(&format!("/consent?transaction={transaction}")).await;
    assert!(page.has_form("/login"), "still waits for a login: {page:?}");
}

async fn a_105_the_session_changes_with_every_login(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    // A value that somebody planted is not taken over.
    let planted = session_of(&Browser::of(server, &User::new(server)).await).expect("a session");
    let other = if planted.ends_with('x') { 'y' } else { 'x' };
    browser.jar().set(SESSION, &format!("{}{other}", &planted[..planted.len() - 1]));
    let page = browser.open("/login").await;
    browser.login(&page, &user).await;
    let first = session_of(&browser).expect("a session");
    assert_ne!(first, planted);
    assert!(first.len() >= 43, "at least 256 bits: {first}");

    let old = browser.copy();
    assert!(is_logged_in(&old).await);
    let page = browser.open(&client.request().set("prompt", "login").url()).await;
    browser.login(&page, &user).await;
    assert_ne!(session_of(&browser).expect("a session"), first, "another one after a step-up");
    assert!(is_logged_in(&browser).await && !is_logged_in(&old).await, "the old one is dead");

    let old = browser.copy();
    let account = browser.open("/account").await;
    let after = browser.submit(&account.form("/logout")).await;
    assert!(after.words().contains("logged out"), "{after:?}");
    assert_eq!(session_of(&browser), None, "the cookie goes");
    assert!(!is_logged_in(&old).await, "and the session with it");
    assert_red_login(&old, &client).await;
}

/// Nobody is logged in here, as an app learns it.
async fn assert_red_login(browser: &Browser, client: &Client) {
    let silent = client.request().set("prompt", "none");
    assert_red(&browser.authorize(&silent).await, &silent, "login_required");
}

async fn a_105_another_password_ends_every_session(server: Shared) {
    let (client, mut user) = (Client::confidential(server), User::new(server));
    let (one, two) = (Browser::of(server, &user).await, Browser::of(server, &user).await);
    let old = user.clone();
    user.password = format!("another horse {}", random(6));
    let args = ["user", "set-password", &user.username, "--password-stdin"];
    server.try_cli(&args, &user.password).expect("another password");
    for browser in [&one, &two] {
        assert!(!is_logged_in(browser).await);
        assert_red_login(browser, &client).await;
    }
    let page = one.open("/login").await;
    let refused = one.login(&page, &old).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    one.login(&refused, &user).await;
    assert!(is_logged_in(&one).await);
}

async fn a_105_a_disabled_person_is_logged_out(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    server.cli(&["user", "disable", &user.username]);
    assert!(!is_logged_in(&browser).await);
    assert_red_login(&browser, &client).await;
    let page = browser.open("/login").await;
    assert_eq!(browser.login(&page, &user).await.status, 422);
}

async fn a_110_every_page_is_protected(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let stranger = Browser::new(server);
    for (path, status) in [
        ("/", 200),
        ("/login", 200),
        ("/logged-out", 200),
        ("/no-such-page", 404),
        ("/setup?token=x", 410),
        ("/consent", 400),
        ("/login?transaction=x", 400),
        ("/oauth2/authorize", 400),
        ("/static/no-such-file", 404),
        ("/client-logo/no-such-client", 404),
    ] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_own_page(&answer);
    }
    let put = stranger.request(Method::PUT, &server.url("/login").parse().expect("a URL"));
    let answer = stranger.send(put).await;
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_own_page(&answer);

    let browser = Browser::new(server);
    let login = browser.open(&client.request().url()).await;
    let wrong = login.form("/login").with("username", &user.username).with("password", "wrong");
    let consent = browser.login(&login, &user).await;
    let posted = browser.consent_page(&user, &client.request().set("response_mode", "form_post")).await;
    for page in [
        Browser::new(server).post(&wrong).await,
        browser.post(&consent.form("/consent")).await,
        browser.approve(&posted).await,
        browser.open("/account").await,
        login,
        consent,
    ] {
        assert_own_page(&page);
        assert!(page.select("[style], style, script:not([src])").is_empty(), "nothing inline: {page:?}");
        let handlers = ["[onclick]", "[onload]", "[onerror]", "[onsubmit]", "[onfocus]"].join(", ");
        assert!(page.select(&handlers).is_empty(), "no inline handlers: {page:?}");
    }
}

/// What only makes sense on https, behind whatever ends TLS.
async fn a_110_on_https(db: Db) {
    let server = Server::start(db, &[("server.issuer", "https://id.example")]);
    let answer = Answer::of(http().get(server.url("/login"))).await;
    assert_own_page(&answer);
    let hsts = answer.header_or_empty("strict-transport-security");
    assert!(hsts.contains("max-age=31536000"), "{answer:?}");
    let cookie = answer.header("set-cookie").expect("the browser's cookie");
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

/// The flow itself goes through Chromium in `clients/chromium.rs`; here is what it is held against.
async fn a_111_forms_lead_to_our_own_origin(server: Shared) {
    let user = User::new(server);
    let apps = ["https://app.example/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"];
    let form_action = |page: &Answer| {
        let policy = page.header_or_empty("content-security-policy").to_owned();
        let part = policy.split(';').map(str::trim).find(|part| part.starts_with("form-action")).map(str::to_owned);
        part.unwrap_or_else(|| panic!("no form-action: {page:?}"))
    };
    for redirect in apps {
        let client = Spec::confidential().redirect(redirect).create(server);
        let browser = Browser::new(server);
        let login = browser.open(&client.request().url()).await;
        let wrong = login.form("/login").with("username", &user.username).with("password", "wrong");
        let again = browser.post(&wrong).await;
        let consent = browser.login(&again, &user).await;
        for page in [login, again, consent] {
            assert_eq!(form_action(&page), "form-action 'self'");
        }
    }
    assert_eq!(form_action(&Browser::new(server).open("/login").await), "form-action 'self'");
}

/// Chromium's walk fails on a request to elsewhere and on a `Referer` with a query; this is the reason why it need not.
async fn a_112_nothing_is_loaded_from_elsewhere(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let login = browser.open(&client.request().url()).await;
    let consent = browser.login(&login, &user).await;
    let account = browser.open("/account").await;
    let error = browser.open("/oauth2/authorize?client_id=nobody").await;
    for page in [login, consent, account, error] {
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{page:?}");
        let loaded = page.select("img, script, link, iframe, object, embed, video, audio, source");
        assert!(!loaded.is_empty(), "a page with its style: {page:?}");
        for element in loaded {
            let address = ["src=\"", "href=\""].iter().find_map(|name| element.split_once(name));
            let address = address.unwrap_or_else(|| panic!("no address: {element}")).1;
            assert!(address.starts_with('/') && !address.starts_with("//"), "from elsewhere: {element}");
        }
    }
}

async fn a_113_nothing_is_kept(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let begun = browser.authorize(&client.request()).await;
    let login = browser.follow(begun.clone()).await;
    let filled = login.form("/login").with("username", &user.username).with("password", &user.password);
    let logged_in = browser.post(&filled).await;
    let consent = browser.follow(logged_in.clone()).await;
    let answered = browser.post(&consent.form("/consent").press("decision", "approve")).await;
    answered.redirect().code();
    let silent = browser.authorize(&client.request().set("prompt", "none")).await;
    silent.redirect().code();
    let account = browser.open("/account").await;
    for answer in [begun, login, logged_in, consent, answered, silent, account] {
        assert_no_store(&answer);
    }
}

const HOSTILE: &[&str] = &[
    "<img src=x onerror=alert(1)>",
    "{{7919*7907}}",
    "</script><script>alert(1)</script>",
    "\" autofocus onfocus=alert(1) x=\"",
];

#[track_caller]
fn assert_harmless(page: &Answer, hostile: &str) {
    assert!(page.select("img[src=x], script:not([src]), [onfocus], [onerror], [x]").is_empty(), "{hostile}: {page:?}");
    if hostile.contains(['<', '"']) {
        assert!(!page.body.contains(hostile), "unescaped: {page:?}");
    }
    assert!(!page.body.contains("62615533"), "evaluated: {page:?}");
}

async fn a_114_reflected_input_is_text(server: Shared) {
    let client = Client::confidential(server);
    for hostile in HOSTILE {
        let names =
            ["error", "error_description", "error_hint", "user_code", "login_hint", "done", "removed", "switch"];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        names.iter().for_each(|name| _ = query.append_pair(name, hostile));
        let query = query.finish();
        let browser = Browser::new(server);
        for path in ["/", "/login", "/consent", "/logged-out", "/account", "/setup", "/oauth2/authorize", "/nowhere"] {
            assert_harmless(&browser.open(&format!("{path}?{query}")).await, hostile);
        }
        let page = browser.open(&client.request().set("login_hint", hostile).url()).await;
        assert_harmless(&page, hostile);
        let page = browser.submit(&page.form("/login").with("username", hostile).with("password", "x")).await;
        assert_eq!(page.status, 422, "{page:?}");
        assert_harmless(&page, hostile);
        let evil = client.request().set("client_id", hostile);
        assert_harmless(&browser.open(&evil.url()).await, hostile);
    }
}

/// What people and operators call themselves and their apps.
async fn a_114_names_are_text(server: Shared) {
    for hostile in HOSTILE {
        let client = Spec::confidential().name(hostile).create(server);
        let mut user = User::new(server);
        user.username = format!("{}2", user.username);
        let args = ["user", "create", "--username", &user.username, "--name", hostile, "--password-stdin"];
        server.try_cli(&args, &user.password).expect("a person with an odd name");
        let browser = Browser::new(server);
        let login = browser.open(&client.request().url()).await;
        assert_harmless(&login, hostile);
        let consent = browser.login(&login, &user).await;
        assert_harmless(&consent, hostile);
        let words = consent.words();
        let told = hostile.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.matches(told.as_str()).count() >= 2, "the app's and the person's name: {words}");
        browser.approve(&consent).await.redirect().code();
        let posted =
            browser.open(&client.request().set("response_mode", "form_post").set("prompt", "consent").url()).await;
        assert_harmless(&browser.approve(&posted).await, hostile);
        assert_harmless(&browser.open("/account").await, hostile);
        assert_harmless(&browser.open(&format!("/account?removed={}", client.id)).await, hostile);
    }
}

both![
    a_104_a_login_that_began_in_another_browser,
    a_105_the_session_changes_with_every_login,
    a_105_another_password_ends_every_session,
    a_105_a_disabled_person_is_logged_out,
    a_110_every_page_is_protected,
    a_110_on_https,
    a_111_forms_lead_to_our_own_origin,
    a_112_nothing_is_loaded_from_elsewhere,
    a_113_nothing_is_kept,
    a_114_reflected_input_is_text,
    a_114_names_are_text,
];
