//! Matrix M for devices: whatever ends an access ends what a device was allowed, before it fetched its tokens and after.

use super::family::{Family, assert_active, assert_inactive};
use crate::harness::*;

const OFFLINE: &str = "openid profile offline_access";
const ONLINE: &str = "openid profile";

/// One person with two devices: one was allowed and has not asked since, one has its tokens.
struct Household {
    user: User,
    browser: Browser,
    client: Client,
    waiting: Device,
    redeemed: Family,
}

impl Household {
    async fn new(server: &Server, scope: &str) -> Self {
        let client = Spec::confidential().grants(&[DEVICE_GRANT, "refresh_token"]).create(server);
        let user = User::new(server);
        let browser = Browser::of(server, &user).await;
        let (first, waiting) = (ask(&client, scope).await, ask(&client, scope).await);
        browser.allow(&user, &first).await;
        browser.allow(&user, &waiting).await;
        let redeemed = Family::read(&first.poll().await);
        let it = Self { user, browser, client, waiting, redeemed };
        it.assert_alive().await;
        it
    }

    async fn assert_alive(&self) {
        assert_active(&self.client.introspect(&self.redeemed.access).await);
        assert_active(&self.client.introspect(&self.redeemed.refresh).await);
        assert_eq!(self.client.userinfo(&self.redeemed.access).await.status, 200);
    }

    /// What each grant answers now.
    async fn attempts(&self) -> [Answer; 2] {
        [self.waiting.poll().await, self.client.refresh(&self.redeemed.refresh).await]
    }

    async fn assert_over(&self) {
        assert_revoked(&self.client, &self.redeemed.access).await;
        assert_inactive(&self.client.introspect(&self.redeemed.refresh).await);
        self.attempts().await.iter().for_each(assert_ig);
        assert_revoked(&self.client, &self.redeemed.access).await;
    }
}

async fn ask(client: &Client, scope: &str) -> Device {
    Device::ask_with(client, &[("scope", scope)]).await
}

async fn m_device_user_disabled(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["user", "disable", &it.user.username]);
    it.assert_over().await;
    server.cli(&["user", "enable", &it.user.username]);
    it.assert_over().await;
}

async fn m_device_password_changed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let args = ["user", "set-password", &it.user.username, "--password-stdin"];
    server.try_cli(&args, "another correct horse").expect("a new password");
    it.assert_over().await;
}

async fn m_device_consent_withdrawn(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/account/revoke")).await;
    it.assert_over().await;
}

async fn m_device_session_ended(server: Shared) {
    let it = Household::new(server, ONLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/logout")).await;
    it.assert_over().await;
}

/// People allow a television something on a telephone that is not theirs, and log out before it asks again.
async fn m_device_offline_access_outlives_the_session(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let page = it.browser.open("/account").await;
    it.browser.submit(&page.form("/logout")).await;
    it.assert_alive().await;
    it.attempts().await.iter().for_each(assert_tokens);
}

async fn m_device_scope_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["client", "update", &it.client.id, "--scope", "openid email offline_access"]);
    it.assert_over().await;
}

async fn m_device_grant_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    let grants =
        ["--grant", "authorization_code", "--grant", "refresh_token", "--redirect-uri", "https://app.example/cb"];
    server.cli(&[&["client", "update", &it.client.id], &grants[..]].concat());
    assert_revoked(&it.client, &it.redeemed.access).await;
    let [poll, refresh] = it.attempts().await;
    assert_j(&poll, 400, "unauthorized_client");
    assert_ig(&refresh);
}

async fn m_device_refresh_grant_removed(server: Shared) {
    let it = Household::new(server, OFFLINE).await;
    server.cli(&["client", "update", &it.client.id, "--grant", DEVICE_GRANT]);
    assert_revoked(&it.client, &it.redeemed.access).await;
    let [poll, refresh] = it.attempts().await;
    // Good still, for an access token and nothing that lasts.
    assert_tokens(&poll);
    assert!(poll.json().get("refresh_token").is_none(), "{poll:?}");
    assert_active(&it.client.introspect(&poll.text("access_token")).await);
    assert_j(&refresh, 400, "unauthorized_client");
}

async fn m_device_audience_removed(server: Shared) {
    let audience = super::family::api_uri();
    let client = Spec::device().audience(&audience).create(server);
    let device = Device::ask_with(&client, &[("scope", OFFLINE), ("resource", &audience)]).await;
    Browser::new(server).allow(&User::new(server), &device).await;
    server.cli(&["client", "update", &client.id, "--audience", "https://other.example"]);
    assert_j(&device.poll().await, 400, "invalid_target");
}

async fn m_device_client_disabled_or_deleted(server: Shared) {
    for verb in ["disable", "delete"] {
        let it = Household::new(server, OFFLINE).await;
        server.cli(&["client", verb, &it.client.id]);
        it.attempts().await.iter().for_each(assert_ic);
        assert_eq!(it.client.userinfo(&it.redeemed.access).await.status, 401);
        assert_ic(&it.client.post("/oauth2/device_authorization", &[]).await);
    }
}

both![
    m_device_user_disabled,
    m_device_password_changed,
    m_device_consent_withdrawn,
    m_device_session_ended,
    m_device_offline_access_outlives_the_session,
    m_device_scope_removed,
    m_device_grant_removed,
    m_device_refresh_grant_removed,
    m_device_audience_removed,
    m_device_client_disabled_or_deleted,
];
