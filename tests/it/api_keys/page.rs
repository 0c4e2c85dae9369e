//! `/account/api-keys`.

use crate::harness::*;

const PAGE: &str = "/account/api-keys";

fn shown(page: &Answer) -> Option<String> {
    let found = page.select("#api-key");
    let text = found.first()?.split('>').nth(1)?.split('<').next()?;
    Some(text.to_owned())
}

async fn is_active(server: &Server, text: &str) -> bool {
    let api = Spec::api(API).create(server);
    api.introspect(text).await.json()["active"] == true
}

/// As if the person had logged in some seconds earlier than they did.
fn age_login(server: &Server, user: &User, seconds: i64) {
    let who = format!("WHERE username = '{}'", user.username);
    let database = &server.database;
    database.execute(&format!("UPDATE users SET password_changed_at = password_changed_at - 86400 {who}"));
    let sessions = format!("WHERE user_id = (SELECT id FROM users {who})");
    database.execute(&format!("UPDATE sessions SET auth_time = auth_time - {seconds} {sessions}"));
}

/// An API that keys may be for, and something that they may do there.
const API: &str = "https://keys-page.example";

fn prepare(server: &Server) {
    register(server, "orders:read");
    Spec::api(API).create(server);
}

fn filled(page: &Answer, name: &str) -> Form {
    let form = page.form(PAGE).with("name", name).with("scope", "orders:read");
    form.with("audience", API).with("expires", "30d")
}

/// Fails if a key cannot be made, renewed or taken back by forms alone, or if it can be seen twice.
async fn a_key_from_form_to_revocation(server: Shared) {
    prepare(server);
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    assert!(browser.get("/account").await.body.contains("href=\"/account/api-keys\""));
    let page = browser.get(PAGE).await;
    assert_own_page(&page);
    let form = filled(&page, "Nightly <b>backup</b>").with("networks", "127.0.0.1, 10.0.0.0/8");
    let made = browser.post(&form).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_own_page(&made);
    let first = shown(&made).expect("the key is shown");
    assert!(made.body.contains("Nightly &#60;b&#62;backup&#60;/b&#62;"), "{made:?}");
    assert_audit(server, &made, "api_key_created");

    // A second click sends the form again: no second key, and for a minute the same session sees the first.
    let again = browser.submit(&form).await;
    assert_eq!(shown(&again).as_ref(), Some(&first), "{again:?}");
    assert_eq!(again.select("li[data-key-id]").len(), 1, "{again:?}");
    let reloaded = browser.get(PAGE).await;
    assert!(!reloaded.body.contains(&first) && !reloaded.body.contains("lw_"), "{reloaded:?}");
    assert!(reloaded.words().contains("orders:read") && reloaded.words().contains("10.0.0.0/8"), "{reloaded:?}");

    let renewed = browser.post(&reloaded.form("/account/api-keys/rotate")).await;
    let second = shown(&renewed).expect("the new secret is shown");
    assert_ne!(first, second);
    assert!(renewed.words().contains("The one before works until"), "{renewed:?}");
    let revoked = browser.submit(&reloaded.form("/account/api-keys/revoke")).await;
    assert!(revoked.words().contains("The key is revoked"), "{revoked:?}");
    assert!(revoked.select("li[data-key-id]").is_empty(), "{revoked:?}");
    for text in [&first, &second] {
        assert!(!is_active(server, text).await);
    }
}

/// Fails if a wrong form is refused without saying what is wrong, or loses what was typed.
async fn mistakes_are_marked(server: Shared) {
    prepare(server);
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for (change, field) in [
        (("name", ""), "name"),
        (("scope", ""), "scope"),
        (("scope", "openid"), "scope"),
        (("scope", "unheard:of"), "scope"),
        (("audience", ""), "audience"),
        (("audience", "https://unheard.example"), "audience"),
        (("networks", "10.0.0.0/99"), "networks"),
    ] {
        let page = browser.get(PAGE).await;
        let answer = browser.post(&filled(&page, "Typed").with(change.0, change.1)).await;
        assert_eq!(answer.status, 422, "{change:?}: {answer:?}");
        assert_eq!(answer.select(&format!("#{field}-error")).len(), 1, "{change:?}: {answer:?}");
        assert!(change.0 == "name" || answer.body.contains("value=\"Typed\""), "{answer:?}");
        assert!(answer.body.contains("<title>Please correct"), "{answer:?}");
    }
    let page = browser.get(PAGE).await;
    let odd = browser.post(&filled(&page, "Typed").with("expires", "999y")).await;
    assert_eq!(odd.status, 422, "{odd:?}");
    assert!(browser.get(PAGE).await.select("li[data-key-id]").is_empty());
}

/// F-018: fails if somebody at an open browser can make a credential without the password.
async fn f_018_making_a_key_needs_a_fresh_login(server: Shared) {
    prepare(server);
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let fresh = browser.get(PAGE).await;
    let made = browser.post(&filled(&fresh, "One")).await;
    assert!(shown(&made).is_some());
    let (create, rotate) = (filled(&made, "Two"), made.form("/account/api-keys/rotate"));
    age_login(server, &user, 301);

    let stale = browser.get(PAGE).await;
    assert!(!stale.has_form(PAGE) && !stale.has_form("/account/api-keys/rotate"), "{stale:?}");
    for form in [&create, &rotate, &stale.form("/account/api-keys/revoke")] {
        let answer = browser.post(form).await;
        assert_eq!(answer.location().as_deref(), Some(server.url("/login?after=api-keys").as_str()), "{answer:?}");
    }
    let again = browser.get("/login?after=api-keys").await;
    assert!(again.words().contains("Confirm it’s you"), "{again:?}");
    let wrong = browser.submit(&again.form("/login").with("password", "wrong horse")).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let back = browser.login(&wrong, &user).await;
    assert_eq!(back.url.path(), PAGE, "{back:?}");
    assert!(back.has_form(PAGE), "{back:?}");
    let listed = server.cli(&["api-key", "list", "--user", &user.username]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["rotated_at"], serde_json::Value::Null);
    // Somebody else may log in instead.
    age_login(server, &user, 301);
    let again = browser.get("/login?after=api-keys").await;
    let other = browser.submit(&again.form("/login/switch")).await;
    assert!(other.words().contains("Log in") && other.url.query().is_some_and(|q| q.contains("after=api-keys")));
    // Only what we know ourselves is led to.
    for after in ["https://evil.example", "//evil.example", "/account/revoke", "api-keys/../x", ""] {
        let page = Browser::new(server).get(&format!("/login?after={after}")).await;
        assert!(page.select("input[name=after]").is_empty(), "{after}: {page:?}");
    }
}

/// Fails if another site, another browser or another person can act here.
async fn forms_are_ones_own(server: Shared) {
    prepare(server);
    let (alice, bob) = (User::new(server), User::new(server));
    let (browser, other) = (Browser::of(server, &alice).await, Browser::of(server, &bob).await);
    let page = browser.get(PAGE).await;
    let made = browser.post(&filled(&page, "Mine")).await;
    let text = shown(&made).expect("a key");
    let bobs = other.get(PAGE).await;
    assert!(!bobs.body.contains("Mine"));
    let fresh = browser.get(PAGE).await;
    for path in [PAGE, "/account/api-keys/rotate", "/account/api-keys/revoke"] {
        let form = if path == PAGE { filled(&fresh, "Forged") } else { fresh.form(path) };
        for forged in [form.clone().without("csrf"), form.clone().with("csrf", "x")] {
            let answer = browser.post(&forged).await;
            assert_eq!(answer.status, 403, "{answer:?}");
            assert_audit(server, &answer, "csrf_rejected");
        }
        assert_eq!(other.post(&form).await.status, 403, "the token is of another session");
        let cross = browser.send(browser.posting(&form, "https://evil.example", "cross-site")).await;
        assert_eq!(cross.status, 403, "{cross:?}");
        assert_eq!(Browser::new(server).post(&form).await.status, 403);
        assert_eq!(browser.get(path).await.status, if path == PAGE { 200 } else { 405 });
    }
    // Bob's own form with the id of Alice's key.
    let made = other.post(&filled(&other.get(PAGE).await, "Bob's")).await;
    let id = fresh.form("/account/api-keys/revoke").get("id").expect("an id").to_owned();
    for path in ["/account/api-keys/rotate", "/account/api-keys/revoke"] {
        let answer = other.submit(&made.form(path).with("id", &id)).await;
        assert!(shown(&answer).is_none(), "{answer:?}");
    }
    assert!(is_active(server, &text).await, "Bob did nothing to it");
    // A form is for one key: what makes a credential once does not make another.
    let once = filled(&browser.get(PAGE).await, "Once");
    assert!(shown(&browser.post(&once).await).is_some());
    assert!(shown(&browser.submit(&once.clone().with("name", "Twice")).await).is_none());
}

/// Fails if a person can make a key that works nowhere, on the page, by an app or by the command line, or if it does not say
/// what to do; or if the only API there is has to be chosen.
async fn p02_a_key_works_somewhere(db: Db) {
    let server = Server::start(db, &[]);
    register(&server, "orders:read");
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let nowhere = browser.get(PAGE).await;
    assert!(!nowhere.has_form(PAGE) && nowhere.words().contains("no API here that takes keys yet"), "{nowhere:?}");

    Spec::api(API).create(&server);
    let page = browser.get(PAGE).await;
    assert_eq!(page.form(PAGE).get("audience"), Some(API), "the only one is chosen: {page:?}");
    let form = page.form(PAGE).with("name", "Backup").with("scope", "orders:read").without("audience");
    let refused = browser.post(&form).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let [field] = &refused.select("fieldset[aria-describedby=audience-error]")[..] else { panic!("{refused:?}") };
    assert!(
        field.contains("Where it works") && field.contains("Choose at least one place where the key works."),
        "{field}"
    );
    assert!(field.contains("autofocus"), "{field}");
    assert!(refused.body.contains("value=\"Backup\"") && refused.has_form(PAGE), "what was typed is kept");
    assert!(shown(&browser.post(&refused.form(PAGE).with("audience", API)).await).is_some());
    Spec::api("https://another.example").create(&server);
    assert_eq!(browser.get(PAGE).await.form(PAGE).get("audience"), None, "of two none is chosen");

    let app = Spec::confidential().scope("openid orders:read api_keys").audience(API).create(&server);
    let request = app.request();
    let code = Browser::new(&server).grant(&user, &request).await.code();
    let token = app.redeem(&request, &code).await.text("access_token");
    for body in [r#"{"name": "K", "scope": "orders:read"}"#, r#"{"name": "K", "scope": "orders:read", "audience": []}"#]
    {
        let request = http().post(server.url("/api/v1/api-keys")).bearer_auth(&token);
        let refused = Answer::of(request.header("Content-Type", "application/json").body(body)).await;
        assert_j(&refused, 400, "invalid_request");
        assert!(refused.text("error_description").starts_with("audience must name at least one API"), "{refused:?}");
    }
    let args = ["api-key", "create", "--user", &user.username, "--name", "K", "--scope", "orders:read"];
    let failure = server.try_cli(&args, "").expect_err("it would work nowhere");
    assert!(failure.output.contains("--audience must name at least one API"), "{failure:?}");
    assert_eq!(server.database.rows("api_keys", "name = 'K'").len(), 0);
}

both![
    a_key_from_form_to_revocation,
    mistakes_are_marked,
    f_018_making_a_key_needs_a_fresh_login,
    forms_are_ones_own,
    p02_a_key_works_somewhere,
];
