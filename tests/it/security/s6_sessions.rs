//! 6 Sessions: cookies, forms from elsewhere, and ends.

use reqwest::Method;

use super::held::Held;
use crate::harness::*;

fn cookies(answer: &Answer) -> Vec<String> {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
    answer.headers.get_all("set-cookie").iter().map(text).collect()
}

async fn f_015_cookies(db: Db) {
    let server = Server::start(db, &[("server.issuer", "https://id.example")]);
    let user = User::new(&server);
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let after = browser.post(&form).await;
    assert_eq!(after.status, 303, "{after:?}");
    let set = (cookies(&page), cookies(&after));
    assert_eq!((set.0.len(), set.1.len()), (1, 2), "{page:?} {after:?}");
    for (cookie, name, kept) in [
        (&set.0[0], "__Host-latchway_browser", None),
        (&set.1[0], "__Host-latchway_session", None),
        (&set.1[1], "__Host-latchway_device", Some("Max-Age=15552000")),
    ] {
        let mut parts = cookie.split("; ");
        let (key, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        assert_eq!(key, name);
        assert!(
            value.len() >= 43 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "opaque: {value}"
        );
        let mut attributes: Vec<&str> = parts.collect();
        attributes.sort_unstable();
        let mut wanted = vec!["HttpOnly", "Path=/", "SameSite=Lax", "Secure"];
        wanted.extend(kept);
        wanted.sort_unstable();
        assert_eq!(attributes, wanted, "and no Domain");
        let rows = format!("{:?}", server.database.rows("sessions", "1 = 1"));
        assert!(!rows.contains(value), "only a hash is stored");
    }
}

/// A login changes the identifier, whoever was logged in before; the old one is dead.
async fn f_015_no_fixation(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let before = browser.copy();
    let request = Client::confidential(server).request().set("prompt", "login");
    let page = browser.open(&request.url()).await;
    browser.login(&page, &user).await;
    assert_ne!(before.jar().get("latchway_session"), browser.jar().get("latchway_session"));
    assert_eq!(before.get("/account").await.header("location"), Some("/login"), "the old identifier is dead");
    assert_eq!(browser.get("/account").await.status, 200);
}

async fn f_016_cookies_that_are_tossed_in(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let own = browser.jar().get("latchway_session").expect("a session").to_owned();
    let other = Browser::of(server, &User::new(server)).await;
    let theirs = other.jar().get("latchway_session").expect("a session").to_owned();
    let account = async |headers: &[&[u8]]| {
        let mut request = http().get(server.url("/account"));
        for header in headers {
            request = request.header("Cookie", reqwest::header::HeaderValue::from_bytes(header).expect("a value"));
        }
        Answer::of(request).await
    };
    let cookie = |value: &str| format!("latchway_session={value}").into_bytes();
    assert_eq!(account(&[&cookie(&own)]).await.status, 200, "one counts");
    let twice = format!("latchway_session={own}; latchway_session={theirs}");
    let large = format!("latchway_session={}", "A".repeat(8_192));
    let padded = format!("latchway_session={own}; other={}", "A".repeat(8_192));
    for refused in [
        vec![twice.as_bytes()],
        vec![format!("latchway_session={own}; latchway_session={own}").as_bytes()],
        vec![&cookie(&own), &cookie(&theirs)],
        vec![&cookie(&own), b"\xff\xfe=1; latchway_session=x"],
        vec![large.as_bytes()],
        vec![format!("latchway_session={}", &own[..own.len() - 1]).as_bytes()],
        vec![format!("latchway_session={own}A").as_bytes()],
        vec![format!("latchway_session=\"{own}\"").as_bytes()],
        vec![format!("latchway_session%20={own}").as_bytes()],
        vec![format!("LATCHWAY_SESSION={own}").as_bytes()],
        vec![b"latchway_session=; =; ;;=;latchway_session"],
    ] {
        let answer = account(&refused).await;
        let shown = String::from_utf8_lossy(refused[0]).into_owned();
        assert!(answer.header("location") == Some("/login") || answer.status == 400, "{shown}: {answer:?}");
    }
    assert_eq!(account(&[padded.as_bytes()]).await.status, 200, "a large one of somebody else's does no harm");
}

async fn f_017_forms_from_elsewhere(server: Shared) {
    let held = Held::new(server).await;
    let (user, browser) = (&held.user, &held.browser);
    let fresh = Browser::new(server);
    let login =
        fresh.get("/login").await.form("/login").with("username", &user.username).with("password", &user.password);
    let account = browser.get("/account").await;
    let consent = browser.open(&held.client.request().set("prompt", "consent").url()).await;
    let waiting = browser.open(&held.client.request().set("prompt", "consent").url()).await;
    let again = browser.open(&held.client.request().set("prompt", "login").url()).await;
    let mut one_session = account.form("/logout").with("session", "00000000-0000-7000-8000-000000000000");
    one_session.action = server.url("/account/sessions/revoke").parse().expect("a URL");
    let mut others = account.form("/logout").with("confirmed", "yes");
    others.action = server.url("/account/sessions/revoke-others").parse().expect("a URL");
    let foreign = Browser::of(server, &User::new(server)).await.get("/account").await.form("/logout");
    let forms = [
        (&fresh, login),
        (browser, account.form("/account/revoke")),
        (browser, one_session),
        (browser, others),
        (browser, consent.form("/consent").press("decision", "approve")),
        (browser, waiting.form("/login/switch")),
        (browser, again.form("/login/switch")),
        (browser, account.form("/logout")),
    ];
    for (browser, form) in &forms {
        let csrf = form.get("csrf").expect("a CSRF field").to_owned();
        for bad in ["", "x", &csrf[..csrf.len() - 1], foreign.get("csrf").expect("another's")] {
            let answer = browser.post(&form.clone().with("csrf", bad)).await;
            assert_eq!(answer.status, 403, "{}: {answer:?}", form.action);
            assert_audit(server, &answer, "csrf_rejected");
        }
        let twice = format!("{}&csrf={csrf}", form.encoded());
        for (site, origin, body) in [
            ("cross-site", "null", form.encoded()),
            ("same-site", "null", form.encoded()),
            ("cross-site", "https://evil.example", form.encoded()),
            ("same-origin", "https://evil.example", form.encoded()),
            ("same-origin", "null", twice),
        ] {
            let request = browser.request(Method::POST, &form.action).header("Origin", origin);
            let request = request.header("Sec-Fetch-Site", site).body(body);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded");
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 403, "{} from {site} {origin}: {answer:?}", form.action);
        }
        // Nor as JSON, text or a file, which other sites can send without being asked.
        for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
            let request = browser.request(Method::POST, &form.action).header("Content-Type", kind).body(form.encoded());
            let answer = Answer::of(request).await;
            assert!([400, 403, 415].contains(&answer.status), "{} as {kind}: {answer:?}", form.action);
        }
        // Nor by GET.
        let answer = Answer::of(
            browser.request(Method::GET, &format!("{}?{}", form.action, form.encoded()).parse().expect("a URL")),
        )
        .await;
        assert!(!answer.headers.contains_key("set-cookie") || answer.status == 200, "{}: {answer:?}", form.action);
    }
    assert!(held.is_active(&held.access).await, "nothing was revoked by any of them");
    assert_eq!(browser.get("/account").await.status, 200, "still logged in");
    // Each of them works as it is.
    for (browser, form) in &forms {
        let answer = browser.post(form).await;
        assert!(answer.location().is_some(), "{}: {answer:?}", form.action);
    }
    assert_eq!(browser.get("/account").await.header("location"), Some("/login"), "logged out in the end");
}

/// A form from another site comes without the cookie, by SameSite. Its answer must not take the cookie away.
async fn f_017_logout_from_elsewhere(server: Shared) {
    for site in [Some("cross-site"), None] {
        let request = http().post(server.url("/logout")).form(&[("csrf", "")]);
        let request = site.into_iter().fold(request, |request, site| request.header("Sec-Fetch-Site", site));
        let answer = Answer::of(request).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
}

/// The page that asks for the password again leads to another account, if one says so.
async fn f_017_another_account(server: Shared) {
    let held = Held::new(server).await;
    let other = User::new(server);
    let request = held.client.request().set("prompt", "login");
    let page = held.browser.open(&request.url()).await;
    assert!(page.body.contains(&held.user.username), "asks whoever is logged in: {page:?}");
    let page = held.browser.submit(&page.form("/login/switch")).await;
    assert!(page.has_form("/login") && !page.body.contains(&held.user.username), "{page:?}");
    let page = held.browser.login(&page, &other).await;
    let code = held.browser.approve(&page).await.redirect().code();
    assert_eq!(claims_of(&held.client.redeem(&request, &code).await.text("id_token"))["sub"], other.id.as_str());
}

async fn f_032_ends_count_at_once(server: Shared) {
    let client = Spec::confidential().scope("openid profile").create(server);
    let held = Held::by(server, client).await;
    let (here, there) = (&held.browser, Browser::of(server, &held.user).await);
    let request = held.client.request();
    let code = there.grant(&held.user, &request).await.code();
    let token = held.client.redeem(&request, &code).await.text("access_token");
    assert!(held.is_active(&token).await);
    let account = here.get("/account").await;
    let done = here.submit(&account.form("/account/sessions/revoke-others")).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(there.get("/account").await.header("location"), Some("/login"));
    held.refused(&token).await;
    assert!(held.is_active(&held.access).await, "this browser's go on");
    // One by one, and one's own by logging out.
    let third = Browser::of(server, &held.user).await;
    let account = here.get("/account").await;
    let form = account.forms().into_iter().find(|form| form.action.path() == "/account/sessions/revoke");
    here.submit(&form.expect("the other browser is listed")).await;
    assert_eq!(third.get("/account").await.header("location"), Some("/login"));
    let stolen = here.copy();
    here.submit(&here.get("/account").await.form("/logout")).await;
    assert_eq!(stolen.get("/account").await.header("location"), Some("/login"), "the cookie is dead on the server");
    held.refused(&held.access).await;
}

async fn f_032_a_session_expires(db: Db) {
    let server = Server::start(db, &[("sessions.idle_seconds", "2"), ("sessions.absolute_seconds", "3")]);
    let browser = Browser::of(&server, &User::new(&server)).await;
    assert_eq!(browser.get("/account").await.status, 200);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(browser.get("/account").await.header("location"), Some("/login"));
}

async fn f_033_nothing_secret_in_the_log(db: Db) {
    let server = Server::start(db, &[("log.level", "trace"), ("limits.login_failures_per_account", "2")]);
    let user = User::new(&server);
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    let form = page.form("/login").with("username", &user.username);
    let guesses = [random(24), random(24), random(24), "x".repeat(1_500)];
    for guess in &guesses {
        browser.post(&form.clone().with("password", guess)).await;
    }
    let other = User::new(&server);
    let browser = Browser::of(&server, &other).await;
    let account = browser.get("/account").await;
    let session = browser.jar().get("latchway_session").expect("a session").to_owned();
    browser.post(&account.form("/logout").with("csrf", "forged")).await;
    browser.submit(&account.form("/logout")).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let log = server.log();
    assert!(log.contains("login.reserve") || log.len() > 2_000, "the log is written: {} bytes", log.len());
    let csrf = form.get("csrf").expect("a CSRF field");
    for secret in guesses.iter().map(String::as_str).chain([user.password.as_str(), &other.password, &session, csrf]) {
        assert!(!log.contains(secret), "in the log: {secret}");
    }
    let events = format!("{:?}", audit(&server, "1 = 1"));
    for secret in [guesses[0].as_str(), &other.password, &session, &user.username] {
        assert!(!events.contains(secret), "in the audit trail: {secret}");
    }
}

both![
    f_015_cookies,
    f_015_no_fixation,
    f_016_cookies_that_are_tossed_in,
    f_017_forms_from_elsewhere,
    f_017_logout_from_elsewhere,
    f_017_another_account,
    f_032_ends_count_at_once,
    f_032_a_session_expires,
    f_033_nothing_secret_in_the_log,
];
