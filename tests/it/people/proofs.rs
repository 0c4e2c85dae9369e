//! P3: a login that is under way does not survive what ends the person's access.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::*;

/// A hash that takes about a second: the command line is done before.
const SLOW: [(&str, &str); 2] = [("passwords.memory_kib", "65536"), ("passwords.iterations", "16")];
const QUICK: [(&str, &str); 2] = [("passwords.memory_kib", "8192"), ("passwords.iterations", "1")];

/// Waits until so many logins have read the account and are being hashed: they are counted just before.
async fn under_way(server: &Server, logins: i64) {
    let begin = Instant::now();
    let counted = || {
        server
            .database
            .number("SELECT coalesce(sum(under_way), 0) FROM throttles WHERE kind = 'login_account_at_address'")
    };
    while counted() < logins {
        assert!(begin.elapsed() < Duration::from_secs(60), "the logins do not begin");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Logs in at the page and at the first-party API, does something to the account while both are hashed, and tells what
/// came of the two logins.
async fn meanwhile(server: &Arc<Server>, user: &User, act: fn(&Server, &User)) -> (Browser, Answer, Answer) {
    let app = FirstParty::native(server);
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    server.database.execute("DELETE FROM throttles");
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let acting = async {
        under_way(server, 2).await;
        let (server, user) = (server.clone(), user.clone());
        tokio::task::spawn_blocking(move || act(&server, &user)).await.expect("it is done");
    };
    let (by_page, by_api, ()) =
        tokio::join!(browser.post(&form), app.try_login(&user.username, &user.password), acting);
    (browser, by_page, by_api)
}

async fn assert_logged_out(server: &Server, (browser, by_page, by_api): &(Browser, Answer, Answer)) {
    assert_ne!(browser.get("/account").await.status, 200, "logged in by the page: {by_page:?}");
    if by_api.status == 200 {
        let url = server.url("/api/v1/me");
        let token = by_api.text("access_token");
        let me = Answer::of(http().get(url).header("Authorization", format!("Bearer {token}"))).await;
        assert_eq!(me.status, 401, "logged in by the API: {me:?}");
    }
}

/// Until an attempt in which the login came to its end after the account was changed: a busy machine may take the commands
/// so long that it was before. After none of them is anyone logged in.
async fn p03_lost(server: &Arc<Server>, user: &User, act: fn(&Server, &User), again: fn(&Server, &User)) {
    for _ in 0..5 {
        let outcome = meanwhile(server, user, act).await;
        assert_logged_out(server, &outcome).await;
        let (_, by_page, by_api) = &outcome;
        if (by_page.status, by_api.status) == (422, 400) {
            assert_audit(server, by_page, "login_failed");
            assert_eq!(by_api.text("error"), "invalid_grant", "as if the password were wrong: {by_api:?}");
            assert!(!audit(server, "kind = 'login_failed' AND reason = 'account_changed'").is_empty());
            return;
        }
        again(server, user);
    }
    panic!("the logins were over before the account was changed, five times");
}

fn another_password(server: &Server, user: &User) {
    let args = ["user", "set-password", &user.username, "--password-stdin"];
    server.try_cli(&args, "quite another horse").expect("another password");
}

/// The first password again, as slow as before.
fn first_password(server: &Server, user: &User) {
    let args = ["user", "set-password", &user.username, "--password-stdin"];
    server.node(&SLOW).try_cli(&args, &user.password).expect("the first password");
}

fn disable_and_enable(server: &Server, user: &User) {
    server.cli(&["user", "disable", &user.username]);
    server.cli(&["user", "enable", &user.username]);
}

async fn p03_a_password_that_was_changed_meanwhile(db: Db) {
    let server = Arc::new(Server::start(db, &QUICK));
    let user = User::new(&server.node(&SLOW));
    p03_lost(&server, &user, another_password, first_password).await;
    assert_eq!(server.database.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL"), 0);
}

async fn p03_an_account_that_was_disabled_and_enabled_meanwhile(db: Db) {
    let server = Arc::new(Server::start(db, &QUICK));
    let user = User::new(&server.node(&SLOW));
    p03_lost(&server, &user, disable_and_enable, |_, _| ()).await;
    assert_eq!(server.database.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL"), 0);
}

/// `auth_time` is when the proof was read, so that whatever changed the account after that counts against it.
async fn p03_the_time_of_the_proof(db: Db) {
    let server = Server::start(db, &QUICK);
    let user = User::new(&server.node(&SLOW));
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let reading = async {
        under_way(&server, 1).await;
        now()
    };
    let (_, read_by) = tokio::join!(browser.post(&form), reading);
    let auth_time = server.database.number("SELECT auth_time FROM sessions");
    assert!(auth_time <= read_by, "the proof was read by {read_by}, auth_time says {auth_time}");
    assert!(server.database.number("SELECT created_at FROM sessions") >= auth_time);
}

/// A decision in a session that has ended is none, from whichever page it comes.
async fn p03_a_session_that_ended_meanwhile(server: Shared) {
    let user = User::new(server);
    let client = Client::confidential(server);
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &client.request()).await;
    disable_and_enable(server, &user);
    let answer = browser.approve(&page).await;
    assert!(answer.has_form("/login") || answer.status == 403, "{answer:?}");
    assert!(server.database.rows("grants", &format!("client_id = '{}'", client.id)).is_empty());
}

both![
    p03_a_password_that_was_changed_meanwhile,
    p03_an_account_that_was_disabled_and_enabled_meanwhile,
    p03_the_time_of_the_proof,
    p03_a_session_that_ended_meanwhile,
];
