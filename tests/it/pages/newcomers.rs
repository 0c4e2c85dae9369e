//! What a person or a newcomer meets first: the start page, the login, the banner.

use reqwest::Method;

use crate::harness::*;

/// Fails if the pages say that somebody else runs the service, or if the start page does not lead to the login.
async fn u11_the_service_has_its_own_name(db: Db) {
    let server = Server::start(db, &[("server.name", "Acme ID")]);
    let browser = Browser::new(&server);
    let home = browser.get("/").await;
    assert_own_page(&home);
    assert!(home.words().contains("run by Acme ID"), "{home:?}");
    assert!(!home.body.contains("Latchway"), "{home:?}");
    assert_eq!(home.select("a.primary[href='/login']").len(), 1, "{home:?}");
    assert!(
        home.select("#first-steps-title, .first-steps").is_empty(),
        "nothing for developers in production: {home:?}"
    );
    let browser = Browser::of(&server, &User::new(&server)).await;
    assert_eq!(browser.get("/").await.select("a.primary[href='/account']").len(), 1);
    let welcome = browser.get("/account?done=welcome").await;
    assert!(welcome.select("#first-steps").is_empty(), "nothing for administrators: {welcome:?}");
}

/// Fails if a newcomer stands in a dead end: after the start, or after the set-up.
async fn u11_first_steps_in_development(db: Db) {
    let server = Server::start_dev(db);
    let home = Browser::new(&server).get("/").await;
    for selector in [".first-steps a[href='/playground']", ".first-steps a[href='/api/docs']", "aside[aria-label]"] {
        assert_eq!(home.select(selector).len(), 1, "{selector}: {home:?}");
    }
    // The commands are real.
    let commands: Vec<String> = home
        .select(".first-steps pre code")
        .iter()
        .map(|html| {
            let text = html.split('>').nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
            text.replace("&quot;", "\"").replace("&amp;", "&")
        })
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands[0].starts_with("latchway client create --id my-app"), "{commands:?}");
    assert!(commands[1].contains("latchway user create"), "{commands:?}");
    server.cli(&[
        "client",
        "create",
        "--id",
        "my-app",
        "--name",
        "My app",
        "--redirect-uri",
        "https://my-app.example/callback",
        "--scope",
        "openid profile email",
    ]);

    let log = server.log();
    let link = log.split_whitespace().find(|word| word.contains("/setup?token=")).expect("a set-up link");
    let browser = Browser::new(&server);
    let page = browser.open(link).await;
    assert_eq!(page.select("#username[autofocus]").len(), 1, "{page:?}");
    let form = page.form("/setup").with("username", "ada").with("email", "ada@people.example");
    let wrong = browser.post(&form.clone().with("password", "a lighthouse in fog")).await;
    assert_eq!(wrong.select("[autofocus]").len(), 1, "{wrong:?}");
    assert_eq!(wrong.select("#password_again[autofocus]").len(), 1, "the first wrong field has the focus: {wrong:?}");
    let done = browser
        .submit(&form.with("password", "a lighthouse in fog").with("password_again", "a lighthouse in fog"))
        .await;
    assert!(done.words().contains("Welcome!"), "{done:?}");
    for selector in ["#first-steps a[href='/playground']", "#first-steps pre"] {
        assert!(!done.select(selector).is_empty(), "{selector}: {done:?}");
    }
    assert!(done.select("title")[0].contains("Welcome"), "{done:?}");
}

/// Fails if a person is asked for less than what works, or cannot see whose page it is.
async fn u16_the_login_says_what_works(server: Shared) {
    let user = User::new(server);
    let page = Browser::new(server).get("/login").await;
    assert!(page.words().contains("User name or e-mail"), "{page:?}");
    let host = server.issuer.trim_start_matches("http://");
    assert!(page.select(".issuer-host bdi")[0].contains(host), "{page:?}");
    for selector in ["#username[autocorrect=off][enterkeyhint=next]", "#password[enterkeyhint=go]"] {
        assert_eq!(page.select(selector).len(), 1, "{selector}: {page:?}");
    }
    assert!(page.select("#help, script").is_empty(), "no help is configured, and no script runs here: {page:?}");
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    let form = page.form("/login").with("username", &user.email).with("password", &user.password);
    assert!(browser.submit(&form).await.words().contains("Your account"), "the e-mail address works");
}

/// Fails if a person who does not want to log in cannot go back to the app, or if another site can send them there.
async fn u16_cancel_goes_back_to_the_app(server: Shared) {
    let client = Client::public(server);
    let request = client.request();
    let browser = Browser::new(server);
    let page = browser.open(&request.url()).await;
    let forged = browser.post(&page.form("/login/cancel").with("csrf", "x")).await;
    assert_eq!(forged.status, 403, "{forged:?}");
    let back = browser.post(&page.form("/login/cancel")).await;
    let redirect = back.redirect();
    assert_eq!(redirect.param("error"), Some("access_denied"), "{redirect:?}");
    assert_eq!(redirect.param("state"), request.get("state"));
    assert_eq!(redirect.param("iss"), Some(server.issuer.as_str()));
    assert_audit(server, &back, "authz_refused");
    assert!(!Browser::new(server).get("/login").await.has_form("/login/cancel"), "no app, nothing to go back to");
}

/// Fails if a developer who asks for the server by another name of this machine gets a form whose cookies or whose answer
/// belong to the issuer's name.
async fn b105_the_development_server_has_one_name(db: Db) {
    let server = Server::start_dev(db);
    let (issuer, port) = (server.issuer.clone(), server.issuer.rsplit(':').next().expect("a port").to_owned());
    let asked = |method: Method, host: &str, path: &str| {
        let request = http().request(method, server.url(path)).header("Host", host);
        Answer::of(request)
    };
    for name in ["localhost", "LOCALHOST", "app.localhost", "[::1]", "127.0.0.2"] {
        let host = format!("{name}:{port}");
        for path in [
            "/",
            "/login?after=account",
            "/setup?token=x",
            "/device",
            "/account",
            "/playground",
            "/oauth2/authorize?x=1",
        ] {
            let answer = asked(Method::GET, &host, path).await;
            assert_eq!((answer.status, answer.header("location")), (307, Some(&*format!("{issuer}{path}"))), "{host}");
        }
        assert_eq!(
            asked(Method::POST, &host, "/oauth2/authorize").await.status,
            307,
            "a request by form goes on as one"
        );
    }
    // Programs ask for the same at each name, and what stands before this server may have changed the name.
    let other = format!("localhost:{port}");
    for path in ["/livez", "/.well-known/jwks.json", "/api/v1/openapi.json", "/static/style.css"] {
        assert_ne!(asked(Method::GET, &other, path).await.status, 307, "{path}");
    }
    assert_eq!(asked(Method::GET, "localhost:1", "/login").await.status, 200, "another port is a proxy's");
    assert_eq!(asked(Method::GET, &format!("evil.example:{port}"), "/login").await.status, 421);
    // A whole login that begins at the other name.
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let request = client.request();
    let begun = asked(Method::GET, &other, &request.url()[issuer.len()..]).await;
    let browser = Browser::new(&server);
    let login = browser.open(&begun.location().expect("the issuer's name")).await;
    let consent = browser.login(&login, &user).await;
    let code = browser.approve(&consent).await.redirect().code();
    assert_tokens(&client.redeem(&request, &code).await);
}

both![
    u11_the_service_has_its_own_name,
    u11_first_steps_in_development,
    u16_the_login_says_what_works,
    u16_cancel_goes_back_to_the_app,
    b105_the_development_server_has_one_name,
];
