//! 1.6 The authorization code: once, soon, by its own client, and nowhere else.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::harness::*;

/// A code with all that is needed to redeem it.
async fn code_for(client: &Client, browser: &Browser, user: &User) -> (Request, String) {
    let request = client.request();
    let code = browser.grant(user, &request).await.code();
    (request, code)
}

fn redemption<'a>(client: &'a Client, code: &'a str, verifier: &'a str) -> Vec<(&'a str, &'a str)> {
    let grant = ("grant_type", "authorization_code");
    vec![grant, ("code", code), ("redirect_uri", &client.redirect), ("code_verifier", verifier)]
}

/// `REV` of all that an answer of the token endpoint gave.
async fn assert_family_dead(client: &Client, tokens: &Answer) {
    assert_revoked(client, &tokens.text("access_token")).await;
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
}

async fn assert_alive(client: &Client, access_token: &str) {
    assert_eq!(client.introspect(access_token).await.json()["active"], true);
    assert_eq!(client.userinfo(access_token).await.status, 200);
}

async fn a_120_replay_revokes_the_family(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    for pause in [0, 1] {
        let (request, code) = code_for(&client, &browser, &user).await;
        let tokens = client.redeem(&request, &code).await;
        assert_tokens(&tokens);
        // The family has grown meanwhile; a family of the same person and app stands beside it.
        let refreshed = client.refresh(&tokens.text("refresh_token")).await;
        assert_tokens(&refreshed);
        let (other_request, other_code) = code_for(&client, &browser, &user).await;
        let beside = client.redeem(&other_request, &other_code).await;

        sleep(Duration::from_secs(pause)).await;
        let replay = client.redeem(&request, &code).await;
        assert_ig(&replay);
        assert_audit(server, &replay, "code_replay");
        let request_id = replay.header("x-request-id").expect("an id");
        let record = &audit(server, &format!("request_id = '{request_id}'"))[0];
        assert!(record.to_string().contains("severity") && record.to_string().contains("high"), "{record}");
        assert_revoked(&client, &tokens.text("access_token")).await;
        assert_family_dead(&client, &refreshed).await;
        assert_alive(&client, &beside.text("access_token")).await;
        assert_ig(&client.redeem(&request, &code).await);
    }
}

/// A replay is known for one when the code would have ended anyway.
async fn a_120_replay_after_its_lifetime(db: Db) {
    let server = Server::start(db, &[("tokens.code_seconds", "5")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let (request, code) = code_for(&client, &Browser::of(&server, &user).await, &user).await;
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&tokens);
    sleep(Duration::from_millis(6_100)).await;
    server.cli(&["cleanup"]);
    assert_alive(&client, &tokens.text("access_token")).await;
    assert_ig(&client.redeem(&request, &code).await);
    assert_family_dead(&client, &tokens).await;
}

/// Whoever has the code alone must not be able to end a session with it.
async fn a_121_replay_by_somebody_else_revokes_nothing(server: Shared) {
    let (client, thief, user) = (Client::confidential(server), Client::confidential(server), User::new(server));
    let public = Client::public(server);
    let browser = Browser::of(server, &user).await;
    let (request, code) = code_for(&client, &browser, &user).await;
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&tokens);

    let (right, wrong) = (request.pkce.verifier.clone(), Pkce::new().verifier);
    for _ in 0..4 {
        assert_ig(&client.token(&redemption(&client, &code, &wrong)).await);
    }
    assert_ig(&client.token(&redemption(&client, &code, &wrong)[..3]).await);
    assert_ig(&thief.token(&redemption(&client, &code, &right)).await);
    assert_ig(&public.token(&redemption(&client, &code, &right)).await);
    let mut nobody = client.clone();
    nobody.auth = Auth::None;
    assert_ic(&nobody.token(&redemption(&client, &code, &right)).await);
    nobody.auth = Auth::Basic;
    nobody.secret = Some("guessed".to_owned());
    assert_ic(&nobody.token(&redemption(&client, &code, &right)).await);
    assert_alive(&client, &tokens.text("access_token")).await;
    assert_tokens(&client.refresh(&tokens.text("refresh_token")).await);
}

/// Another client's attempt costs the owner nothing: the code stays good.
async fn a_122_another_clients_code(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for owner in [Client::confidential(server), Client::public(server)] {
        for thief in [Client::confidential(server), Client::public(server)] {
            let (request, code) = code_for(&owner, &browser, &user).await;
            let stolen = redemption(&owner, &code, &request.pkce.verifier);
            let answer = thief.token(&stolen).await;
            assert_ig(&answer);
            assert_audit(server, &answer, "code_client_mismatch");
            if thief.auth != Auth::None {
                // Their own credentials beside the owner's name.
                let answer = thief.token(&[&stolen[..], &[("client_id", &owner.id)]].concat()).await;
                let error = answer.text("error");
                assert!(["invalid_request", "invalid_client"].contains(&error.as_str()), "{answer:?}");
                assert_j(&answer, if error == "invalid_client" { 401 } else { 400 }, &error);
            }
            assert_tokens(&owner.redeem(&request, &code).await);
        }
    }
}

async fn a_123_a_code_ends_soon(db: Db) {
    let server = Server::start(db, &[("tokens.code_seconds", "1")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let (request, code) = code_for(&client, &browser, &user).await;
    sleep(Duration::from_millis(2_100)).await;
    assert_ig(&client.redeem(&request, &code).await);
    // The end was written down when the code was made: nothing that is changed later prolongs it.
    let rows = server.database.rows("codes", "1 = 1");
    let expires_at = rows[0]["expires_at"].as_i64().expect("an absolute time");
    assert!((now() - 60..now()).contains(&expires_at), "{rows:?}");
}

async fn a_123_lifetime_by_default_and_at_most(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let (request, code) = code_for(&client, &Browser::of(server, &user).await, &user).await;
    let condition = format!("grant_id IN (SELECT id FROM grants WHERE client_id = '{}')", client.id);
    let rows = server.database.rows("codes", &condition);
    let left = rows[0]["expires_at"].as_i64().expect("an absolute time") - now();
    assert!((50..=60).contains(&left), "{left} seconds of 60 are left: {rows:?}");
    assert_tokens(&client.redeem(&request, &code).await);
    for (seconds, valid) in [("600", true), ("601", false), ("0", false)] {
        let file = server.dir.join(format!("{}.toml", random(6)));
        std::fs::write(&file, format!("[tokens]\ncode_seconds = {seconds}\n")).expect("a file");
        let checked = server.try_cli(&["config", "check", "--config", &file.display().to_string()], "");
        assert_eq!(checked.is_ok(), valid, "code_seconds = {seconds}: {checked:?}");
    }
}

async fn a_124_almost_the_code(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let (request, code) = code_for(&client, &Browser::of(server, &user).await, &user).await;
    let flip = |at: usize| -> String {
        let flipped = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        code.char_indices().map(|(index, c)| if index == at { flipped(c) } else { c }).collect()
    };
    let letter = code.find(|c: char| c.is_ascii_alphabetic()).expect("a letter");
    let encoded: String = code.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut variants: Vec<String> = (1..code.len()).map(|length| code[..length].to_owned()).collect();
    variants.extend((1..code.len()).step_by(7).map(|from| code[from..].to_owned()));
    variants.extend(["A", "=", "==", "\n", "\r\n", " ", "\0", ".", "%00"].map(|tail| format!("{code}{tail}")));
    variants.extend([" ", "\n", "=", "A"].map(|head| format!("{head}{code}")));
    variants.extend([flip(letter), code.to_uppercase(), code.to_lowercase(), encoded, code.repeat(2)]);
    variants.extend([code.chars().rev().collect(), "A".repeat(code.len()), "x".repeat(10_000)]);
    for (at, end) in [(0, 'A'), (code.len() - 1, 'A')] {
        let other = if code[at..].starts_with(end) { "B" } else { "A" };
        variants.push(format!("{}{other}{}", &code[..at], &code[at + 1..]));
    }
    variants.retain(|variant| *variant != code);
    for variant in variants {
        let answer = client.token(&redemption(&client, &variant, &request.pkce.verifier)).await;
        let error = answer.text("error");
        // What no form can mean is refused as a form.
        let malformed = variant.contains(['\0', '\n', '\r']) && error == "invalid_request";
        assert!(error == "invalid_grant" || malformed, "{variant:?}: {answer:?}");
        assert_j(&answer, 400, &error);
    }
    assert_tokens(&client.redeem(&request, &code).await);
}

async fn a_125_other_secrets_are_no_codes(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let page = browser.open(&client.request().set("prompt", "login").url()).await;
    let form = page.form("/login");
    let (request, code) = code_for(&client, &browser, &user).await;
    let tokens = client.redeem(&request, &code).await;
    let (request, code) = code_for(&client, &browser, &user).await;

    let mut others = vec![
        tokens.text("refresh_token"),
        tokens.text("refresh_token").trim_start_matches("lwrt_").to_owned(),
        tokens.text("access_token"),
        tokens.text("id_token"),
        form.get("csrf").expect("a token").to_owned(),
        form.get("transaction").expect("a transaction").to_owned(),
        client.secret.clone().expect("a secret"),
        format!("urn:ietf:params:oauth:request_uri:{code}"),
    ];
    let jar = browser.jar().clone();
    let cookies: Vec<String> = jar.names().iter().filter_map(|name| jar.get(name).map(str::to_owned)).collect();
    assert_eq!(cookies.len(), 3, "the session's, the browser's, and the one by which it is known again");
    others.extend(cookies);
    for other in others {
        assert_ig(&client.token(&redemption(&client, &other, &request.pkce.verifier)).await);
    }
    // Nor is a code anything else.
    for code in [code.clone(), format!("lwrt_{code}")] {
        assert_ig(&client.refresh(&code).await);
        assert_eq!(client.introspect(&code).await.json()["active"], false);
        assert_eq!(client.userinfo(&code).await.status, 401);
    }
    let thief = Browser::new(server);
    thief.jar().set("latchway_session", &code);
    assert_eq!(thief.get("/account").await.status, 303);
    assert_tokens(&client.redeem(&request, &code).await);
}

async fn a_126_codes_tell_nothing(server: Shared) {
    const MANY: usize = 400;
    let client = Spec::confidential().scope("openid").create(server);
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let mut codes = Vec::new();
    for _ in 0..MANY {
        codes.push(code_for(&client, &browser, &user).await.1);
    }
    let length = codes[0].len();
    assert!(length * 6 >= 256, "256 bits: {}", codes[0]);
    assert!(codes.iter().all(|code| code.len() == length));
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), MANY);
    // Of 64 characters, 400 random draws leave out fewer than one on average: a place with fewer than 50 has structure.
    for place in 0..length {
        let seen: BTreeSet<u8> = codes.iter().map(|code| code.as_bytes()[place]).collect();
        assert!(seen.len() >= 50, "at {place} there are only {seen:?}");
    }
    let ascending = codes.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((MANY / 3..MANY * 2 / 3).contains(&ascending), "an order of time shows: {ascending} of {MANY}");
    let rows = format!("{:?}", server.database.rows("codes", "1 = 1"));
    assert!(codes.iter().all(|code| !rows.contains(code.as_str())), "a code stands in the database");
}

async fn a_127_what_happens_before_redemption(server: Shared) {
    type Change = (&'static str, fn(&Server, &Client, &User), &'static str);
    let set_password = |server: &Server, _: &Client, user: &User| {
        let args = ["user", "set-password", &user.username, "--password-stdin"];
        server.try_cli(&args, "another battery staple").map(|_| ()).expect("another password");
    };
    let changes: [Change; 5] = [
        ("user disabled", |server, _, user| _ = server.cli(&["user", "disable", &user.username]), "invalid_grant"),
        ("password reset", set_password, "invalid_grant"),
        ("client disabled", |server, client, _| _ = server.cli(&["client", "disable", &client.id]), "invalid_client"),
        ("client deleted", |server, client, _| _ = server.cli(&["client", "delete", &client.id]), "invalid_client"),
        (
            "user disabled and enabled again",
            |server, _, user| {
                server.cli(&["user", "disable", &user.username]);
                server.cli(&["user", "enable", &user.username]);
            },
            "invalid_grant",
        ),
    ];
    for (what, change, error) in changes {
        let (client, user) = (Client::confidential(server), User::new(server));
        let (request, code) = code_for(&client, &Browser::of(server, &user).await, &user).await;
        change(server, &client, &user);
        let answer = client.redeem(&request, &code).await;
        assert_eq!(answer.text("error"), error, "{what}: {answer:?}");
        if error == "invalid_client" { assert_ic(&answer) } else { assert_ig(&answer) }
    }
}

async fn a_127_what_the_person_does_before_redemption(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let (request, code) = code_for(&client, &browser, &user).await;
    let account = browser.open("/account").await;
    browser.submit(&account.form("/account/revoke")).await;
    assert_ig(&client.redeem(&request, &code).await);

    let (request, code) = code_for(&client, &browser, &user).await;
    let account = browser.open("/account").await;
    browser.submit(&account.form("/logout")).await;
    assert_ig(&client.redeem(&request, &code).await);
    // Another session of theirs that ends is no matter of this one.
    let (here, there) = (Browser::of(server, &user).await, Browser::of(server, &user).await);
    let (request, code) = code_for(&client, &here, &user).await;
    let account = there.open("/account").await;
    there.submit(&account.form("/logout")).await;
    assert_tokens(&client.redeem(&request, &code).await);
}

async fn a_128_a_code_injected_into_another_login(server: Shared) {
    let (victim, attacker) = (User::new(server), User::new(server));
    for client in [Client::confidential(server), Client::public(server)] {
        let (_, stolen) = code_for(&client, &Browser::of(server, &victim).await, &victim).await;
        let (own, _) = code_for(&client, &Browser::of(server, &attacker).await, &attacker).await;
        let answer = client.token(&redemption(&client, &stolen, &own.pkce.verifier)).await;
        assert_ig(&answer);
        assert_audit(server, &answer, "pkce_mismatch");
    }
}

/// DPoP is not offered, so nothing that asks for it is taken without.
async fn a_129_no_binding_to_keys(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let request = client.request().set("dpop_jkt", &random(32));
    let answer = Browser::new(server).authorize(&request).await;
    assert_red(&answer, &request, "invalid_request");
    let metadata = super::metadata(server).await;
    assert!(metadata.get("dpop_signing_alg_values_supported").is_none(), "{metadata}");

    let (request, code) = code_for(&client, &Browser::of(server, &user).await, &user).await;
    let form = redemption(&client, &code, &request.pkce.verifier);
    let proof = unsigned(&serde_json::json!({"alg": "none", "typ": "dpop+jwt"}), &serde_json::json!({}));
    let sent = http().post(server.url("/oauth2/token")).header("DPoP", proof).form(&form);
    let secret = client.secret.clone().expect("a secret");
    assert_j(&Answer::of(sent.header("Authorization", basic(&client.id, &secret))).await, 400, "invalid_dpop_proof");
    assert_tokens(&client.redeem(&request, &code).await);
}

async fn a_130_the_code_is_nowhere_but_in_the_redirect(db: Db) {
    let server = Server::start(db, &[("log.level", "trace")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let page = browser.consent_page(&user, &client.request()).await;
    let back = browser.approve(&page).await;
    let code = back.redirect().code();
    // The page that goes on has it in the address that it goes on to, and nowhere else.
    let location = assert_goes_on_by_page(&back);
    assert!(location.contains(&code) && !back.words().contains(&code), "{back:?}");
    let (request, second) = code_for(&client, &browser, &user).await;
    let refused = client.token(&redemption(&client, &code, &Pkce::new().verifier)).await;
    let tokens = client.redeem(&request, &second).await;
    let replay = client.redeem(&request, &second).await;
    assert_tokens(&tokens);
    for code in [&code, &second] {
        for answer in [&refused, &tokens, &replay] {
            assert!(!format!("{answer:?}").contains(code.as_str()), "in an answer: {answer:?}");
        }
    }
    sleep(Duration::from_millis(300)).await;
    let metrics = Answer::of(http().get(server.metrics_url())).await;
    assert_eq!(metrics.status, 200, "{metrics:?}");
    assert!(metrics.body.contains("latchway_"), "{metrics:?}");
    let tables: Vec<String> =
        server.database.tables().iter().map(|table| format!("{:?}", server.database.rows(table, "1 = 1"))).collect();
    let log = server.log();
    assert!(log.contains("/oauth2/token"), "the log is there");
    for code in [&code, &second] {
        for (place, text) in [("log", &log), ("metrics", &metrics.body), ("database", &tables.concat())] {
            assert!(!text.contains(code.as_str()), "in the {place}");
        }
    }
}

both![
    a_120_replay_revokes_the_family,
    a_120_replay_after_its_lifetime,
    a_121_replay_by_somebody_else_revokes_nothing,
    a_122_another_clients_code,
    a_123_a_code_ends_soon,
    a_123_lifetime_by_default_and_at_most,
    a_124_almost_the_code,
    a_125_other_secrets_are_no_codes,
    a_126_codes_tell_nothing,
    a_127_what_happens_before_redemption,
    a_127_what_the_person_does_before_redemption,
    a_128_a_code_injected_into_another_login,
    a_129_no_binding_to_keys,
    a_130_the_code_is_nowhere_but_in_the_redirect,
];
