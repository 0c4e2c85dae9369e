//! P6: what ends sessions ends all of them, in browsers and in first-party apps.

use std::time::{Duration, Instant};

use crate::harness::*;

/// More sessions of the same person than any page lists, each used later than those that are there.
fn add_sessions(server: &Server, user: &User, count: usize) {
    let columns = "secret_hash, user_id, auth_time, created_at, last_seen_at, expires_at, user_agent, address";
    let values = format!(
        "secret_hash, user_id, auth_time, created_at, last_seen_at + 1000 + i, expires_at, user_agent, address FROM \
         (SELECT * FROM sessions WHERE ended_at IS NULL AND client_id IS NULL AND user_id = {} ORDER BY id LIMIT 1) AS one",
        id(server, user)
    );
    server.database.execute(&match server.database {
        Database::Sqlite { .. } => format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO sessions (id, {columns}) SELECT randomblob(16), {values}, n"
        ),
        Database::Postgres { .. } => format!(
            "INSERT INTO sessions (id, {columns}) SELECT decode(md5(random()::text || i), 'hex'), {values}, \
             generate_series(1, {count}) AS n(i)"
        ),
    });
}

/// The id of a person as SQL writes it.
fn id(server: &Server, user: &User) -> String {
    let hex = user.id.replace('-', "");
    match server.database {
        Database::Sqlite { .. } => format!("x'{hex}'"),
        Database::Postgres { .. } => format!("'\\x{hex}'::bytea"),
    }
}

fn standing(server: &Server, user: &User) -> i64 {
    let query = format!("SELECT count(*) FROM sessions WHERE ended_at IS NULL AND user_id = {}", id(server, user));
    server.database.number(&query)
}

async fn p06_log_out_everywhere_else(server: Shared) {
    let (user, other) = (User::new(server), User::new(server));
    let thief = Browser::of(server, &user).await;
    let app = FirstParty::native(server);
    let stolen = app.login(&user).await;
    let offline = FirstParty::native_of(FirstParty::spec().scope("profile offline_access").create(server));
    let stays = offline.login(&user).await;
    add_sessions(server, &user, 120);
    let owner = Browser::of(server, &user).await;
    let bystander = Browser::of(server, &other).await;
    let third_party = Client::confidential(server);
    let request = third_party.request().set("scope", "openid profile");
    let code = thief.grant(&user, &request).await.code();
    let by_thief = third_party.redeem(&request, &code).await.text("access_token");
    let page = owner.get("/account").await;
    assert!(page.words().contains("You are logged in in 124 places. The 100 that were used last"), "{}", page.words());
    let after = owner.submit(&page.form("/account/sessions/revoke-others")).await;
    assert!(after.words().contains("logged out everywhere else"), "{after:?}");
    assert_eq!(standing(server, &user), 1, "the owner's");
    assert_eq!(standing(server, &other), 1, "not another person's");
    assert_eq!(owner.get("/account").await.status, 200);
    assert_eq!(bystander.get("/account").await.status, 200);
    assert_ne!(thief.get("/account").await.status, 200);
    assert_j(&app.me(&stolen.text("access_token")).await, 401, "invalid_token");
    assert_j(&app.refresh(&stolen.text("refresh_token")).await, 400, "invalid_grant");
    // A first-party login is a session, whatever scope it has.
    assert_j(&offline.me(&stays.text("access_token")).await, 401, "invalid_token");
    assert!(third_party.userinfo(&by_thief).await.status == 401, "what the thief allowed in a session");
}

/// A first-party login is a session of its own: listed, ended alone, and gone with its tokens.
async fn p06_a_first_party_login_is_a_session(server: Shared) {
    let user = User::new(server);
    let owner = Browser::of(server, &user).await;
    let app = FirstParty::native_of(FirstParty::spec().name("Corner Shop").create(server));
    let (first, second) = (app.login(&user).await, app.login(&user).await);
    assert_eq!(standing(server, &user), 3);
    let sessions = owner.get("/account").await.select("#sessions h3").join(" ");
    assert_eq!(sessions.matches("Corner Shop").count(), 2, "{sessions}");
    // By its own button.
    let page = owner.get("/account").await;
    let ends = page.forms().into_iter().find(|form| form.action.path() == "/account/sessions/revoke");
    owner.submit(&ends.expect("a button for each")).await;
    let alive = |answer: &Answer| answer.status == 200;
    let left = [&first, &second].map(|login| login.text("access_token"));
    let states = [app.me(&left[0]).await, app.me(&left[1]).await];
    assert_eq!(states.iter().filter(|state| alive(state)).count(), 1, "{states:?}");
    // By the app's own logout, after a refresh.
    let rest = if alive(&states[0]) { &first } else { &second };
    let refreshed = app.refresh(&rest.text("refresh_token")).await;
    assert_eq!(app.logout(&refreshed.text("refresh_token")).await.status, 204);
    assert_eq!(standing(server, &user), 1);
    // By removing the app.
    app.login(&user).await;
    assert_eq!(standing(server, &user), 2);
    owner.submit(&owner.get("/account").await.form("/account/revoke")).await;
    assert_eq!(standing(server, &user), 1);
}

/// The reaction `fresh_login` says "everywhere", and means it.
async fn p06_the_reaction_ends_everything(db: Db) {
    let config = [("tokens.refresh_retry_seconds", "0"), ("anomalies.token_reuse_reactions", "fresh_login")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let app = FirstParty::native(&server);
    let login = app.login(&user).await;
    add_sessions(&server, &user, 120);
    let client = Client::confidential(&server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    let used = tokens.text("refresh_token");
    client.refresh(&used).await;
    assert_ig(&client.refresh(&used).await);
    let begin = Instant::now();
    while standing(&server, &user) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "{} sessions stand", standing(&server, &user));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_j(&app.me(&login.text("access_token")).await, 401, "invalid_token");
    assert_j(&app.refresh(&login.text("refresh_token")).await, 400, "invalid_grant");
}

both![p06_log_out_everywhere_else, p06_a_first_party_login_is_a_session, p06_the_reaction_ends_everything];
