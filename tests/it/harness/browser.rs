//! A person's browser without JavaScript: cookies, pages, forms. It follows redirects and pages that go on by themselves on
//! the server itself, and stops at the first that leads off it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::answer::http;
use super::cookies::Jar;
use super::{Answer, Form, Redirect, Request, Server, User};

pub struct Browser {
    issuer: Url,
    jar: Mutex<Jar>,
}

impl Browser {
    pub fn new(server: &Server) -> Self {
        Self { issuer: Url::parse(&server.issuer).expect("an issuer"), jar: Mutex::default() }
    }

    /// The same person's browser at the host of an app: it has cookies of its own.
    pub fn at(origin: &str) -> Self {
        Self { issuer: Url::parse(origin).expect("an origin"), jar: Mutex::default() }
    }

    /// One in which this person is logged in already.
    pub async fn of(server: &Server, user: &User) -> Self {
        let browser = Self::new(server);
        let page = browser.open("/login").await;
        let after = browser.login(&page, user).await;
        assert!(!after.has_form("/login"), "{} could not log in: {after:?}", user.username);
        browser
    }

    /// Its cookies, to look at or to tamper with.
    pub fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another browser with the same cookies, as a thief has it.
    pub fn copy(&self) -> Self {
        Self { issuer: self.issuer.clone(), jar: Mutex::new(self.jar().clone()) }
    }

    /// A request as this browser sends it, for tests that change something in it first.
    pub fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let mut request = http()
            .request(method, url.clone())
            .header("Accept", "text/html,application/xhtml+xml")
            .header("Sec-Fetch-Dest", "document")
            .header("Sec-Fetch-Mode", "navigate");
        if let Some(cookies) = self.jar().header(url.path()) {
            request = request.header(COOKIE, cookies);
        }
        request
    }

    /// Sends what [`Browser::request`] made and keeps the cookies of the answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = Answer::of(request).await;
        self.jar().learn(&answer.headers);
        answer
    }

    /// GET, of a path or an address, without following anything.
    pub async fn get(&self, url: &str) -> Answer {
        let url = self.issuer.join(url).expect("an address");
        self.send(self.request(Method::GET, &url).header("Sec-Fetch-Site", "cross-site")).await
    }

    /// GET, then wherever the server leads on itself.
    pub async fn open(&self, url: &str) -> Answer {
        let answer = self.get(url).await;
        self.follow(answer).await
    }

    /// Posts a form as it stands, without following.
    pub async fn post(&self, form: &Form) -> Answer {
        // Fetch standard, "append a request Origin header": a page with no-referrer posts with `Origin: null`.
        let origin = if form.no_referrer { "null".to_owned() } else { form.action.origin().ascii_serialization() };
        self.send(self.posting(form, &origin, "same-origin")).await
    }

    /// The request that posts a form from a page of that origin, which the browser sets into that relation to ours.
    pub fn posting(&self, form: &Form, origin: &str, site: &str) -> RequestBuilder {
        self.request(Method::POST, &form.action)
            .header(ORIGIN, origin)
            .header("Sec-Fetch-Site", site)
            .header("Sec-Fetch-User", "?1")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.encoded())
    }

    /// Posts a form, then wherever the server leads on itself.
    pub async fn submit(&self, form: &Form) -> Answer {
        let answer = self.post(form).await;
        self.follow(answer).await
    }

    /// Follows redirects and pages that go on by themselves on the server; returns the page, or the redirect that leads off it.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            match answer.location() {
                Some(location) if answer.leads_to_itself(&location) => {
                    let url = Url::parse(&location).expect("an address");
                    answer = self.send(self.request(Method::GET, &url).header("Sec-Fetch-Site", "same-origin")).await;
                }
                _ => return answer,
            }
        }
        panic!("ten redirects and no end: {answer:?}")
    }

    /// Starts an authorization, without following: the answer of the authorization endpoint itself.
    pub async fn authorize(&self, request: &Request) -> Answer {
        self.get(&request.url()).await
    }

    /// Fills in the login form of a page.
    pub async fn login(&self, page: &Answer, user: &User) -> Answer {
        self.submit(&page.form("/login").with("username", &user.username).with("password", &user.password)).await
    }

    pub async fn approve(&self, page: &Answer) -> Answer {
        self.submit(&page.form("/consent").press("decision", "approve")).await
    }

    pub async fn deny(&self, page: &Answer) -> Answer {
        self.submit(&page.form("/consent").press("decision", "deny")).await
    }

    /// The whole way: log in if asked, approve if asked, to the redirect back to the app.
    pub async fn grant(&self, user: &User, request: &Request) -> Redirect {
        let mut page = self.open(&request.url()).await;
        if page.has_form("/login") {
            page = self.login(&page, user).await;
        }
        if page.has_form("/consent") {
            page = self.approve(&page).await;
        }
        let redirect = page.redirect();
        assert_eq!(redirect.param("state"), request.get("state"), "state in {}", redirect.location);
        redirect
    }

    /// As [`Browser::grant`], up to the page that asks for consent.
    pub async fn consent_page(&self, user: &User, request: &Request) -> Answer {
        let mut page = self.open(&request.url()).await;
        if page.has_form("/login") {
            page = self.login(&page, user).await;
        }
        assert!(page.has_form("/consent"), "a consent page: {page:?}");
        page
    }
}
