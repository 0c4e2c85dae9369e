//! The operator's own app at `/api/v1`: a native one, or a page of the issuer's origin in a browser.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::RequestBuilder;
use reqwest::header::COOKIE;
use serde_json::{Value, json};

use super::answer::http;
use super::cookies::Jar;
use super::{Answer, Auth, Client, Server, Spec, User};

pub struct FirstParty {
    pub client: Client,
    kind: Kind,
    jar: Mutex<Jar>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Native,
    Page,
}

impl FirstParty {
    /// What `client create --first-party` gets, before more is said.
    pub fn spec() -> Spec {
        Spec::public().auth(Auth::None).grants(&[]).scope("profile notes:read").flags(&["--first-party"])
    }

    #[track_caller]
    pub fn native(server: &Server) -> Self {
        Self::native_of(Self::spec().create(server))
    }

    /// A page with scripts on the issuer's origin.
    #[track_caller]
    pub fn page(server: &Server) -> Self {
        Self::page_of(Self::spec().flags(&["--application-type", "web"]).create(server))
    }

    pub fn native_of(client: Client) -> Self {
        Self { client, kind: Kind::Native, jar: Mutex::default() }
    }

    pub fn page_of(client: Client) -> Self {
        Self { client, kind: Kind::Page, jar: Mutex::default() }
    }

    /// The same app, speaking to another node; in another browser, if it is a page.
    pub fn at(&self, node: &Server) -> Self {
        Self { client: self.client.at(node), kind: self.kind, jar: Mutex::new(self.jar().clone()) }
    }

    pub fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cookie of the page's, by its name on http.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> String {
        self.jar().get(name).unwrap_or_else(|| panic!("no cookie {name} in {:?}", self.jar().names())).to_owned()
    }

    /// A request before it is sent, without CSRF token.
    pub fn bare(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = http().post(format!("{}/api/v1{path}", self.client.node)).json(body);
        match self.kind {
            Kind::Native => request,
            Kind::Page => self.of_page(request.header("Origin", &self.client.issuer)),
        }
    }

    fn of_page(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "cors");
        match self.jar().header("/api/v1") {
            Some(cookies) => request.header(COOKIE, cookies),
            None => request,
        }
    }

    /// A request as the app sends it: a page repeats its CSRF cookie.
    pub fn request(&self, path: &str, body: &Value) -> RequestBuilder {
        let csrf = self.jar().get("latchway_csrf").map(str::to_owned);
        csrf.into_iter().fold(self.bare(path, body), |request, token| request.header("X-CSRF-Token", token))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = Answer::of(request).await;
        self.jar().learn(&answer.headers);
        answer
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(path, body)).await
    }

    pub fn credentials(&self, username: &str, password: &str) -> Value {
        json!({"client_id": self.client.id, "username": username, "password": password})
    }

    pub async fn try_login(&self, username: &str, password: &str) -> Answer {
        self.post("/login", &self.credentials(username, password)).await
    }

    /// Logs in, which must succeed.
    pub async fn login(&self, user: &User) -> Answer {
        let answer = self.try_login(&user.username, &user.password).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// A native app's refresh, by the token in its hand.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/token/refresh", &json!({"client_id": self.client.id, "refresh_token": token})).await
    }

    /// A page's refresh, by its cookies.
    pub async fn refresh_page(&self) -> Answer {
        self.post("/token/refresh", &json!({"client_id": self.client.id})).await
    }

    pub async fn logout(&self, token: &str) -> Answer {
        self.post("/logout", &json!({"client_id": self.client.id, "refresh_token": token})).await
    }

    pub async fn logout_page(&self) -> Answer {
        self.post("/logout", &json!({"client_id": self.client.id})).await
    }

    /// `/api/v1/me` by a bearer token.
    pub async fn me(&self, token: &str) -> Answer {
        let url = format!("{}/api/v1/me", self.client.node);
        Answer::of(http().get(url).header("Authorization", format!("Bearer {token}"))).await
    }

    /// `/api/v1/me` by the page's cookies.
    pub async fn me_page(&self) -> Answer {
        let request = http().get(format!("{}/api/v1/me", self.client.node));
        self.send(self.of_page(request)).await
    }
}
