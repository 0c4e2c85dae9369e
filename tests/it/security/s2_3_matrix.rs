//! Matrix M and B-057: whatever ends an access ends all that came of it, by whichever grant it came.
//!
//! A login with `offline_access` outlives the session in which it was given; every other login ends with it.

use super::family::{Family, api_uri, assert_active, assert_inactive};
use crate::harness::*;

const OFFLINE: &str = "openid profile offline_access";
const ONLINE: &str = "openid profile";

/// Everything that one person allowed one client, at each stage, with an API that looks at it.
struct Household {
    user: User,
    browser: Browser,
    client: Client,
    api: Client,
    request: Request,
    /// Not redeemed yet.
    code: String,
    redeemed: Family,
    /// The second of its family.
    refreshed: Family,
}

impl Household {
    async fn new(server: &Server, scope: &str) -> Self {
        let audience = api_uri();
        let client = Spec::confidential().audience(&audience).create(server);
        let api = Spec::confidential().is(&audience).create(server);
        let user = User::new(server);
        let browser = Browser::of(server, &user).await;
        let request = || client.request().set("scope", scope);
        let redeemed = Family::of(&client, &browser, &user, &request()).await;
        let first = Family::of(&client, &browser, &user, &request()).await;
        let refreshed = Family::read(&client.refresh(&first.refresh).await);
        let last = request();
        let code = browser.grant(&user, &last).await.code();
        let it = Self { user, browser, client, api, request: last, code, redeemed, refreshed };
        it.assert_alive().await;
        it
    }

    async fn assert_alive(&self) {
        for family in [&self.redeemed, &self.refreshed] {
            assert_active(&self.api.introspect(&family.access).await);
            assert_active(&self.client.introspect(&family.refresh).await);
            assert_eq!(self.client.userinfo(&family.access).await.status, 200);
        }
    }

    /// The access tokens, wherever they are shown.
    async fn assert_access_dead(&self) {
        for family in [&self.redeemed, &self.refreshed] {
            assert_revoked(&self.api, &family.access).await;
        }
    }

    /// What each grant answers now: the code, and both refresh tokens.
    async fn attempts(&self) -> Vec<Answer> {
        vec![
            self.client.redeem(&self.request, &self.code).await,
            self.client.refresh(&self.redeemed.refresh).await,
            self.client.refresh(&self.refreshed.refresh).await,
        ]
    }

    /// Nothing new, and everything old is dead, before somebody tried and after that.
    async fn assert_over(&self) {
        self.assert_access_dead().await;
        for family in [&self.redeemed, &self.refreshed] {
            assert_inactive(&self.client.introspect(&family.refresh).await);
        }
        self.attempts().await.iter().for_each(assert_ig);
        self.assert_access_dead().await;
    }
}

async fn b_057_user_disabled(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["user", "disable", &it.user.username]);
    it.assert_over().await;
    // Taken into service again, the person has to log in anew.
    server.cli(&["user", "enable", &it.user.username]);
    it.assert_over().await;
}

async fn b_057_password_changed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let args = ["user", "set-password", &it.user.username, "--password-stdin"];
    server.try_cli(&args, "another correct horse").expect("a new password");
    it.assert_over().await;
}

async fn b_057_consent_withdrawn(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/account/revoke")).await;
    it.assert_over().await;
}

async fn b_057_session_ended(server: Shared) {
    let it = Household::new(server, ONLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/logout")).await;
    it.assert_over().await;
}

async fn b_057_session_ended_from_elsewhere(server: Shared) {
    let it = Household::new(server, ONLINE).await;
    let other = Browser::of(server, &it.user).await;
    let page = other.open("/account").await;
    other.submit(&page.form("/account/sessions/revoke-others")).await;
    it.assert_over().await;
}

/// The one thing that goes on, because the person was asked for it; a code does not.
async fn b_057_offline_access_outlives_the_session(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/logout")).await;
    it.assert_alive().await;
    let answers = it.attempts().await;
    assert_ig(&answers[0]);
    answers[1..].iter().for_each(assert_tokens);
}

async fn b_057_scope_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["client", "update", &it.client.id, "--scope", "openid email offline_access"]);
    it.assert_over().await;
}

async fn b_057_refresh_grant_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["client", "update", &it.client.id, "--grant", "authorization_code"]);
    it.assert_access_dead().await;
    assert_inactive(&it.client.introspect(&it.refreshed.refresh).await);
    let answers = it.attempts().await;
    // A code is good still, for an access token and nothing that lasts.
    assert_tokens(&answers[0]);
    assert!(answers[0].json().get("refresh_token").is_none(), "{:?}", answers[0]);
    assert_active(&it.api.introspect(&answers[0].text("access_token")).await);
    answers[1..].iter().for_each(|answer| assert_j(answer, 400, "unauthorized_client"));
    it.assert_access_dead().await;
}

async fn b_057_code_grant_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["client", "update", &it.client.id, "--grant", "client_credentials"]);
    it.assert_access_dead().await;
    assert_inactive(&it.client.introspect(&it.refreshed.refresh).await);
    it.attempts().await.iter().for_each(|answer| assert_j(answer, 400, "unauthorized_client"));
    it.assert_access_dead().await;
}

async fn m_client_disabled_or_deleted(server: Shared) {
    for verb in ["disable", "delete"] {
        let it = Household::new(server, OFFLINE).await;
        server.cli(&["client", verb, &it.client.id]);
        it.assert_access_dead().await;
        it.attempts().await.iter().for_each(assert_ic);
        it.assert_access_dead().await;
    }
}

/// A service of its own, with a token by client_credentials, and an API that looks at it.
async fn service(server: &Server) -> (Client, Client, String) {
    let audience = api_uri();
    let spec = Spec::confidential().scope("reports stock").audience(&audience);
    let client = spec.grants(&["authorization_code", "refresh_token", "client_credentials"]).create(server);
    let api = Spec::confidential().is(&audience).create(server);
    let answer = own_token(&client).await;
    assert_tokens(&answer);
    let access = answer.text("access_token");
    assert_active(&api.introspect(&access).await);
    (client, api, access)
}

async fn own_token(client: &Client) -> Answer {
    client.token(&[("grant_type", "client_credentials"), ("scope", "reports stock")]).await
}

async fn m_client_credentials(server: Shared) {
    for (args, error) in [
        (&["disable"][..], "invalid_client"),
        (&["delete"], "invalid_client"),
        (&["update", "--grant", "authorization_code"], "unauthorized_client"),
        (&["update", "--scope", "stock"], "invalid_scope"),
    ] {
        let (client, api, access) = service(server).await;
        server.cli(&[&["client", args[0], &*client.id], &args[1..]].concat());
        assert_revoked(&api, &access).await;
        let answer = own_token(&client).await;
        assert_j(&answer, if error == "invalid_client" { 401 } else { 400 }, error);
        assert_revoked(&api, &access).await;
    }
}

/// The `kid`s that are published.
async fn published(server: &Server) -> Vec<String> {
    let keys = Browser::new(server).get("/.well-known/jwks.json").await.json();
    let kid = |key: &serde_json::Value| key["kid"].as_str().expect("kid").to_owned();
    keys["keys"].as_array().expect("keys").iter().map(kid).collect()
}

async fn until_unpublished(server: &Server, kid: &str) {
    for _ in 0..100 {
        if !published(server).await.iter().any(|found| found == kid) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{kid} is published ten seconds after it was retired");
}

fn kid_of(token: &str) -> String {
    header_of(token)["kid"].as_str().expect("kid").to_owned()
}

async fn m_key_compromised(db: Db) {
    let server = Server::start(db, &[]);
    let it = Household::new(&server, OFFLINE).await;
    let (service, api, own) = service(&server).await;
    let kid = kid_of(&own);
    assert_eq!(kid_of(&it.redeemed.access), kid);
    server.cli(&["keys", "retire", &kid, "--compromised"]);
    until_unpublished(&server, &kid).await;
    it.assert_access_dead().await;
    assert_revoked(&api, &own).await;
    // The families go on, with a key that was made for it.
    let mut answers = it.attempts().await;
    answers.push(own_token(&service).await);
    for answer in answers {
        assert_tokens(&answer);
        let access = answer.text("access_token");
        assert_ne!(kid_of(&access), kid);
        assert!(published(&server).await.contains(&kid_of(&access)));
        assert_active(
            &if answer.json().get("refresh_token").is_some() { &it.api } else { &api }.introspect(&access).await,
        );
    }
}

/// An orderly end: the key signs nothing more, and what it signed is good for as long as it says.
async fn m_key_retired(db: Db) {
    let server = Server::start(db, &[]);
    let it = Household::new(&server, OFFLINE).await;
    let kid = kid_of(&it.redeemed.access);
    server.cli(&["keys", "retire", &kid]);
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    it.assert_alive().await;
    assert!(published(&server).await.contains(&kid), "what it signed is verified still");
    for answer in it.attempts().await {
        assert_tokens(&answer);
        assert_ne!(kid_of(&answer.text("access_token")), kid);
    }
}

both![
    b_057_user_disabled,
    b_057_password_changed,
    b_057_consent_withdrawn,
    b_057_session_ended,
    b_057_session_ended_from_elsewhere,
    b_057_offline_access_outlives_the_session,
    b_057_scope_removed,
    b_057_refresh_grant_removed,
    b_057_code_grant_removed,
    m_client_disabled_or_deleted,
    m_client_credentials,
    m_key_compromised,
    m_key_retired,
];
