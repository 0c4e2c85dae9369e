//! What comes of one login: the tokens of one family, and their end.

use crate::harness::*;

/// One person's login to one client, redeemed.
pub struct Family {
    pub access: String,
    pub refresh: String,
    pub id_token: String,
}

impl Family {
    /// Logs in and redeems the code.
    pub async fn new(client: &Client, browser: &Browser, user: &User) -> Self {
        Self::of(client, browser, user, &client.request()).await
    }

    /// The same for a request of one's own.
    pub async fn of(client: &Client, browser: &Browser, user: &User, request: &Request) -> Self {
        let code = browser.grant(user, request).await.code();
        Self::read(&client.redeem(request, &code).await)
    }

    #[track_caller]
    pub fn read(answer: &Answer) -> Self {
        assert_tokens(answer);
        Self {
            access: answer.text("access_token"),
            refresh: answer.text("refresh_token"),
            id_token: answer.json()["id_token"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

#[track_caller]
pub fn assert_active(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["active"], true, "{answer:?}");
}

#[track_caller]
pub fn assert_inactive(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), serde_json::json!({"active": false}), "{answer:?}");
}

/// How many refresh tokens of a client have not been used.
pub fn live_leaves(server: &Server, client: &Client) -> usize {
    let of_client = format!("grant_id IN (SELECT id FROM grants WHERE client_id = '{}')", client.id);
    server.database.rows("refresh_tokens", &format!("consumed_at IS NULL AND {of_client}")).len()
}

/// How many access tokens a client was ever given.
pub fn issued(server: &Server, client: &Client) -> usize {
    server.database.rows("access_tokens", &format!("client_id = '{}'", client.id)).len()
}

/// An API that no other test has.
pub fn api_uri() -> String {
    format!("https://api.example/{}", random(8))
}
