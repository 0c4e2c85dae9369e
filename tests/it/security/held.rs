//! A person who allowed an app something, and what the app holds since.

use reqwest::RequestBuilder;
use tokio::task::JoinSet;

use crate::harness::*;

pub struct Held {
    pub client: Client,
    pub user: User,
    /// In which that person is logged in.
    pub browser: Browser,
    pub access: String,
    pub refresh: String,
    pub id: String,
}

impl Held {
    pub async fn new(server: &Server) -> Self {
        Self::by(server, Client::confidential(server)).await
    }

    /// By a client, with all that it is registered for.
    pub async fn by(server: &Server, client: Client) -> Self {
        let request = client.request();
        Self::asked(server, client, &request).await
    }

    /// By a request of the client's.
    pub async fn asked(server: &Server, client: Client, request: &Request) -> Self {
        let (user, browser) = (User::new(server), Browser::new(server));
        let code = browser.grant(&user, request).await.code();
        let tokens = client.redeem(request, &code).await;
        assert_tokens(&tokens);
        let member = |name: &str| tokens.json()[name].as_str().unwrap_or_default().to_owned();
        let (access, refresh, id) = (member("access_token"), member("refresh_token"), member("id_token"));
        Self { client, user, browser, access, refresh, id }
    }

    pub async fn is_active(&self, token: &str) -> bool {
        let told = self.client.introspect(token).await;
        assert_eq!(told.status, 200, "{told:?}");
        told.json()["active"] == true
    }

    /// Neither an API nor we ourselves take it for an access token.
    pub async fn refused(&self, token: &str) {
        let told = self.client.introspect(token).await;
        assert_eq!((told.status, told.json()), (200, serde_json::json!({"active": false})), "{token}: {told:?}");
        assert_j(&self.client.userinfo(token).await, 401, "invalid_token");
    }
}

/// Sends all at once.
pub async fn at_once(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<Answer> {
    let mut running: JoinSet<Answer> = requests.into_iter().map(Answer::of).collect();
    let mut answers = Vec::new();
    while let Some(answer) = running.join_next().await {
        answers.push(answer.expect("an answer"));
    }
    answers
}
