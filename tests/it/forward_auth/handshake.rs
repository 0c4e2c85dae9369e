//! The way of a browser to the login page and back, where the app has another host than we.

use reqwest::Method;

use super::{ENDPOINT, House, cookies, told};
use crate::harness::*;

/// A browser with its cookies at both hosts.
struct Visitor<'a> {
    house: &'a House,
    /// At our host.
    ours: Browser,
    /// At the app's.
    app: Browser,
}

/// How a proxy tells what it was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Nginx,
    Traefik,
}

impl<'a> Visitor<'a> {
    fn new(house: &'a House) -> Self {
        Self { house, ours: Browser::new(&house.server), app: Browser::at(&house.origin) }
    }

    /// Has the person logged in at our host already?
    async fn of(house: &'a House, user: &User) -> Self {
        Self { house, ours: Browser::of(&house.server, user).await, app: Browser::at(&house.origin) }
    }

    /// The proxy asks about a page.
    async fn visit(&self, style: Style, query: &str, path: &str) -> Answer {
        let (scheme, host) = self.house.origin.split_once("://").expect("an origin");
        let request = http().get(self.house.server.url(&format!("{ENDPOINT}{query}"))).header("Accept", "text/html");
        let request = match style {
            Style::Nginx => request
                .header("X-Original-Method", "GET")
                .header("X-Original-URL", format!("{}{path}", self.house.origin)),
            // As Traefik's ForwardAuth documents it.
            Style::Traefik => request
                .header("X-Forwarded-Method", "GET")
                .header("X-Forwarded-Proto", scheme)
                .header("X-Forwarded-Host", host)
                .header("X-Forwarded-Uri", path),
        };
        self.send_at_app(request).await
    }

    async fn send_at_app(&self, request: reqwest::RequestBuilder) -> Answer {
        let cookies = self.app.jar().header("/");
        let request = cookies.into_iter().fold(request, |request, cookies| request.header("Cookie", cookies));
        let answer = Answer::of(request).await;
        self.app.jar().learn(&answer.headers);
        answer
    }

    /// The proxy hands the callback to us, with the cookies of the app's host.
    async fn callback(&self, address: &str) -> Answer {
        let path = address.strip_prefix(&self.house.origin).unwrap_or_else(|| panic!("{address} is not at the app"));
        assert!(path.starts_with("/.latchway/callback?ticket="), "{path}");
        self.send_at_app(http().get(self.house.server.url(path)).header("X-Original-URL", address)).await
    }

    /// From the login page or past it, up to the ticket.
    async fn ticket(&self, login: &str, user: &User) -> String {
        let mut page = self.ours.open(login).await;
        if page.has_form("/login") {
            page = self.ours.login(&page, user).await;
        }
        let location = page.location().unwrap_or_else(|| panic!("no way back: {page:?}"));
        assert!(location.starts_with(&self.house.origin), "{location}");
        location
    }

    /// The whole way; afterwards the app's host has the gate's cookie.
    async fn enter(&self, user: &User) {
        let told = self.visit(Style::Nginx, "", "/").await;
        let login = told.header("x-auth-login").expect("a way to log in").to_owned();
        let ticket = self.ticket(&login, user).await;
        let back = self.callback(&ticket).await;
        assert_eq!(back.location().as_deref(), Some(format!("{}/", self.house.origin).as_str()), "{back:?}");
    }

    async fn is_in(&self) -> bool {
        self.visit(Style::Nginx, "", "/").await.status == 204
    }
}

/// Fails if a person does not come back to exactly where they wanted to go, or with another's identity.
async fn to_the_login_page_and_back(db: Db) {
    let house = House::new(db);
    let user = User::new(&house.server);
    for (style, query) in [(Style::Nginx, ""), (Style::Nginx, "?redirect=302"), (Style::Traefik, "?redirect=302")] {
        let visitor = Visitor::new(&house);
        let path = "/wiki/A%20B?q=a%26b&r=https://evil.example/%2f..//x";
        let sent = visitor.visit(style, query, path).await;
        let login = if query.is_empty() {
            assert_j(&sent, 401, "invalid_token");
            sent.header("x-auth-login").expect("a way to log in").to_owned()
        } else {
            assert_eq!((sent.status, sent.body.as_str()), (302, ""), "{sent:?}");
            sent.location().expect("a redirect")
        };
        assert_no_store(&sent);
        assert!(login.starts_with(&house.server.url("/api/v1/forward-auth/login?return_to=")), "{login}");
        let state = visitor.app.jar().get("latchway_gate_state").expect("a state cookie").to_owned();
        assert!(!login.contains(&state), "the URL has a hash of it alone");
        let cookie = sent.header("set-cookie").expect("one cookie");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");

        let page = visitor.ours.open(&login).await;
        assert!(page.words().contains(&format!("to continue to {}", &house.origin["http://".len()..])), "{page:?}");
        let policy = page.header_or_empty("content-security-policy");
        assert!(policy.ends_with("form-action 'self'"), "{policy}");
        let wrong =
            visitor.ours.submit(&page.form("/login").with("username", &user.username).with("password", "no")).await;
        assert_eq!(wrong.status, 422, "{wrong:?}");
        let after = visitor.ours.login(&wrong, &user).await;
        assert_eq!(after.status, 303, "{after:?}");
        assert_no_store(&after);
        let back = visitor.callback(&after.location().expect("a ticket")).await;
        assert_eq!(back.status, 303, "{back:?}");
        assert_eq!(back.header("location"), Some(format!("{}{path}", house.origin).as_str()), "{back:?}");
        assert_no_store(&back);
        assert_audit(&house.server, &back, "gate_opened");
        let cookie = back.header("set-cookie").expect("one cookie");
        assert!(
            cookie.starts_with("latchway_gate=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        let inside = visitor.visit(style, query, path).await;
        assert_eq!(told(&inside), [user.username.as_str(), &user.id, "", "", "user", "session"]);
        // The second app, or the second time, asks for no password.
        let again = Visitor { house: &house, ours: visitor.ours.copy(), app: Browser::at(&house.origin) };
        again.enter(&user).await;
        assert!(again.is_in().await);
    }
}

/// On https the cookies at the app's host cannot be planted by another host of its domain.
async fn cookies_at_the_app_are_bound_to_it(db: Db) {
    let house = House::at(db, "https://app.example", &[]);
    let user = User::new(&house.server);
    let visitor = Visitor::of(&house, &user).await;
    let sent = visitor.visit(Style::Traefik, "?redirect=302", "/x").await;
    let state = sent.header("set-cookie").expect("a cookie");
    let attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert!(state.starts_with("__Host-latchway_gate_state=") && state.ends_with(attributes), "{state}");
    assert!(!sent.headers.contains_key("strict-transport-security"), "that is the app's to say: {sent:?}");
    let ticket = visitor.ticket(&sent.location().expect("a redirect"), &user).await;
    // As Traefik hands it over: the host and the scheme, and no address.
    let path = ticket.strip_prefix("https://app.example").expect("at the app");
    let request = http().get(house.server.url(path));
    let request = request.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "app.example");
    let back = visitor.send_at_app(request).await;
    assert_eq!(back.header("location"), Some("https://app.example/x"), "{back:?}");
    let gate = back.header("set-cookie").expect("a cookie");
    assert!(gate.starts_with("__Host-latchway_gate=") && gate.ends_with(attributes), "{gate}");
    assert!(visitor.is_in().await);
    // The same value under the name that http has is none.
    let value = visitor.app.jar().get("__Host-latchway_gate").expect("it").to_owned();
    visitor.app.jar().remove("__Host-latchway_gate");
    visitor.app.jar().set("latchway_gate", &value);
    assert!(!visitor.is_in().await);
}

/// Fails if a ticket is good for two, for another browser, for another app, after its time or after the session.
async fn a_ticket_is_for_one_browser_once(db: Db) {
    let (one, other) = (format!("http://localhost:{}", free_port()), format!("http://localhost:{}", free_port()));
    let mut house = House::at(db, &format!("{one},{other}"), &[]);
    house.origin = one;
    let house = house;
    let user = User::new(&house.server);
    let start = || async {
        let visitor = Visitor::of(&house, &user).await;
        let login = visitor.visit(Style::Nginx, "", "/").await.header("x-auth-login").expect("a way").to_owned();
        let ticket = visitor.ticket(&login, &user).await;
        (visitor, ticket)
    };
    let refused = |answer: &Answer| {
        assert_page(answer);
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    };

    // Whoever saw the ticket has not the browser that it is for. Nobody uses it up for the right one.
    let (visitor, ticket) = start().await;
    let thief = Visitor::new(&house);
    refused(&thief.callback(&ticket).await);
    thief.visit(Style::Nginx, "", "/").await;
    refused(&thief.callback(&ticket).await);
    // Another app hands over what is for this one.
    let path = ticket.strip_prefix(&house.origin).expect("at the app").to_owned();
    let elsewhere = http().get(house.server.url(&path)).header("X-Original-URL", format!("{other}{path}"));
    refused(&visitor.send_at_app(elsewhere).await);
    let stranger = http().get(house.server.url(&path)).header("X-Original-URL", "https://evil.example/");
    refused(&visitor.send_at_app(stranger).await);
    for nonsense in ["", "?ticket=", "?ticket=x", &format!("?{}&{0}", &path[path.find('?').expect("a query") + 1..])] {
        let url = house.server.url(&format!("/.latchway/callback{nonsense}"));
        refused(&visitor.send_at_app(http().get(url).header("X-Original-URL", &ticket)).await);
    }
    assert_eq!(visitor.callback(&ticket).await.status, 303);
    refused(&visitor.callback(&ticket).await);
    assert!(visitor.is_in().await, "a replayed ticket ends nothing");

    // At once, one.
    let (visitor, ticket) = start().await;
    let cookies = visitor.app.jar().header("/").expect("cookies");
    let path = ticket.strip_prefix(&house.origin).expect("at the app");
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = http().get(house.server.url(path)).header("X-Original-URL", &ticket).header("Cookie", &cookies);
        running.spawn(Answer::of(request));
    }
    let answers = running.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), 1, "{answers:?}");

    let (visitor, ticket) = start().await;
    house.server.database.execute("UPDATE gates SET expires_at = expires_at - 61 WHERE opened_at IS NULL");
    refused(&visitor.callback(&ticket).await);
    let (visitor, ticket) = start().await;
    visitor.ours.submit(&visitor.ours.get("/account").await.form("/logout")).await;
    refused(&visitor.callback(&ticket).await);
    // A ticket is no cookie, and a cookie is no ticket.
    let (visitor, ticket) = start().await;
    let value = ticket.split("ticket=").nth(1).expect("a ticket").to_owned();
    visitor.app.jar().set("latchway_gate", &value);
    assert!(!visitor.is_in().await);
    visitor.callback(&ticket).await;
    let gate = visitor.app.jar().get("latchway_gate").expect("a gate").to_owned();
    let url = house.server.url(&format!("/.latchway/callback?ticket={gate}"));
    refused(&visitor.send_at_app(http().get(url).header("X-Original-URL", &ticket)).await);
    let secrets = house.server.database.rows("gates", "1 = 1");
    assert!(!serde_json::json!(secrets).to_string().contains(&gate), "only hashes are stored");
}

/// Fails if a gate's cookie counts at another origin, or after its session, on any node.
async fn i_4_a_gate_ends_with_its_session(db: Db) {
    let (one, other) = (format!("http://localhost:{}", free_port()), format!("http://localhost:{}", free_port()));
    let mut house = House::at(db, &format!("{one},{other}"), &[]);
    house.origin = one;
    let node = (db == Db::Postgres).then(|| house.server.another_node());
    let asked = node.as_ref().unwrap_or(&house.server);
    for end in ["logout", "elsewhere", "disable", "password"] {
        let user = User::new(&house.server);
        let visitor = Visitor::new(&house);
        visitor.enter(&user).await;
        let cookie = format!("latchway_gate={}", visitor.app.jar().get("latchway_gate").expect("a gate"));
        let ask = |origin: &str| {
            let request = http().get(asked.url(ENDPOINT)).header("Cookie", &cookie);
            request.header("X-Original-Method", "GET").header("X-Original-URL", format!("{origin}/"))
        };
        assert_eq!(Answer::of(ask(&house.origin)).await.status, 204);
        assert_eq!(Answer::of(ask(&other)).await.status, 401, "at another app");
        assert_eq!(Answer::of(ask(&house.server.issuer)).await.status, 401, "at ours");
        assert_eq!(Answer::of(http().get(asked.url(ENDPOINT)).header("Cookie", &cookie)).await.status, 401);
        match end {
            "logout" => _ = visitor.ours.submit(&visitor.ours.get("/account").await.form("/logout")).await,
            "elsewhere" => {
                let another = Browser::of(&house.server, &user).await;
                another.submit(&another.get("/account").await.form("/account/sessions/revoke-others")).await;
            }
            "disable" => _ = house.server.cli(&["user", "disable", &user.username]),
            _ => {
                let args = ["user", "set-password", &user.username, "--password-stdin"];
                house.server.try_cli(&args, "another horse battery").expect("a new password");
            }
        }
        assert_eq!(Answer::of(ask(&house.origin)).await.status, 401, "{end}");
    }
}

/// A-010 and its kind: fails if a browser can be led to a place that the operator did not name.
async fn a_010_nobody_is_led_astray(db: Db) {
    let house = House::at(db, "https://app.example", &[]);
    let user = User::new(&house.server);
    let browser = Browser::of(&house.server, &user).await;
    let state = random(32);
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let bad = [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://app.example:pw@evil.example/",
        "https://evil.example\\@app.example/",
        "https://app.example\\.evil.example/",
        "https://app.example%2eevil.example/",
        "https://app.example%40evil.example/",
        "https://app.example:8443/",
        "https://app.example:443/",
        "https://app.example:80/",
        "https://app.example:/",
        "https://app.example./",
        "https://APP.example/",
        "HTTPS://app.example/",
        "http://app.example/",
        "https://sub.app.example/",
        "https://xapp.example/",
        "https://ａpp.example/",
        "https://app。example/",
        "https://app.exam\u{ad}ple/",
        "https://аpp.example/",
        "//app.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "/account",
        "https:/app.example/",
        "https:app.example/",
        "https:\\\\app.example/",
        " https://app.example/",
        "https://app.example/ x",
        "https://app.example/#@evil.example/",
        "https://app.example/\u{fc}",
        "javascript:alert(1)//https://app.example/",
        "data:text/html,https://app.example/",
        "",
    ];
    for return_to in bad {
        let url = format!("/api/v1/forward-auth/login?return_to={}&state={state}", encode(return_to));
        for visitor in [browser.copy(), Browser::new(&house.server)] {
            let answer = visitor.get(&url).await;
            assert_page(&answer);
        }
        // The same by the login page, which only leads to that address of ours.
        let page = Browser::new(&house.server);
        let login = page.get(&format!("/login?after=gate&return_to={}&state={state}", encode(return_to))).await;
        assert!(login.select("input[name=after]").is_empty() && !login.body.contains("evil"), "{return_to}: {login:?}");
        let after = page.login(&login, &user).await;
        assert!(
            !after.headers.contains_key("location") || after.leads_to_itself(&after.location().unwrap_or_default())
        );
        // And as the proxy tells it, as far as a header can.
        if return_to.is_ascii() && !return_to.is_empty() && return_to.trim() == return_to {
            let asked = http().get(house.server.url(ENDPOINT)).header("Accept", "text/html");
            let asked = asked.header("X-Original-Method", "GET").header("X-Original-URL", return_to);
            let told = Answer::of(asked).await;
            // What is no address is named (B-071), and another spelling of the app's leads to the app.
            match told.status {
                400 => assert_j(&told, 400, "invalid_request"),
                _ => assert_j(&told, 401, "invalid_token"),
            }
            let login = told.header_or_empty("x-auth-login");
            let leads_to_app = login.contains("?return_to=https%3A%2F%2Fapp.example%2F");
            assert!(login.is_empty() || leads_to_app, "{return_to}: {told:?}");
        }
    }
    for query in [
        "return_to=https%3A%2F%2Fapp.example%2F",
        &format!("state={state}"),
        "return_to=https%3A%2F%2Fapp.example%2F&state=short",
        &format!("return_to=https%3A%2F%2Fapp.example%2F&state={state}&max_age=x"),
        &format!("return_to=https%3A%2F%2Fapp.example%2F&return_to=https%3A%2F%2Fevil.example%2F&state={state}"),
        &format!("return_to=https%3A%2F%2Fapp.example%2F%0d%0aSet-Cookie:x&state={state}"),
    ] {
        assert_page(&browser.get(&format!("/api/v1/forward-auth/login?{query}")).await);
    }
    let good = format!("/api/v1/forward-auth/login?return_to=https%3A%2F%2Fapp.example%2Fa&state={state}");
    let led = browser.get(&good).await;
    let location = led.location().expect("a redirect");
    assert!(location.starts_with("https://app.example/.latchway/callback?ticket="), "{location}");
    assert_eq!(led.status, 303);
}

/// Fails if a program is sent to a login page, or a page of an app that nobody named.
async fn only_pages_of_known_apps_are_sent_to_log_in(db: Db) {
    let house = House::new(db);
    let page = || house.page("?redirect=302", "/");
    assert_eq!(Answer::of(page()).await.status, 302);
    let url = house.server.url(&format!("{ENDPOINT}?redirect=302"));
    let bare = || http().get(&url).header("X-Original-URL", format!("{}/", house.origin));
    let post = bare().header("Accept", "text/html").header("X-Original-Method", "POST");
    let unknown_method = bare().header("Accept", "text/html");
    for request in [
        bare().header("X-Original-Method", "GET").header("Accept", "application/json"),
        bare().header("X-Original-Method", "GET"),
        post,
        unknown_method,
        page().header("Sec-Fetch-Mode", "cors"),
        page().header("Sec-Fetch-Mode", "no-cors"),
        page().bearer_auth("garbage"),
        page().header("X-API-Key", "garbage"),
        page()
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Uri", "/"),
        page().header("X-Original-URL", "https://evil.example/"),
        page().header("X-Forwarded-Method", "POST"),
    ] {
        let answer = Answer::of(request).await;
        assert_j(&answer, 401, "invalid_token");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
    // A browser with a session and too few rights is not sent around in circles.
    let user = User::new(&house.server);
    let visitor = Visitor::new(&house);
    visitor.enter(&user).await;
    let answer = visitor.visit(Style::Traefik, "?redirect=302&role=admin", "/").await;
    assert_j(&answer, 403, "insufficient_scope");
    assert_eq!(house.server.log().matches("is not in [gatekeeper] allowed_origins").count(), 0);
    let request = http().get(&url).header("Accept", "text/html").header("X-Original-Method", "GET");
    assert_eq!(Answer::of(request.header("X-Original-URL", "https://other.example/")).await.status, 401);
    house.server.logged("is not in [gatekeeper] allowed_origins");
}

/// Fails if a demand for a fresh login is met by an old one, or asks again and again.
async fn an_old_login_is_renewed(db: Db) {
    let house = House::new(db);
    let user = User::new(&house.server);
    let visitor = Visitor::new(&house);
    visitor.enter(&user).await;
    assert_eq!(visitor.visit(Style::Nginx, "?max_age=300", "/pay").await.status, 204);
    let who = format!("WHERE username = '{}'", user.username);
    let database = &house.server.database;
    database.execute(&format!("UPDATE users SET password_changed_at = password_changed_at - 86400 {who}"));
    database.execute(&format!(
        "UPDATE sessions SET auth_time = auth_time - 301 WHERE user_id = (SELECT id FROM users {who})"
    ));
    assert_eq!(visitor.visit(Style::Nginx, "", "/").await.status, 204, "for the rest it will do");
    let sent = visitor.visit(Style::Nginx, "?max_age=300", "/pay").await;
    assert_j(&sent, 401, "insufficient_user_authentication");
    let login = sent.header("x-auth-login").expect("a way to log in").to_owned();
    let page = visitor.ours.open(&login).await;
    assert!(page.words().contains("Confirm it’s you"), "{page:?}");
    let after = visitor.ours.login(&page, &user).await;
    let back = visitor.callback(&after.location().expect("a ticket")).await;
    assert_eq!(back.header("location"), Some(format!("{}/pay", house.origin).as_str()), "{back:?}");
    assert_eq!(visitor.visit(Style::Nginx, "?max_age=300", "/pay").await.status, 204);
}

/// Where the app has our host, whatever its port, the session's own cookie does.
async fn at_our_own_host_the_session_does(db: Db) {
    let origin = format!("http://127.0.0.1:{}", free_port());
    let house = House::at(db, &origin, &[]);
    let user = User::new(&house.server);
    let browser = Browser::of(&house.server, &user).await;
    let login = Answer::of(house.page("", "/wiki")).await.header("x-auth-login").expect("a way").to_owned();
    let back = browser.get(&login).await;
    assert_eq!(back.header("location"), Some(format!("{origin}/wiki").as_str()), "{back:?}");
    assert!(house.server.database.rows("gates", "1 = 1").is_empty(), "no ticket was needed");
    let inside = house.page("", "/wiki").header("Cookie", super::cookies(&browser));
    assert_eq!(told(&Answer::of(inside).await)[0], user.username);
}

/// Fails if what has ended is kept for ever, or what counts is removed.
async fn old_gates_are_removed(db: Db) {
    let house = House::with(db, &[("cleanup.interval_seconds", "86400")]);
    let user = User::new(&house.server);
    let (ended, live) = (Visitor::new(&house), Visitor::new(&house));
    ended.enter(&user).await;
    house.server.database.execute("UPDATE gates SET expires_at = expires_at - 15 * 86400");
    live.enter(&user).await;
    assert!(!ended.is_in().await && live.is_in().await);
    let report = house.server.cli(&["cleanup"]);
    assert_eq!(report["removed"]["gates"], 1, "{report}");
    assert!(live.is_in().await);
}

/// Fails if an address where browsers could be led is taken on in a form that does not say exactly where.
async fn origins_are_checked_at_the_start(db: Db) {
    for bad in
        ["app.example", "http://app.example", "https://app.example/", "https://app.example/x", "https://*.example"]
    {
        let server = Server::prepared(db, &[("gatekeeper.allowed_origins", bad)]);
        let failure = server.try_cli(&["config", "check"], "").expect_err(bad);
        assert!(failure.output.contains("allowed_origins"), "{bad}: {failure:?}");
    }
    let server = Server::prepared(db, &[("gatekeeper.session_scope", "a\"b")]);
    assert!(server.try_cli(&["config", "check"], "").expect_err("a quote").output.contains("session_scope"));
    let house = House::at(db, "https://app.example,http://localhost:3000", &[]);
    let method = http().request(Method::GET, house.server.url(ENDPOINT));
    assert_eq!(Answer::of(method).await.status, 401);
}

/// Who is let in is asked at every use: the operator took the app from the list.
async fn p12_an_app_that_was_taken_off_the_list(db: Db) {
    let house = House::new(db);
    let visitor = Visitor::new(&house);
    visitor.enter(&User::new(&house.server)).await;
    assert!(visitor.is_in().await);
    house.server.stop();
    for (origins, status) in [(house.origin.as_str(), 204), ("https://other.example", 401)] {
        let node = house.server.node(&[("gatekeeper.allowed_origins", origins)]);
        node.spawn();
        let request = http().get(node.url(ENDPOINT)).header("X-Original-Method", "GET");
        let request = request.header("X-Original-URL", format!("{}/", house.origin));
        let answer = Answer::of(request.header("Cookie", cookies(&visitor.app))).await;
        assert_eq!(answer.status, status, "{origins}: {answer:?}");
        node.stop();
    }
}

both![
    p12_an_app_that_was_taken_off_the_list,
    to_the_login_page_and_back,
    cookies_at_the_app_are_bound_to_it,
    a_ticket_is_for_one_browser_once,
    i_4_a_gate_ends_with_its_session,
    a_010_nobody_is_led_astray,
    only_pages_of_known_apps_are_sent_to_log_in,
    an_old_login_is_renewed,
    at_our_own_host_the_session_does,
    old_gates_are_removed,
    origins_are_checked_at_the_start,
];
