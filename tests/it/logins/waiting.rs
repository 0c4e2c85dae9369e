//! A login that nobody has begun takes no room.

use super::filled;
use crate::harness::*;

fn from(server: &Server, address: &str, url: &str) -> reqwest::RequestBuilder {
    let path = url.strip_prefix(&server.issuer).expect("an address of the server");
    http().get(server.url(path)).header("X-Forwarded-For", address)
}

async fn p05_logins_that_wait_take_no_row(db: Db) {
    // The setting of earlier versions sets nothing, which is said once.
    let config = [("server.trusted_proxies", "127.0.0.0/8"), ("sessions.max_transactions", "5")];
    let server = Server::start(db, &config);
    let said =
        "environment variable LATCHWAY__SESSIONS__MAX_TRANSACTIONS: [sessions] max_transactions has no effect any more";
    assert_eq!(server.log().matches(said).count(), 1, "{}", server.log());
    let (client, user) = (Client::confidential(&server), User::new(&server));
    for _ in 0..300 {
        let answer = Answer::of(from(&server, "203.0.113.5", &client.request().url())).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    let tables = server.database.tables();
    assert!(!tables.iter().any(|table| table == "authorizations"), "{tables:?}");
    assert!(server.database.rows("form_answers", "1 = 1").is_empty());
    // Six people log in one after the other, more than the limit that was.
    for _ in 0..6 {
        let (browser, user) = (Browser::new(&server), User::new(&server));
        browser.grant(&user, &client.request()).await.code();
    }
    // One that logged in and decides nothing takes none either.
    Browser::new(&server).consent_page(&user, &client.request()).await;
    assert_eq!(server.database.rows("form_answers", "1 = 1").len(), 6, "what was answered is known for a while");
    server.database.execute("UPDATE form_answers SET expires_at = expires_at - 3600");
    server.cli(&["cleanup"]);
    assert!(server.database.rows("form_answers", "1 = 1").is_empty(), "and no longer");
}

/// The longest state goes through the browser and back, byte by byte.
async fn p05_the_longest_state(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    for state in [random(6_144), "\u{fc}\"<&".repeat(8_192 / 5), "=".repeat(8_192)] {
        let request = client.request().set("state", &state);
        let url = request.url();
        if url.len() > 16_000 {
            continue;
        }
        let browser = Browser::new(server);
        let page = browser.open(&url).await;
        assert!(page.url.as_str().len() < 16 * 1024, "{}", page.url.as_str().len());
        let consent = browser.login(&page, &user).await;
        let back = browser.approve(&consent).await.redirect();
        assert_eq!(back.param("state"), Some(state.as_str()));
    }
    let back = {
        let request = client.request().set("state", &random(6_144)).set("nonce", &random(768));
        Browser::new(server).grant(&user, &request).await
    };
    back.code();
}

/// What the browser keeps of a request is sealed for this browser: nobody reads or changes it, and no other browser uses it.
async fn p05_the_request_is_sealed(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let (browser, request) = (Browser::new(server), client.request());
    let page = browser.open(&request.url()).await;
    let form = filled(&page, &user);
    let text = form.get("transaction").expect("a sealed request").to_owned();
    let csrf = form.get("csrf").expect("a token").to_owned();
    for secret in [request.get("state"), request.get("nonce"), Some(client.id.as_str())] {
        assert!(!text.contains(secret.expect("a value")), "{text}");
    }
    let changed = |at: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    for bad in
        [changed(0), changed(20), changed(text.len() / 2), text[..text.len() - 4].to_owned(), format!("{text}AAAA")]
    {
        assert_page(&browser.get(&format!("/login?transaction={bad}")).await);
        assert_page(&browser.get(&format!("/consent?transaction={bad}")).await);
        // Its token was another.
        assert_eq!(browser.post(&form.clone().with("transaction", &bad).with("csrf", &csrf)).await.status, 403);
    }
    let other = Browser::new(server);
    other.open("/login").await;
    assert_page(&other.get(page.url.as_str()).await);
    // It is still good where it belongs.
    let consent = browser.submit(&form).await;
    let back = browser.approve(&consent).await.redirect();
    assert_eq!(back.param("state"), request.get("state"));
    assert_tokens(&client.redeem(&request, &back.code()).await);
}

/// It holds no more once it was answered, with whichever of its texts: one request has one code.
async fn p05_one_request_has_one_answer(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let login = browser.open(&client.request().url()).await;
    let (one, two) = (browser.copy(), browser.copy());
    let first = one.login(&login, &user).await;
    let second = two.login(&login, &user).await;
    let code = one.approve(&first).await.redirect().code();
    let again = two.approve(&second).await;
    assert_eq!(again.redirect().code(), code, "the same decision on the same request");
    assert_eq!(two.deny(&second).await.status, 403);
}

/// Devices that ask: whoever fills the table keeps no other network and no other app out.
async fn p05_devices_of_others_get_in(db: Db) {
    let server = Server::start(db, &[("server.trusted_proxies", "127.0.0.0/8"), ("device.max_requests", "5")]);
    let (client, other) = (Spec::device().create(&server), Spec::device().create(&server));
    let ask = async |client: &Client, address: &str| {
        let request = http().post(server.url("/oauth2/device_authorization")).header("X-Forwarded-For", address);
        Answer::of(request.form(&[("client_id", client.id.as_str()), ("scope", "openid")])).await
    };
    for _ in 0..5 {
        assert_eq!(ask(&client, "203.0.113.5").await.status, 200);
    }
    assert_j(&ask(&client, "203.0.113.5").await, 503, "temporarily_unavailable");
    // One from elsewhere, one of another app from the same network: each takes the place of the oldest there.
    assert_eq!(ask(&client, "198.51.100.7").await.status, 200);
    assert_eq!(ask(&other, "203.0.113.5").await.status, 200);
    assert_j(&ask(&client, "203.0.113.5").await, 503, "temporarily_unavailable");
    assert_eq!(server.database.rows("device_codes", "1 = 1").len(), 5);
    assert_eq!(server.database.rows("device_codes", "network = '203.0.113.5/32' OR network = '203.0.113.5'").len(), 4);
}

both![
    p05_devices_of_others_get_in,
    p05_logins_that_wait_take_no_row,
    p05_the_longest_state,
    p05_the_request_is_sealed,
    p05_one_request_has_one_answer,
];
