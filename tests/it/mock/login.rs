//! Logging in: by a click, by a hint, by a client that nobody registered.

use serde_json::json;

use super::*;

/// An authorization request of an app on this machine, and where it ends.
struct App {
    redirect_uri: String,
    pkce: Pkce,
}

impl App {
    fn new() -> Self {
        Self { redirect_uri: format!("http://localhost:{}/callback", 5000), pkce: Pkce::new() }
    }

    fn url(&self, prefix: &str, more: &str) -> String {
        let redirect: String = url::form_urlencoded::byte_serialize(self.redirect_uri.as_bytes()).collect();
        format!(
            "{prefix}/oauth2/authorize?response_type=code&client_id=any-app&scope=openid%20profile%20email%20orders:read%20roles\
             &redirect_uri={redirect}&state=s&code_challenge={}&code_challenge_method=S256{more}",
            self.pkce.challenge
        )
    }

    async fn redeem(&self, mock: &Mock, prefix: &str, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "any-app"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.pkce.verifier),
        ];
        Answer::of(mock.request("POST", &format!("{prefix}/oauth2/token")).form(&fields)).await
    }
}

/// Fails if a test cannot come back from a login in one step, or comes back as somebody else.
async fn a_hint_logs_in_without_a_page() {
    let mock = Mock::start("[[issuers]]\npath = \"acme\"\n");
    for prefix in ["", "/acme"] {
        let app = App::new();
        let browser = mock.browser();
        for (hint, name) in [("alice", "Alice"), ("bob", "Bob"), ("alice@example.com", "Alice")] {
            let back = browser.get(&app.url(prefix, &format!("&login_hint={hint}"))).await;
            let code = back.redirect().code();
            let tokens = app.redeem(&mock, prefix, &code).await;
            assert_eq!(tokens.status, 200, "{tokens:?}");
            let claims = claims_of(&tokens.text("id_token"));
            assert_eq!(claims["iss"], mock.url(prefix), "{claims}");
            let request = mock.request("GET", &format!("{prefix}/oauth2/userinfo"));
            let info = Answer::of(request.bearer_auth(tokens.text("access_token"))).await.json();
            assert_eq!(info["name"], name, "{info}");
            let access = claims_of(&tokens.text("access_token"));
            assert!(access["aud"].to_string().contains(&mock.base), "{access}");
            assert!(access["scope"].as_str().is_some_and(|scope| scope.contains("orders:read")), "{access}");
        }
        // Without a hint the session is Alice's, and she is asked.
        let asked = browser.open(&app.url(prefix, "")).await;
        assert!(asked.has_form(&format!("{prefix}/consent")), "{asked:?}");
        let asked = browser.open(&app.url(prefix, "&login_hint=alice&prompt=consent")).await;
        assert!(asked.has_form(&format!("{prefix}/consent")), "{asked:?}");
        let unknown = mock.browser().open(&app.url(prefix, "&login_hint=mallory")).await;
        assert!(unknown.has_form(&format!("{prefix}/login")), "{unknown:?}");
        let silent = mock.browser().get(&app.url(prefix, "&login_hint=alice&prompt=none")).await;
        assert_eq!(silent.redirect().param("error"), Some("login_required"));
        let posted = mock.browser().get(&app.url(prefix, "&login_hint=alice&response_mode=form_post")).await;
        assert!(posted.body.contains("name=\"code\""), "{posted:?}");
    }
}

/// Fails if a click does not log in, at the main issuer or at one below a path.
async fn a_click_logs_in() {
    let mock = Mock::start("[[issuers]]\npath = \"acme\"\n");
    for prefix in ["", "/acme"] {
        let (app, browser) = (App::new(), mock.browser());
        let page = browser.open(&app.url(prefix, "")).await;
        let form = page.form(&format!("{prefix}/mock/login")).press("persona", "bob");
        let consent = browser.submit(&form).await;
        assert!(consent.words().contains("Bob"), "{consent:?}");
        let back = browser.post(&consent.form(&format!("{prefix}/consent")).press("decision", "approve")).await;
        let tokens = app.redeem(&mock, prefix, &back.redirect().code()).await;
        assert_eq!(claims_of(&tokens.text("access_token"))["roles"], json!(["admin"]), "{tokens:?}");
        let own = mock.browser();
        let account = own
            .submit(
                &own.open(&format!("{prefix}/login"))
                    .await
                    .form(&format!("{prefix}/mock/login"))
                    .press("persona", "alice"),
            )
            .await;
        assert!(account.words().contains("Alice"), "{account:?}");
        let page = own.open(&format!("{prefix}/login?switch=1")).await;
        let nobody = own.post(&page.form(&format!("{prefix}/mock/login")).with("persona", "mallory")).await;
        assert_eq!(nobody.status, 400, "{nobody:?}");
        let forged = page.form(&format!("{prefix}/mock/login")).press("persona", "alice").with("csrf", "forged");
        assert_eq!(own.post(&forged).await.status, 403, "somebody else's form");
    }
}

/// Fails if strangers are kept out, are let further than to this machine, or are let in although they were not to be.
async fn strangers_are_welcome_on_this_machine_alone() {
    let mock = Mock::start("");
    let app = App::new();
    for redirect_uri in ["https://app.example/cb", "http://192.0.2.1/cb"] {
        let elsewhere = App { redirect_uri: redirect_uri.to_owned(), pkce: Pkce::new() };
        let page = mock.browser().get(&elsewhere.url("", "&login_hint=alice")).await;
        assert!(page.status == 400 && page.header("location").is_none(), "{page:?}");
    }
    for redirect_uri in ["com.example.app:/cb", "http://127.0.0.1:7/cb", "http://[::1]:7/cb", "https://localhost:7/cb"]
    {
        let local = App { redirect_uri: redirect_uri.to_owned(), pkce: Pkce::new() };
        let back = mock.browser().get(&local.url("", "&login_hint=alice")).await;
        assert!(back.redirect().location.starts_with(redirect_uri), "{back:?}");
    }
    for (secret, other) in [("one", "another"), ("two", "yet another")] {
        let machine = |secret: &str| {
            let request = mock.request("POST", "/oauth2/token").basic_auth("any-machine", Some(secret));
            request.form(&[("grant_type", "client_credentials"), ("scope", "a b"), ("resource", "https://api.example")])
        };
        for secret in [secret, other] {
            let tokens = Answer::of(machine(secret)).await;
            assert_eq!((tokens.status, tokens.text("scope")), (200, "a b".to_owned()), "{tokens:?}");
            assert_eq!(claims_of(&tokens.text("access_token"))["aud"], json!(["https://api.example"]));
        }
    }
    let strict = Mock::start(
        "strangers = false\n[[clients]]\nid = \"app\"\nredirect_uris = [\"http://localhost:5000/callback\"]\n\
         [[clients]]\nid = \"machine\"\nsecret = \"s\"\nscope = \"a\"\n",
    );
    let page = strict.browser().get(&app.url("", "&login_hint=alice")).await;
    assert_eq!(page.status, 400, "{page:?}");
    let known = app.url("", "&login_hint=alice").replace("any-app", "app").replace("%20orders:read", "");
    assert!(strict.browser().get(&known).await.redirect().location.starts_with("http://localhost:5000/callback?code="));
    for (secret, status) in [("s", 200), ("wrong", 401)] {
        let request = strict.request("POST", "/oauth2/token").basic_auth("machine", Some(secret));
        assert_eq!(Answer::of(request.form(&[("grant_type", "client_credentials")])).await.status, status);
    }
    assert_eq!(strict.get("/acme/.well-known/openid-configuration").await.status, 404);
}

once![a_hint_logs_in_without_a_page, a_click_logs_in, strangers_are_welcome_on_this_machine_alone];
