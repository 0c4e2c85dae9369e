//! Behind real proxies, with the configurations from `examples/` as they stand but for the ports.

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::dead_port;
use crate::harness::*;

const API: &str = "https://api.example";
const SPOOFED: [&str; 6] =
    ["X-Auth-User", "X-Auth-Subject", "X-Auth-Client", "X-Auth-Scope", "X-Auth-Roles", "X-Auth-Method"];

/// A guarded app: browsers reach it at another host than ours.
struct Site {
    server: Server,
    gateway: Gateway,
    origin: String,
}

impl Site {
    fn new(db: Db, kind: fn(&Path, u16, u16, u16) -> Gateway) -> Self {
        let (port, app) = (free_port(), Echo::start());
        let origin = format!("http://localhost:{port}");
        let config = [("gatekeeper.allowed_origins", origin.as_str()), ("server.trusted_proxies", "127.0.0.1/32")];
        let server = Server::start(db, &config);
        let gateway = kind(&server.dir, port, server.address().1, app.port);
        Self { server, gateway, origin }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        http()
            .get(format!("http://127.0.0.1:{}{path}", self.gateway.port))
            .header("Host", &self.origin["http://".len()..])
    }
}

/// What reached the app, if it was reached.
#[track_caller]
fn reached(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["headers"].clone()
}

#[track_caller]
fn header<'a>(headers: &'a Value, name: &str) -> Option<&'a str> {
    let values = headers.get(name)?.as_array().expect("a list");
    assert_eq!(values.len(), 1, "{name} once: {headers}");
    values[0].as_str()
}

fn spoofed(request: RequestBuilder) -> RequestBuilder {
    let request = SPOOFED.iter().fold(request, |request, name| request.header(*name, "spoofed"));
    request.header("X_Auth_User", "spoofed").header("x-auth-user", "again")
}

/// What the app must know of a program, whatever the program said of itself.
#[track_caller]
fn assert_told(headers: &Value, wanted: [&str; 6]) {
    for (name, value) in SPOOFED.iter().zip(wanted) {
        let got = header(headers, &name.to_ascii_lowercase()).unwrap_or_default();
        assert_eq!(got, value, "{name}: {headers}");
    }
    assert!(!headers.to_string().contains("spoofed") && !headers.to_string().contains("again"), "{headers}");
}

/// A person's way through the proxy to the login page, and back to where they wanted to go.
async fn login_and_back(site: &Site, path: &str) -> (User, Browser, Browser) {
    let user = User::new(&site.server);
    let (app, ours) = (Browser::at(&site.origin), Browser::new(&site.server));
    let sent = app.get(path).await;
    assert_eq!(sent.status, 302, "{sent:?}");
    let login = sent.location().expect("a redirect");
    assert!(login.starts_with(&site.server.url("/api/v1/forward-auth/login?")), "{login}");
    let page = ours.open(&login).await;
    let after = ours.login(&page, &user).await;
    let callback = after.location().expect("a ticket");
    assert!(callback.starts_with(&format!("{}/.latchway/callback?ticket=", site.origin)), "{callback}");
    let back = app.get(&callback).await;
    assert_eq!(
        back.header("location"),
        Some(format!("{}{path}", site.origin).as_str()),
        "{back:?}\n{}",
        site.gateway.log()
    );
    (user, app, ours)
}

/// All that both proxies have to do.
async fn guard(site: &Site) {
    let server = &site.server;
    let client = Spec::confidential()
        .grants(&["client_credentials"])
        .scope("orders:read other")
        .audience(API)
        .audience(&site.origin);
    let client = client.create(server);
    let token = client.token(&[("grant_type", "client_credentials"), ("scope", "other"), ("resource", API)]).await;
    let token = token.text("access_token");
    let general = Key::of_client(server, &client, "orders:read", &["--audience", &site.origin]);
    let weak = Key::of_client(server, &client, "other", &["--audience", &site.origin]);
    let with = |path: &str, key: &Key| site.get(path).header("X-API-Key", &key.text);

    let passed = Answer::of(spoofed(with("/a?b=c", &general))).await;
    assert_eq!(passed.json()["path"], "/a?b=c", "{passed:?}");
    assert_told(&reached(&passed), ["", &client.id, &client.id, "orders:read", "", "api_key"]);
    let by_bearer = Answer::of(spoofed(site.get("/").bearer_auth(&general.text))).await;
    assert_told(&reached(&by_bearer), ["", &client.id, &client.id, "orders:read", "", "api_key"]);
    let head = http().head(format!("http://127.0.0.1:{}/", site.gateway.port)).header("X-API-Key", &general.text);
    let head = Answer::of(head.header("Host", &site.origin["http://".len()..])).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
    let post = site.get("/").build().expect("a request").url().clone();
    let posted = http().post(post).header("Host", &site.origin["http://".len()..]).header("X-API-Key", &general.text);
    let posted = Answer::of(posted.body("a body that the question does not carry")).await;
    assert_eq!(posted.json()["method"], "POST", "{posted:?}");

    // A token for an API of its own is none for this place, unless it is asked for.
    assert_eq!(Answer::of(site.get("/").bearer_auth(&token)).await.status, 401);
    for (path, key, status) in [
        ("/orders/1", &general, 200),
        ("/orders/1", &weak, 403),
        ("/admin/", &general, 403),
        ("/", &weak, 200),
        ("/private/", &general, 403),
    ] {
        assert_eq!(Answer::of(with(path, key)).await.status, status, "{path}");
    }
    for request in [
        site.get("/"),
        spoofed(site.get("/")),
        site.get("/").bearer_auth("garbage"),
        site.get("/").header("X-API-Key", "lw_garbage"),
        with("/", &general).bearer_auth(&token),
        site.get("/").header("Accept", "text/html").header("X-API-Key", "garbage"),
    ] {
        let refused = Answer::of(request).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.header_or_empty("www-authenticate").starts_with("Bearer realm=\"latchway\""), "{refused:?}");
        assert!(!refused.body.contains("\"headers\""), "the app was not reached: {refused:?}");
    }
    server.cli(&["api-key", "revoke", &weak.id]);
    assert_eq!(Answer::of(with("/", &weak)).await.status, 401);

    let (user, app, ours) = login_and_back(site, "/wiki/A%20B?q=a%26b").await;
    let request = app.request(Method::GET, &url::Url::parse(&format!("{}/wiki", site.origin)).expect("an address"));
    let inside = Answer::of(spoofed(request)).await;
    assert_told(&reached(&inside), [&user.username, &user.id, "", "", "user", "session"]);
    assert_eq!(app.get("/admin/").await.status, 403);
    assert_eq!(app.get("/orders/").await.status, 403);
    assert_eq!(app.get("/private/").await.status, 200);
    // Another site's form is stopped, the app's own is not.
    let form = url::Url::parse(&format!("{}/delete", site.origin)).expect("an address");
    let post = |origin: &str, site: &str| {
        app.request(Method::POST, &form).header("Origin", origin).header("Sec-Fetch-Site", site)
    };
    assert_eq!(Answer::of(post("https://evil.example", "cross-site")).await.status, 403);
    assert_eq!(Answer::of(post(&site.origin, "same-origin")).await.status, 200);
    ours.submit(&ours.get("/account").await.form("/logout")).await;
    assert_eq!(app.get("/wiki").await.status, 302, "logged out");
    // What nobody but a proxy may say, said by a browser.
    let lies = app.request(Method::GET, &url::Url::parse(&site.origin).expect("an address"));
    let lies = lies.header("X-Original-URL", "https://evil.example/").header("X-Forwarded-Host", "evil.example");
    let lies =
        lies.header("X-Forwarded-Proto", "https").header("X-Forwarded-Uri", "/").header("X-Original-Method", "GET");
    let sent = Answer::of(lies).await;
    assert!(!sent.location().unwrap_or_default().contains("evil"), "{sent:?}");
}

async fn nginx(db: Db) {
    let site = Site::new(db, Gateway::nginx);
    guard(&site).await;
    // Nobody asks the question from outside, and a place for everybody tells the app of nobody.
    for path in ["/.latchway/check/", "/.latchway/check/role=admin", "/.latchway/x", "//.latchway/check/"] {
        let answer = Answer::of(site.get(path)).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
    }
    let public = Answer::of(spoofed(site.get("/public/x"))).await;
    assert_told(&reached(&public), [""; 6]);
    // For an API of its own.
    let client =
        Spec::confidential().grants(&["client_credentials"]).scope("other").audience(API).audience(&site.origin);
    let client = client.create(&site.server);
    let token = client.token(&[("grant_type", "client_credentials"), ("resource", API)]).await.text("access_token");
    assert_eq!(Answer::of(site.get("/api/x").bearer_auth(&token)).await.status, 200);
    assert_eq!(Answer::of(site.get("/").bearer_auth(&token)).await.status, 401);
    // A login that is fresh enough; a key has none.
    let (_, app, _) = login_and_back(&site, "/payout/").await;
    assert_eq!(app.get("/payout/").await.status, 200);
    let key = Key::of_client(&site.server, &client, "other", &["--audience", &site.origin]);
    assert_eq!(Answer::of(site.get("/payout/").header("X-API-Key", &key.text)).await.status, 401);
    // Its networks are those of the client, not of the proxy's word for it.
    let flags = ["--audience", &site.origin, "--network", "203.0.113.0/24"];
    let bound = Key::of_client(&site.server, &client, "other", &flags);
    let lied = site.get("/").header("X-API-Key", &bound.text).header("X-Forwarded-For", "203.0.113.5");
    assert_eq!(Answer::of(lied).await.status, 401);
    // Nobody answers: nobody passes.
    assert!(site.server.stop());
    for request in
        [site.get("/"), site.get("/").header("X-API-Key", &key.text), site.get("/").header("Accept", "text/html")]
    {
        assert_eq!(Answer::of(request).await.status, 500);
    }
    assert_eq!(Answer::of(site.get("/public/x")).await.status, 200);
}

async fn caddy(db: Db) {
    let site = Site::new(db, Gateway::caddy);
    guard(&site).await;
    assert!(site.server.stop());
    assert_eq!(Answer::of(site.get("/")).await.status, 502, "nobody answers: nobody passes");
}

/// nginx before a Latchway that never was there.
async fn nginx_alone_lets_nobody_pass(db: Db) {
    let prepared = Server::prepared(db, &[]);
    let gateway = Gateway::nginx(&prepared.dir, free_port(), dead_port(), Echo::start().port);
    let url = format!("http://127.0.0.1:{}/", gateway.port);
    assert_eq!(Answer::of(http().get(&url)).await.status, 500);
    assert_eq!(Answer::of(http().get(&url).header("X-API-Key", "lw_x")).await.status, 500);
}

/// Bytes to a proxy, as no HTTP client would send them.
fn target_and_host(gateway: &Gateway, target: &str, host: &str, cookie: &str) -> RawAnswer {
    let cookie = format!("Cookie: {cookie}\r\nConnection: close\r\n\r\n");
    raw(("127.0.0.1", gateway.port), format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{cookie}").as_bytes())
}

/// P9: fails if the gate's cookie of one app opens another one behind the same proxy, whatever the request line and the
/// Host header say. Two copies of the server block of the example, as an operator writes them.
async fn p09_a_cookie_of_one_app_opens_no_other(db: Db) {
    let (port, app) = (free_port(), Echo::start());
    let (a, b) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let origins = format!("http://{a},http://{b}");
    let config = [("gatekeeper.allowed_origins", origins.as_str()), ("server.trusted_proxies", "127.0.0.1/32")];
    let server = Server::start(db, &config);
    let gateway = Gateway::nginx_for(&server.dir, port, server.address().1, app.port, &["localhost", "127.0.0.1"]);
    let site = Site { server, gateway, origin: format!("http://{a}") };
    let (user, browser, _) = login_and_back(&site, "/wiki").await;
    let cookie = browser.jar().header("/").expect("the gate's cookie");
    let ask = |target: &str, host: &str| target_and_host(&site.gateway, target, host, &cookie);
    let own = ask("/secret", &a);
    assert!(own.status == 200 && own.text.contains(&user.username), "{}", own.text);
    for (target, host) in [
        ("/secret".to_owned(), &b),
        (format!("http://{b}/secret"), &a),
        (format!("http://{b}/secret"), &b),
        (format!("http://{a}/secret"), &b),
        ("http://127.0.0.1/secret".to_owned(), &a),
        (format!("HTTP://{}/secret", b.to_uppercase()), &a),
    ] {
        let answer = ask(&target, host);
        assert!([401, 302, 421].contains(&answer.status), "{target} {host}: {}", answer.text);
        assert!(!answer.text.contains("\"headers\""), "the app was not reached: {}", answer.text);
    }
    assert_eq!(ask(&format!("http://{b}/secret"), &a).status, 421);
    assert_eq!(ask(&format!("http://{a}/secret"), &a.to_uppercase()).status, 200, "the same host");
}

/// P9 at Caddy, which takes the host of the request line.
async fn p09_caddy_believes_the_request_line(db: Db) {
    let site = Site::new(db, Gateway::caddy);
    let (user, browser, _) = login_and_back(&site, "/wiki").await;
    let cookie = browser.jar().header("/").expect("the gate's cookie");
    let host = &site.origin["http://".len()..];
    let own = target_and_host(&site.gateway, "/secret", host, &cookie);
    assert!(own.status == 200 && own.text.contains(&user.username), "{}", own.text);
    let other = target_and_host(&site.gateway, "http://other.example/secret", host, &cookie);
    assert!(!other.text.contains("\"headers\""), "the app was not reached: {}", other.text);
    let lied = target_and_host(&site.gateway, &format!("{}/secret", site.origin), "other.example", &cookie);
    assert!(lied.status != 200 || !lied.text.contains("other.example"), "{}", lied.text);
}

both![
    nginx,
    caddy,
    nginx_alone_lets_nobody_pass,
    p09_a_cookie_of_one_app_opens_no_other,
    p09_caddy_believes_the_request_line,
];
