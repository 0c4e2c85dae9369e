//! S1, S12, A12, A10: slow is not dead, few connections are slower, and a database that is not up yet is waited for.

use tokio::task::JoinSet;

use super::*;

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Fails if long round trips keep a server from starting, from coming back after its connections were cut, or from serving.
async fn s01_long_round_trips_serve() {
    for millis in [100, 200, 400] {
        // A dozen round trips are one piece of work: at 400 ms they need more than the five seconds of the defaults.
        let timeout = [("database.timeout_seconds", if millis > 200 { "10" } else { "5" })];
        let (server, _proxy) = Server::behind_slow_proxy(&timeout, Duration::from_millis(millis));
        server.cli(&["migrate"]);
        let client = machine(&server);
        server.spawn();
        let token = client.token(CC).await;
        assert_eq!(token.status, 200, "{millis} ms: {token:?}\n{}", server.log());
        let token = token.text("access_token");
        server.database.execute(CUT);
        // Connecting again takes seven round trips, and each request some more.
        let back = Instant::now();
        let patience = Duration::from_secs(4) + Duration::from_millis(millis) * 20;
        loop {
            let answer = client.introspect(&token).await;
            if answer.status == 200 {
                assert_eq!(answer.json()["active"], true);
                break;
            }
            assert_unavailable(&answer);
            assert!(back.elapsed() < patience, "{millis} ms: not back:\n{}", server.log());
        }
        until_ready_is(&server, 200).await;
        for _ in 0..5 {
            assert_eq!(client.introspect(&token).await.status, 200, "{millis} ms: it flaps:\n{}", server.log());
            assert_eq!(status_of(&server, "/readyz").await, 200, "{millis} ms: it flaps:\n{}", server.log());
        }
    }
}

/// Fails if fewer connections than `pool_size` make anything fail, or if a node takes more than it says.
async fn s12_few_connections_are_slower() {
    let server = Server::prepared(Db::Postgres, &[]);
    server.cli(&["migrate"]);
    let role = Role::new(&server.database, "CONNECTION LIMIT 4");
    server.database.execute(&format!("GRANT USAGE ON SCHEMA public TO {}", role.name));
    let rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public";
    server.database.execute(&format!("GRANT {rights} TO {}", role.name));
    let (client, user) = (machine(&server), User::new(&server));
    let app = Client::confidential(&server);
    let node = server.changed(&[("database.url", &role.url), ("database.pool_size", "8")]);
    node.spawn();
    let mut work = JoinSet::new();
    for n in 0..60 {
        let (client, app, url) = (client.clone(), app.clone(), node.url("/readyz"));
        let begin = url::Url::parse(&node.issuer).expect("a URL");
        work.spawn(async move {
            let status = match n % 3 {
                0 => client.token(CC).await.status,
                1 => {
                    let request = app.request();
                    let mut url = begin.join("/oauth2/authorize").expect("a URL");
                    url.set_query(Some(&request.query()));
                    Answer::of(http().get(url)).await.status
                }
                _ => Answer::of(http().get(&url)).await.status,
            };
            (n, status)
        });
    }
    while let Some(done) = work.join_next().await {
        let (n, status) = done.expect("an answer");
        assert!(status < 400, "request {n}: {status}\n{}", node.log());
    }
    Browser::of(&node, &user).await;
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", role.name);
    assert!(node.database.number(&query) <= 4);
    assert!(!node.log().contains("the database is gone"), "{}", node.log());
    node.stop();

    // Without a limit it takes what the documentation says.
    server.database.execute(&format!("ALTER ROLE {} CONNECTION LIMIT -1", role.name));
    node.spawn();
    let mut work = JoinSet::new();
    for _ in 0..60 {
        let (client, app) = (client.clone(), app.clone());
        let begin = url::Url::parse(&node.issuer).expect("a URL");
        work.spawn(async move {
            client.token(CC).await;
            let mut url = begin.join("/oauth2/authorize").expect("a URL");
            url.set_query(Some(&app.request().query()));
            Answer::of(http().get(url)).await;
        });
    }
    let mut most = 0;
    while work.join_next().await.is_some() {
        most = most.max(node.database.number(&query));
    }
    assert!((2..=8 + 3).contains(&most), "{most} connections with pool_size = 8");
    node.stop();
}

/// Fails if a server gives up at once on a PostgreSQL that is not up yet, or waits for ever, or for what no waiting mends.
async fn a12_a_start_waits_for_the_database() {
    let (server, proxy) = Server::behind_slow_proxy(&[("database.start_timeout_seconds", "30")], Duration::ZERO);
    server.cli(&["migrate"]);
    proxy.set(Line::Cut);
    server.launch();
    let begin = Instant::now();
    while !server.log().contains("waiting for the database") {
        assert!(server.is_alive() && begin.elapsed() < Duration::from_secs(10), "it does not wait:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.set(Line::Passes);
    until_ready_is_alive(&server).await;
    server.stop();
    proxy.set(Line::Cut);
    let patient = server.node(&[("database.start_timeout_seconds", "1")]);
    let said = patient.refuses_to_start();
    assert!(said.contains("the database cannot be reached"), "{said}");
    // A10: once, and not inside itself.
    assert_eq!(said.matches("cannot be reached").count(), 1, "{said}");
    let wrong = server.node(&[("database.url", &server.database.url().replace("user=latchway", "user=nobody_at_all"))]);
    let begin = Instant::now();
    if server.database.url().contains("user=latchway") {
        let output = wrong.try_cli(&["serve"], "").expect_err("no such role").output;
        assert!(output.contains("nobody_at_all") && begin.elapsed() < Duration::from_secs(20), "{output}");
    }
}

async fn until_ready_is_alive(server: &Server) {
    until_alive(server).await;
    until_ready_is(server, 200).await;
}

/// Fails if a message says that the database was not reached where it was.
async fn a10_messages_say_what_failed(db: Db) {
    let server = Server::start(db, &[]);
    let name = if db == Db::Sqlite {
        "CREATE TRIGGER full BEFORE INSERT ON scopes BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    } else {
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'database or disk is full'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON scopes FOR EACH ROW EXECUTE FUNCTION full_disk()"
    };
    server.database.execute(name);
    let said = server.try_cli(&["scope", "set", "a", "--title", "A"], "").expect_err("the disk is full").output;
    assert!(said.contains("the database failed: database or disk is full"), "{said}");
    assert!(!said.contains("cannot be reached"), "it was reached: {said}");
}

both![a10_messages_say_what_failed];

mod once {
    use super::*;

    #[test]
    fn s01_long_round_trips_serve() {
        run(Db::Postgres, |_: Db| super::s01_long_round_trips_serve());
    }

    #[test]
    fn s12_few_connections_are_slower() {
        run(Db::Postgres, |_: Db| super::s12_few_connections_are_slower());
    }

    #[test]
    fn a12_a_start_waits_for_the_database() {
        run(Db::Postgres, |_: Db| super::a12_a_start_waits_for_the_database());
    }
}
