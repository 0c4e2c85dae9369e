//! 5.1 Device authorization (RFC 8628), as the device meets it: E-004 to E-010, with and G-016 as far as they are
//! about it. What the person meets is in `s5_1_device_page.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::held::at_once;
use crate::harness::*;

pub(super) fn client(server: &Server) -> Client {
    Spec::device().create(server)
}

pub(super) fn retry_after(answer: &Answer) -> u64 {
    answer.header_or_empty("retry-after").parse().unwrap_or_else(|_| panic!("Retry-After in seconds: {answer:?}"))
}

/// The device's row.
fn row(server: &Server, device: &Device) -> Value {
    let mut rows = server.database.rows("device_codes", &format!("client_id = '{}'", device.client.id));
    assert_eq!(rows.len(), 1, "one request of {}: {rows:?}", device.client.id);
    rows.remove(0)
}

pub(super) fn change(server: &Server, device: &Device, set: &str) {
    server.database.execute(&format!("UPDATE device_codes SET {set} WHERE client_id = '{}'", device.client.id));
}

/// So that the next poll comes in its time.
fn wait_for_interval(server: &Server, device: &Device) {
    change(server, device, "next_poll_at = 0");
}

async fn e_000_the_whole_way(server: Shared) {
    let (client, user) = (Spec::device().name("Living Room").create(server), User::new(server));
    let answer = client.post("/oauth2/device_authorization", &[("scope", "openid profile offline_access")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_no_store(&answer);
    assert_audit(server, &answer, "device_requested");
    let told = answer.json();
    assert_eq!((&told["expires_in"], &told["interval"]), (&json!(600), &json!(5)));
    assert_eq!(told["verification_uri"], server.url("/device"));
    assert_eq!(
        answer.text("verification_uri_complete"),
        format!("{}?user_code={}", server.url("/device"), answer.text("user_code"))
    );
    let device = Device {
        client: client.clone(),
        device_code: answer.text("device_code"),
        user_code: answer.text("user_code"),
        link: answer.text("verification_uri_complete"),
        verifier: None,
    };
    assert_j(&device.poll().await, 400, "authorization_pending");

    let browser = Browser::new(server);
    let page = browser.device_page(&user, &device).await;
    let done = browser.decide(&page, "approve").await;
    assert_own_page(&done);
    for kind in ["device_approved", "consent_given"] {
        assert_audit(server, &done, kind);
    }
    let tokens = device.poll().await;
    assert_tokens(&tokens);
    assert_audit(server, &tokens, "device_redeemed");
    assert_eq!(tokens.text("scope"), "offline_access openid profile");
    let claims = claims_of(&tokens.text("id_token"));
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(user.id), &json!([client.id])), "{claims}");
    assert!(claims.get("nonce").is_none(), "{claims}");
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.json()["sub"], json!(user.id));
    assert_tokens(&client.refresh(&tokens.text("refresh_token")).await);
    // It stands among what the person allowed, and can be taken back there.
    let account = browser.open("/account").await;
    assert!(account.words().contains("Living Room"), "{account:?}");
    browser.submit(&account.form("/account/revoke")).await;
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.status, 401);

    let metadata = super::metadata(server).await;
    assert_eq!(metadata["device_authorization_endpoint"], server.url("/oauth2/device_authorization"));
    let grants = metadata["grant_types_supported"].as_array().expect("grants").clone();
    assert!(grants.contains(&json!(DEVICE_GRANT)), "{grants:?}");
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    assert!(metrics.contains("latchway_device_decisions_total{decision=\"allowed\"}"), "{metrics}");
}

async fn e_004_one_token_set(server: Shared) {
    let (client, user) = (client(server), User::new(server));
    let device = Device::ask(&client).await;
    let browser = Browser::new(server);
    browser.allow(&user, &device).await;
    // Others first: they get nothing, and cost the owner nothing.
    let other = device.at(&Spec::device().create(server));
    let answer = other.poll().await;
    assert_ig(&answer);
    assert_audit(server, &answer, "code_client_mismatch");
    for code in ["", "x", &device.user_code, &device.device_code[5..], &format!("{}x", device.device_code)] {
        let answer = Device { device_code: code.to_owned(), ..device.clone() }.poll().await;
        assert_j(&answer, 400, if code.is_empty() { "invalid_request" } else { "invalid_grant" });
    }
    let tokens = device.poll().await;
    assert_tokens(&tokens);
    // At once again: a network that sends twice harms nobody.
    assert_ig(&device.poll().await);
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.status, 200);
    // Later: somebody else has the code, or the answer was lost. Either way its family is of no use to anybody honest.
    change(server, &device, "ended_at = ended_at - 10");
    let replay = device.poll().await;
    assert_ig(&replay);
    assert_audit(server, &replay, "device_code_replay");
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.status, 401);
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
    assert_ig(&device.poll().await);
}

async fn e_004_a_hundred_polls_at_once(server: Shared) {
    let (client, user) = (client(server), User::new(server));
    let device = Device::ask(&client).await;
    Browser::new(server).allow(&user, &device).await;
    let poll = || {
        let form = [("grant_type", DEVICE_GRANT), ("device_code", &device.device_code), ("client_id", &client.id)];
        http().post(server.url("/oauth2/token")).form(&form)
    };
    let answers = at_once((0..100).map(|_| poll())).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(winners.len(), 1);
    losers.into_iter().for_each(assert_ig);
    assert_eq!(server.database.rows("access_tokens", &format!("client_id = '{}'", client.id)).len(), 1);
    assert_eq!(client.userinfo(&winners[0].text("access_token")).await.status, 200);
}

async fn e_004_another_clients_secret_and_expiry(server: Shared) {
    let confidential = || Spec::confidential().grants(&[DEVICE_GRANT, "refresh_token"]).create(server);
    let (client, other, user) = (confidential(), confidential(), User::new(server));
    let device = Device::ask(&client).await;
    Browser::new(server).allow(&user, &device).await;
    let liar = Client { secret: other.secret.clone(), ..client.clone() };
    assert_ic(&device.at(&liar).poll().await);
    assert_ic(&liar.post("/oauth2/device_authorization", &[]).await);
    change(server, &device, "expires_at = created_at");
    assert_j(&device.poll().await, 400, "expired_token");
    assert_j(&device.poll().await, 400, "expired_token");
    // Nor can what has expired be allowed.
    let late = Device::ask(&confidential()).await;
    let browser = Browser::of(server, &user).await;
    let page = browser.device_page(&user, &late).await;
    change(server, &late, "expires_at = created_at");
    assert_eq!(browser.decide(&page, "approve").await.status, 403);
    assert_eq!(browser.type_code(&late.user_code).await.status, 422);
    assert_j(&late.poll().await, 400, "expired_token");
}

async fn e_005_too_fast(db: Db) {
    let server = Server::start(db, &[]);
    let node = (db == Db::Postgres).then(|| server.another_node());
    let device = Device::ask(&client(&server)).await;
    let elsewhere = node.as_ref().map_or_else(|| device.clone(), |node| device.at(&device.client.at(node)));
    assert_j(&device.poll().await, 400, "authorization_pending");
    for interval in [10, 15, 20] {
        let answer = elsewhere.poll().await;
        assert_j(&answer, 400, "slow_down");
        assert!(answer.text("error_description").contains(&format!("wait {interval} seconds")), "{answer:?}");
        assert_eq!(row(&server, &device)["interval_seconds"], interval);
    }
    if db == Db::Sqlite {
        server.crash();
        server.spawn();
        assert_j(&device.poll().await, 400, "slow_down");
    }
    wait_for_interval(&server, &device);
    assert_j(&device.poll().await, 400, "authorization_pending");
    // Who is allowed need not wait.
    Browser::new(&server).allow(&User::new(&server), &device).await;
    assert_tokens(&elsewhere.poll().await);
    let polls = audit(&server, &format!("client_id = '{}' AND kind = 'token_refused'", device.client.id));
    assert_eq!(polls, Vec::<Value>::new(), "waiting is no event");
}

/// In real time: a device that keeps to the interval is never told to slow down.
async fn e_005_a_patient_device(db: Db) {
    let server = Server::start(db, &[("device.interval_seconds", "2")]);
    let device = Device::ask(&client(&server)).await;
    for _ in 0..4 {
        assert_j(&device.poll().await, 400, "authorization_pending");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn e_006_denied(server: Shared) {
    let (device, user) = (Device::ask(&client(server)).await, User::new(server));
    let browser = Browser::of(server, &user).await;
    let page = browser.device_page(&user, &device).await;
    let done = browser.decide(&page, "deny").await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.words().contains("The device was refused"), "{done:?}");
    assert_audit(server, &done, "device_denied");
    // It is over for the person as well.
    assert_eq!(browser.decide(&page, "approve").await.status, 403);
    assert_eq!(browser.type_code(&device.user_code).await.status, 422);
    assert_j(&device.poll().await, 400, "access_denied");
    for _ in 0..2 {
        assert_j(&device.poll().await, 400, "expired_token");
    }
    assert_eq!(server.database.rows("grants", &format!("client_id = '{}'", device.client.id)).len(), 0);
    assert_eq!(server.database.rows("consents", &format!("client_id = '{}'", device.client.id)).len(), 0);
}

/// What the client lost meanwhile it does not get by an answer that came too late.
async fn e_007_the_client_may_not_any_more(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for (change, error) in [
        (
            &[
                "update",
                "--grant",
                "refresh_token",
                "--grant",
                "authorization_code",
                "--redirect-uri",
                "https://app.example/cb",
            ][..],
            "unauthorized_client",
        ),
        (&["update", "--scope", "openid"], "invalid_grant"),
        (&["disable"], "invalid_client"),
        (&["delete"], "invalid_client"),
    ] {
        let shown = Device::ask(&client(server)).await;
        let page = browser.device_page(&user, &shown).await;
        let allowed = Device::ask(&client(server)).await;
        browser.allow(&user, &allowed).await;
        for device in [&shown, &allowed] {
            server.cli(&[&["client", change[0], &*device.client.id], &change[1..]].concat());
        }
        let late = browser.decide(&page, "approve").await;
        assert_eq!(late.status, 400, "{change:?}: {late:?}");
        assert_eq!(server.database.rows("grants", &format!("client_id = '{}'", shown.client.id)).len(), 0);
        assert_eq!(browser.type_code(&shown.user_code).await.status, 400);
        assert_j(&allowed.poll().await, if error == "invalid_client" { 401 } else { 400 }, error);
        assert_eq!(server.database.rows("access_tokens", &format!("client_id = '{}'", allowed.client.id)).len(), 0);
    }
}

/// And by a person who may not any more.
async fn e_008_the_person_may_not_any_more(server: Shared) {
    for verb in ["disable", "password"] {
        let user = User::new(server);
        let browser = Browser::of(server, &user).await;
        let (shown, allowed) = (Device::ask(&client(server)).await, Device::ask(&client(server)).await);
        let page = browser.device_page(&user, &shown).await;
        browser.allow(&user, &allowed).await;
        if verb == "disable" {
            server.cli(&["user", "disable", &user.username]);
        } else {
            let args = ["user", "set-password", &user.username, "--password-stdin"];
            server.try_cli(&args, "another correct horse").expect("a new password");
        }
        assert_ig(&allowed.poll().await);
        let late = browser.submit(&page.form("/device/decision").press("decision", "approve")).await;
        assert!(late.has_form("/login"), "{verb}: {late:?}");
        assert_j(&shown.poll().await, 400, "authorization_pending");
        assert_ig(&allowed.poll().await);
    }
}

async fn e_009_no_more_than_was_allowed(server: Shared) {
    let audience = format!("https://api.example/{}", random(8));
    let client = Spec::device().audience(&audience).audience("https://other.example").create(server);
    let device =
        Device::ask_with(&client, &[("scope", "openid profile offline_access"), ("resource", &audience)]).await;
    let user = User::new(server);
    let browser = Browser::new(server);
    let page = browser.device_page(&user, &device).await;
    assert!(page.words().contains(&audience), "{page:?}");
    browser.decide(&page, "approve").await;
    assert_j(&device.poll_with(&[("resource", "https://other.example")]).await, 400, "invalid_target");
    let tokens = device.poll_with(&[("scope", "openid profile email offline_access")]).await;
    assert_eq!(tokens.text("scope"), "offline_access openid profile");
    let claims = claims_of(&tokens.text("access_token"));
    assert_eq!(claims["aud"], json!([audience, server.issuer]));
    let wider =
        [("grant_type", "refresh_token"), ("refresh_token", &*tokens.text("refresh_token")), ("scope", "email")];
    assert_j(&client.token(&wider).await, 400, "invalid_scope");
}

async fn e_009_what_may_be_asked_for(server: Shared) {
    let client = client(server);
    let ask = async |params: &[(&str, &str)]| client.post("/oauth2/device_authorization", params).await;
    assert_j(&ask(&[("scope", "admin")]).await, 400, "invalid_scope");
    assert_j(&ask(&[("scope", "open\"id")]).await, 400, "invalid_scope");
    assert_j(&ask(&[("resource", "https://foreign.example")]).await, 400, "invalid_target");
    for name in ["authorization_details", "nonce", "max_age", "prompt", "id_token_hint", "claims", "dpop_jkt"] {
        assert_j(&ask(&[(name, "1")]).await, 400, "invalid_request");
    }
    assert_j(&ask(&[("request", "x")]).await, 400, "request_not_supported");
    assert_j(&ask(&[("request_uri", "x")]).await, 400, "request_uri_not_supported");
    assert_j(&ask(&[("scope", "openid"), ("scope", "openid")]).await, 400, "invalid_request");
    let in_url = client.post("/oauth2/device_authorization?scope=openid", &[]).await;
    assert_j(&in_url, 400, "invalid_request");
    assert_eq!(Answer::of(http().get(server.url("/oauth2/device_authorization"))).await.status, 405);
    let nobody = Client { id: "nobody".to_owned(), ..client.clone() };
    assert_ic(&nobody.post("/oauth2/device_authorization", &[]).await);
    assert_eq!(server.database.rows("device_codes", &format!("client_id = '{}'", client.id)).len(), 0);
    // Without a scope all but what stays; without refresh tokens nothing stays.
    let device = Device::ask_with(&client, &[]).await;
    assert_eq!(row(server, &device)["scope"], "email openid profile");
    let once = Spec::public().grants(&[DEVICE_GRANT]).create(server);
    let device = Device::ask(&once).await;
    assert_eq!(row(server, &device)["scope"], "email openid profile");
    Browser::new(server).allow(&User::new(server), &device).await;
    assert!(device.poll().await.json().get("refresh_token").is_none());
}

/// No client has it that was not given it.
async fn e_010_off_by_default(server: Shared) {
    for client in [Client::confidential(server), Client::public(server)] {
        let answer = client.post("/oauth2/device_authorization", &[("scope", "openid")]).await;
        assert_j(&answer, 400, "unauthorized_client");
        let poll = client.token(&[("grant_type", DEVICE_GRANT), ("device_code", "x")]).await;
        assert_j(&poll, 400, "unauthorized_client");
    }
    // The short name of the command line.
    let client = Spec::public().grants(&["device_code"]).create(server);
    let shown = server.cli(&["client", "show", &client.id]);
    assert_eq!(shown["grant_types"], json!([DEVICE_GRANT]));
    Device::ask(&client).await;
    Spec::public().grants(&["refresh_token"]).try_create(server).expect_err("a refresh token of nothing");
}

async fn a_062_pkce(server: Shared) {
    let (client, user) = (client(server), User::new(server));
    let pkce = client.request().pkce;
    let ask = async |params: &[(&str, &str)]| client.post("/oauth2/device_authorization", params).await;
    for params in [
        &[("code_challenge", &*pkce.challenge)][..],
        &[("code_challenge", &pkce.challenge), ("code_challenge_method", "plain")],
        &[("code_challenge", "short"), ("code_challenge_method", "S256")],
        &[("code_challenge_method", "S256")],
    ] {
        assert_j(&ask(params).await, 400, "invalid_request");
    }
    let challenge = [("code_challenge", &*pkce.challenge), ("code_challenge_method", "S256")];
    let bound = || Device::ask_with(&client, &challenge);
    let browser = Browser::of(server, &user).await;
    // Whoever has the code alone does not even learn how it stands.
    let waiting = bound().await;
    assert_ig(&waiting.poll().await);
    let allowed = bound().await;
    browser.allow(&user, &allowed).await;
    let wrong = "w".repeat(43);
    for poll in [allowed.poll().await, allowed.poll_with(&[("code_verifier", &wrong)]).await] {
        assert_ig(&poll);
        assert_audit(server, &poll, "pkce_mismatch");
    }
    assert_tokens(&allowed.poll_with(&[("code_verifier", &pkce.verifier)]).await);
    // Three wrong ones, and it is dead.
    let guessed = bound().await;
    browser.allow(&user, &guessed).await;
    for _ in 0..3 {
        assert_ig(&guessed.poll_with(&[("code_verifier", &wrong)]).await);
    }
    assert_ig(&guessed.poll_with(&[("code_verifier", &pkce.verifier)]).await);
    // A verifier without a challenge is a downgrade.
    let unbound = Device::ask(&client).await;
    browser.allow(&user, &unbound).await;
    assert_ig(&unbound.poll_with(&[("code_verifier", &pkce.verifier)]).await);
    assert_tokens(&unbound.poll().await);
}

/// Each kind of one-time value is good for one thing.
async fn a_125_no_code_for_another(server: Shared) {
    let spec = Spec::confidential().grants(&["authorization_code", "refresh_token", DEVICE_GRANT]);
    let (client, user) = (spec.create(server), User::new(server));
    let device = Device::ask(&client).await;
    let browser = Browser::new(server);
    browser.allow(&user, &device).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    for text in [&device.device_code, &device.device_code[5..], &device.user_code] {
        assert_ig(&client.redeem(&request, text).await);
        assert_ig(&client.refresh(text).await);
        assert_ig(&client.refresh(&format!("lwrt_{text}")).await);
        assert_eq!(client.introspect(text).await.json(), json!({"active": false}));
        assert_eq!(client.revoke(text).await.status, 200);
    }
    for text in [code.clone(), format!("lwdc_{code}")] {
        assert_ig(&Device { device_code: text, ..device.clone() }.poll().await);
    }
    assert_tokens(&client.redeem(&request, &code).await);
    assert_tokens(&device.poll().await);
}

async fn g_016_bounded(db: Db) {
    let config = [("device.max_requests", "3"), ("limits.device_per_address", "6/1h")];
    let server = Server::start(db, &config);
    let client = client(&server);
    let devices = [Device::ask(&client).await, Device::ask(&client).await, Device::ask(&client).await];
    let full = client.post("/oauth2/device_authorization", &[]).await;
    assert_j(&full, 503, "temporarily_unavailable");
    assert!(retry_after(&full) > 0);
    assert_j(&devices[0].poll().await, 400, "authorization_pending");
    // What has expired makes room, whether or not it was swept away.
    server.database.execute("UPDATE device_codes SET expires_at = created_at");
    Device::ask(&client).await;
    assert_eq!(client.post("/oauth2/device_authorization", &[]).await.status, 200);
    let often = client.post("/oauth2/device_authorization", &[]).await;
    assert_j(&often, 429, "slow_down");
    assert!(retry_after(&often) > 0);
}

both![
    e_000_the_whole_way,
    e_004_one_token_set,
    e_004_a_hundred_polls_at_once,
    e_004_another_clients_secret_and_expiry,
    e_005_too_fast,
    e_005_a_patient_device,
    e_006_denied,
    e_007_the_client_may_not_any_more,
    e_008_the_person_may_not_any_more,
    e_009_no_more_than_was_allowed,
    e_009_what_may_be_asked_for,
    e_010_off_by_default,
    a_062_pkce,
    a_125_no_code_for_another,
    g_016_bounded,
];
