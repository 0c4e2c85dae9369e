//! Which credentials are for the gate: those of people, of the operator's own apps, and those that have its audience.

use super::{ENDPOINT, GATE, House, cookies, told};
use crate::harness::*;

const API: &str = "https://orders.example";

/// An app's token for a person.
async fn token_of(server: &Server, user: &User, spec: Spec, resource: Option<&str>) -> (Client, String) {
    let client = spec.create(server);
    let request = client.request();
    let request = resource.into_iter().fold(request, |request, resource| request.add("resource", resource));
    let code = Browser::new(server).grant(user, &request).await.code();
    let token = client.redeem(&request, &code).await.text("access_token");
    (client, token)
}

/// P2: fails if a token that an app has for other purposes, or that an API was shown, opens what the gate guards.
async fn p02_only_what_is_for_the_gate_passes(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let root = User::new(server);
    server.database.execute(&format!("UPDATE users SET role = 'admin' WHERE username = '{}'", root.username));
    let spec = || Spec::confidential().scope("openid orders:read");
    let machine =
        Spec::confidential().grants(&["client_credentials"]).scope("orders:read").audience(API).create(server);
    let by_machine = |client: &Client| {
        let client = client.clone();
        async move { client.token(&[("grant_type", "client_credentials")]).await.text("access_token") }
    };
    let bare_machine = Spec::confidential().grants(&["client_credentials"]).scope("orders:read").create(server);

    // Of other people's apps, of which none may pass: their own, what an API was shown, and programs.
    let (login, third) = token_of(server, &root, spec(), None).await;
    let (_, copy) = token_of(server, &root, spec().audience(API), Some(API)).await;
    let (_, of_all) = token_of(server, &root, spec().audience(API), None).await;
    let both = spec().audience(API).audience(GATE);
    let (_, narrow) = token_of(server, &root, both, Some(API)).await;
    let refused = [third.clone(), copy, of_all, narrow, by_machine(&machine).await, by_machine(&bare_machine).await];
    // The operator's own app, where an API was shown its token.
    let own_app = FirstParty::native_of(FirstParty::spec().audience(API).create(server));
    let shown = own_app.login(&root).await.text("access_token");
    let keys = [
        Key::of_client(server, &bare_machine, "orders:read", &[]),
        Key::of_client(server, &machine, "orders:read", &["--audience", API]),
        Key::of_person(server, &root, "orders:read", &[]),
        Key::of_person(server, &root, "orders:read", &["--audience", API]),
    ];
    let demands =
        ["", "?role=admin", "?role=admin&max_age=3600", "?max_age=3600", "?scope=orders:read", "?method=bearer"];
    for demand in demands {
        for token in refused.iter().chain([&shown]) {
            assert_j(&Answer::of(house.ask(demand).bearer_auth(token)).await, 401, "invalid_token");
            let page = house.page(demand, "/").bearer_auth(token);
            assert_j(&Answer::of(page).await, 401, "invalid_token");
        }
        for token in &refused {
            let cookie = house.page(demand, "/").header("Cookie", format!("latchway_access={token}"));
            assert_eq!(Answer::of(cookie).await.status, 401, "{demand}");
        }
        for key in &keys {
            assert_j(&Answer::of(house.ask(demand).header("X-API-Key", &key.text)).await, 401, "invalid_token");
        }
    }
    // The issuer is nothing that a proxy can demand: all of these have it.
    let issuer = url::form_urlencoded::byte_serialize(server.issuer.as_bytes()).collect::<String>();
    let demanded = Answer::of(house.ask(&format!("?audience={issuer}")).bearer_auth(&third)).await;
    assert_j(&demanded, 400, "invalid_request");
    assert_eq!(login.userinfo(&third).await.status, 200, "for userinfo it is");
}

/// P2: fails if what is for the gate does not pass, or is told a role that nobody allowed it.
async fn p02_what_is_for_the_gate(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let root = User::new(server);
    server.database.execute(&format!("UPDATE users SET role = 'admin' WHERE username = '{}'", root.username));
    let origin = house.origin.as_str();

    let own_app = FirstParty::native(server);
    let own = own_app.login(&root).await.text("access_token");
    let browser = Browser::of(server, &root).await;
    for demand in ["", "?role=admin", "?role=admin&max_age=3600"] {
        let by_own = told(&Answer::of(house.ask(demand).bearer_auth(&own)).await).map(str::to_owned);
        assert_eq!((by_own[0].as_str(), by_own[4].as_str()), (root.username.as_str(), "admin"), "{demand}");
        let by_person = Answer::of(house.ask(demand).header("Cookie", cookies(&browser))).await;
        assert_eq!(told(&by_person)[4], "admin", "{demand}");
    }

    // Other apps, programs and keys with the audience of all apps, or with the origin of this one.
    for audience in [GATE, origin] {
        let spec = Spec::confidential().scope("openid orders:read").audience(audience);
        let (client, token) = token_of(server, &root, spec, Some(audience)).await;
        let key = Key::of_person(server, &root, "orders:read", &["--audience", audience]);
        let by = |demand: &str| {
            [house.page(demand, "/").bearer_auth(&token), house.page(demand, "/").header("X-API-Key", &key.text)]
        };
        for request in by("") {
            let answer = Answer::of(request).await;
            assert_eq!((told(&answer)[0], told(&answer)[4]), (root.username.as_str(), ""), "{answer:?}");
        }
        for request in by("?role=admin") {
            assert_j(&Answer::of(request).await, 403, "insufficient_scope");
        }
        // The origin of another app, of no known app, or of no app at all is none.
        let elsewhere = http().get(server.url(ENDPOINT)).header("X-Original-URL", "https://other.example/");
        let nowhere = http().get(server.url(ENDPOINT));
        let expected = if audience == GATE { 204 } else { 401 };
        for request in [elsewhere, nowhere] {
            assert_eq!(Answer::of(request.bearer_auth(&token)).await.status, expected, "{audience}");
        }
        // Its client is not registered for it any more.
        server.cli(&["client", "update", &client.id, "--audience", API]);
        assert_j(&Answer::of(house.page("", "/").bearer_auth(&token)).await, 401, "invalid_token");
    }
}

/// P2: the issuer without a path is the origin of what stands at Latchway's own host. It opens nothing either.
async fn p02_an_app_at_our_own_host(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let (_, token) = token_of(server, &User::new(server), Spec::confidential().scope("openid"), None).await;
    let at_home = house.ask("").header("X-Original-URL", format!("{}/app", server.issuer));
    assert_j(&Answer::of(at_home.bearer_auth(&token)).await, 401, "invalid_token");
    for audience in [server.issuer.as_str(), &format!("{}/apps", server.issuer)] {
        let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_latchway"))
            .args(["config", "check", "--data"])
            .arg(dir.path())
            .env("LATCHWAY__SERVER__ISSUER", &server.issuer)
            .env("LATCHWAY__GATEKEEPER__AUDIENCE", audience)
            .output()
            .expect("the command runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("[gatekeeper] audience"), "{told}");
    }
}

both![p02_only_what_is_for_the_gate_passes, p02_what_is_for_the_gate, p02_an_app_at_our_own_host];
