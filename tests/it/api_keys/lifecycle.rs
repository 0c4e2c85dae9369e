//! From the command line to the end of a key.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::*;

const API: &str = "https://orders.example";

fn program(server: &Server) -> Client {
    Spec::confidential()
        .grants(&["client_credentials"])
        .scope("orders:read orders:write")
        .audience(API)
        .is(API)
        .create(server)
}

async fn told(client: &Client, key: &Key) -> Value {
    let answer = client.introspect(&key.text).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn is_active(client: &Client, key: &Key) -> bool {
    told(client, key).await["active"] == true
}

/// Fails if the text has another form than scanners look for, if it can be read again anywhere, or if introspection tells
/// less or more of it than it is.
async fn a_key_is_shown_once(server: Shared) {
    let client = program(server);
    let flags = ["--audience", API, "--expires", "90d", "--network", "10.0.0.0/8", "--rate-limit", "100"];
    let args = ["api-key", "create", "--client", &client.id, "--name", "Export", "--scope", "orders:read"];
    let made = server.cli(&[&args[..], &flags].concat());
    let key = Key::read(&made);
    let (id, secret) = key.text.strip_prefix("lw_").and_then(|rest| rest.split_once('_')).expect("lw_ID_SECRET");
    assert_eq!((id.len(), secret.len()), (22, 49), "{}", key.text);
    assert!(key.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{}", key.text);
    assert_eq!(made["scope"], "orders:read");
    assert_eq!(made["networks"], json!(["10.0.0.0/8"]));

    let listed = server.cli(&["api-key", "list", "--client", &client.id]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["id"], key.id);
    let row = server.database.rows("api_keys", &format!("client_id = '{}'", client.id));
    let trail = audit(server, &format!("client_id = '{}'", client.id));
    for place in [listed.to_string(), json!(row).to_string(), json!(trail).to_string(), server.log()] {
        assert!(!place.contains(&key.text) && !place.contains(secret), "the secret is in {place}");
    }

    let form = [("token", key.text.as_str()), ("address", "10.1.2.3")];
    let told = client.post("/oauth2/introspect", &form).await.json();
    let created = made["created_at"].as_i64().expect("a time");
    let wanted = json!({
        "active": true, "scope": "orders:read", "client_id": client.id, "sub": client.id, "aud": [API],
        "iss": server.issuer, "jti": key.id, "iat": created, "exp": created + 90 * 86_400, "token_type": "api_key",
    });
    assert_eq!(told, wanted);

    let user = User::new(server);
    let own = Key::of_person(server, &user, "orders:read", &["--audience", API]);
    let told = client.introspect(&own.text).await.json();
    assert_eq!((&told["sub"], &told["username"]), (&json!(user.id), &json!(user.username)), "{told}");
    assert!(told.get("client_id").is_none() && told.get("exp").is_none(), "{told}");
    // Without an API it is for the issuer itself.
    let general = Key::of_client(server, &client, "orders:read", &[]);
    assert_eq!(client.introspect(&general.text).await.json()["aud"], json!([server.issuer]));
}

/// Fails if a key can get more than its owner has, or a mistake is not named.
async fn a_key_has_no_more_than_its_owner(server: Shared) {
    let (client, user) = (program(server), User::new(server));
    let public = Spec::public().scope("openid orders:read").create(server);
    register(server, "orders:read");
    let client_args = |more: &[&str]| -> Vec<String> {
        let base = ["api-key", "create", "--client", &client.id, "--name", "K"];
        base.iter().chain(more).map(|&arg| arg.to_owned()).collect()
    };
    let user_args = |more: &[&str]| -> Vec<String> {
        let base = ["api-key", "create", "--user", &user.username, "--name", "K"];
        base.iter().chain(more).map(|&arg| arg.to_owned()).collect()
    };
    let with_public = ["api-key", "create", "--client", &public.id, "--name", "K", "--scope", "orders:read"];
    let nobody = ["api-key", "create", "--client", "nobody", "--name", "K", "--scope", "a"];
    let ownerless = ["api-key", "create", "--name", "K", "--scope", "a"];
    let owned = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>();
    for (args, wanted) in [
        (client_args(&["--scope", "orders:read orders:admin"]), "--scope has orders:admin"),
        (client_args(&["--scope", "orders:read", "openid"]), "--scope must not have openid"),
        (client_args(&["--scope", "api_keys"]), "--scope must not have api_keys"),
        (client_args(&["--scope", ""]), "--scope must name at least one scope"),
        (client_args(&["--scope", "orders:read", "--audience", "https://other.example"]), "--audience has"),
        (client_args(&["--scope", "orders:read", "--expires", "0"]), "--expires must be at least"),
        (client_args(&["--scope", "orders:read", "--expires", "soon"]), "is not a duration such as"),
        (client_args(&["--scope", "orders:read", "--network", "10.0.0.0/33"]), "10.0.0.0/8"),
        (client_args(&["--scope", "orders:read", "--rate-limit", "0"]), "--rate-limit must be"),
        (user_args(&["--scope", "orders:unheard"]), "--scope has orders:unheard"),
        (user_args(&["--scope", "offline_access"]), "--scope must not have offline_access"),
        (user_args(&["--scope", "profile"]), "--scope must not have profile"),
        (user_args(&["--scope", "orders:read", "--audience", "https://unheard.example"]), "--audience has"),
        (owned(&with_public), "is public"),
        (owned(&nobody), "there is no client nobody"),
        (owned(&ownerless), "--client"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let failure = server.try_cli(&args, "").expect_err(&args.join(" "));
        assert!(failure.output.contains(wanted), "{}: {failure:?}", args.join(" "));
        assert!(!failure.output.contains("lw_"), "{failure:?}");
    }
    assert!(server.database.rows("api_keys", &format!("client_id = '{}'", client.id)).is_empty());
}

/// Fails if the old secret does not work as long as it should, or longer.
async fn rotation_overlaps(server: Shared) {
    let client = program(server);
    let first = Key::of_client(server, &client, "orders:read", &[]);
    let rotate = |overlap: &str| Key::read(&server.cli(&["api-key", "rotate", &first.id, "--overlap", overlap]));
    let second = rotate("1h");
    assert_eq!(second.id, first.id);
    assert!(is_active(&client, &first).await && is_active(&client, &second).await);
    let third = rotate("6s");
    assert!(!is_active(&client, &first).await, "two secrets at most");
    assert!(is_active(&client, &second).await && is_active(&client, &third).await);
    sleep(Duration::from_secs(7)).await;
    assert!(!is_active(&client, &second).await, "the overlap has ended");
    let fourth = rotate("0");
    assert!(!is_active(&client, &third).await && is_active(&client, &fourth).await);
    // A revoked key is not renewed.
    server.cli(&["api-key", "revoke", &first.id]);
    let failure = server.try_cli(&["api-key", "rotate", &first.id], "").expect_err("revoked");
    assert!(failure.output.contains("revoked"), "{failure:?}");
    assert_eq!(audit(server, &format!("kind = 'api_key_rotated' AND client_id = '{}'", client.id)).len(), 3);
}

/// Fails if a key is taken on any node after `revoke` has answered.
async fn i_4_a_revoked_key_is_dead_on_every_node(db: Db) {
    let server = Server::start(db, &[]);
    let client = program(&server);
    let node = (db == Db::Postgres).then(|| server.another_node());
    for round in 0..5 {
        let key = Key::of_client(&server, &client, "orders:read", &[]);
        let elsewhere = node.as_ref().map_or_else(|| client.clone(), |node| client.at(node));
        assert!(is_active(&client, &key).await && is_active(&elsewhere, &key).await);
        if round % 2 == 0 {
            server.cli(&["api-key", "revoke", &key.id]);
        } else {
            assert_eq!(client.revoke(&key.text).await.status, 200);
        }
        assert!(!is_active(&elsewhere, &key).await && !is_active(&client, &key).await, "round {round}");
    }
}

async fn a_key_expires(server: Shared) {
    let client = program(server);
    let key = Key::of_client(server, &client, "orders:read", &["--expires", "6s"]);
    assert!(is_active(&client, &key).await);
    sleep(Duration::from_secs(7)).await;
    assert_eq!(told(&client, &key).await, json!({"active": false}));
    assert_eq!(server.cli(&["api-key", "list", "--client", &client.id])[0]["status"], "expired");
}

/// Fails if a key that is bound to networks is taken from elsewhere, or from where nobody knows.
async fn a_key_stays_in_its_networks(server: Shared) {
    let client = program(server);
    let flags = ["--network", "10.0.0.0/8", "--network", "2001:db8::/32", "--network", "192.0.2.7"];
    let key = Key::of_client(server, &client, "orders:read", &flags);
    for (address, wanted) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("2001:db8:5::1", true),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("11.0.0.1", false),
        ("::1", false),
        ("127.0.0.1", false),
    ] {
        let form = [("token", key.text.as_str()), ("address", address)];
        let told = client.post("/oauth2/introspect", &form).await;
        assert_eq!(told.json()["active"], wanted, "{address}: {told:?}");
        assert!(wanted || told.json() == json!({"active": false}), "{told:?}");
    }
    assert_eq!(told(&client, &key).await, json!({"active": false}), "from nobody knows where");
    for address in ["10.1.2", "10.1.2.3, 10.1.2.4", "localhost", "10.1.2.3:80"] {
        let form = [("token", key.text.as_str()), ("address", address)];
        assert_j(&client.post("/oauth2/introspect", &form).await, 400, "invalid_request");
    }
    let refused = audit(server, &format!("kind = 'api_key_refused' AND client_id = '{}'", client.id));
    assert_eq!(refused.len(), 1, "once a minute for each reason: {refused:?}");
}

/// Fails if a key's own limit is not kept, or if a stranger can use it up.
async fn a_key_has_its_own_rate(server: Shared) {
    let client = program(server);
    let key = Key::of_client(server, &client, "orders:read", &["--rate-limit", "3"]);
    let stranger = Client::confidential(server);
    for _ in 0..10 {
        assert_eq!(stranger.introspect(&key.text).await.json(), json!({"active": false}));
    }
    for _ in 0..3 {
        assert!(is_active(&client, &key).await);
    }
    let refused = client.introspect(&key.text).await;
    assert_j(&refused, 429, "slow_down");
    let wait: u64 = refused.header_or_empty("retry-after").parse().expect("seconds");
    assert!((1..=21).contains(&wait), "{refused:?}");
    let other = Key::of_client(server, &client, "orders:read", &["--rate-limit", "3"]);
    assert!(is_active(&client, &other).await, "each has its own");
}

/// Fails if the last use is not written down after a while or at the end, or is written at once.
async fn the_last_use_is_known_later(db: Db) {
    let server = Server::start(db, &[("api_keys.last_use_seconds", "1")]);
    let client = program(&server);
    let key = Key::of_client(&server, &client, "orders:read", &[]);
    let list = |server: &Server| server.cli(&["api-key", "list", "--client", &client.id])[0].clone();
    assert_eq!(list(&server)["last_used_at"], Value::Null);
    let before = now();
    client.post("/oauth2/introspect", &[("token", key.text.as_str()), ("address", "192.0.2.7")]).await;
    let begin = Instant::now();
    while list(&server)["last_used_at"].is_null() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it is not written down");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(list(&server)["last_used_at"].as_i64().is_some_and(|at| (before..=now()).contains(&at)));
    assert_eq!(list(&server)["last_used_address"], "192.0.2.7");
    drop(server);

    let lazy = Server::start(db, &[("api_keys.last_use_seconds", "3600")]);
    let client = program(&lazy);
    let key = Key::of_client(&lazy, &client, "orders:read", &[]);
    for _ in 0..20 {
        assert!(is_active(&client, &key).await);
    }
    let list = || lazy.cli(&["api-key", "list", "--client", &client.id])[0].clone();
    assert_eq!(list()["last_used_at"], Value::Null, "not a write for every use");
    assert!(lazy.stop());
    assert!(list()["last_used_at"].is_i64(), "written at the end");
}

/// Fails if cleaning takes a key that still counts or that ended of late, or leaves one that ended long ago.
async fn keys_that_ended_long_ago_are_removed(db: Db) {
    let server = Server::start(db, &[("cleanup.interval_seconds", "86400"), ("cleanup.audit_days", "30")]);
    let client = program(&server);
    let names = ["revoked-long-ago", "expired-long-ago", "revoked-lately", "live"];
    let keys = names.map(|_| Key::of_client(&server, &client, "orders:read", &[]));
    let (long, lately) = (now() - 40 * 86_400, now() - 86_400);
    let old_id = |nibble: usize| match &server.database {
        Database::Sqlite { .. } => format!("unhex('0150000000007000800000000000000{nibble}')"),
        Database::Postgres { .. } => format!("decode('0150000000007000800000000000000{nibble}', 'hex')"),
    };
    let id_of = |key: &Key| match &server.database {
        Database::Sqlite { .. } => format!("unhex('{}')", key.id.replace('-', "")),
        Database::Postgres { .. } => format!("decode('{}', 'hex')", key.id.replace('-', "")),
    };
    let ends = [format!("revoked_at = {long}"), format!("expires_at = {long}"), format!("revoked_at = {lately}")];
    for (nibble, key) in keys.iter().enumerate() {
        let end = ends.get(nibble).map(|end| format!(", {end}")).unwrap_or_default();
        let set = format!("name = '{}', id = {}{end}", names[nibble], old_id(nibble));
        server.database.execute(&format!("UPDATE api_keys SET {set} WHERE id = {}", id_of(key)));
    }
    let report = server.cli(&["cleanup"]);
    assert_eq!(report["removed"]["api_keys"], 2, "{report}");
    let left = server.database.rows("api_keys", "1 = 1");
    let mut left: Vec<&str> = left.iter().filter_map(|row| row["name"].as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["live", "revoked-lately"]);
}

/// Fails if a restore brings a revoked key or a rotated secret back to life.
async fn r_050_what_was_revoked_since_a_backup_stays_dead(db: Db) {
    if db == Db::Postgres {
        return; // its own tools restore it, and `restore-point` tells how many keys there are to look through
    }
    let server = Server::start(db, &[]);
    let client = program(&server);
    let [kept, revoked, rotated] = [(); 3].map(|()| Key::of_client(&server, &client, "orders:read", &[]));
    let file = server.dir.join("keys.backup").display().to_string();
    server.cli(&["backup", &file]);
    server.cli(&["api-key", "revoke", &revoked.id]);
    let renewed = Key::read(&server.cli(&["api-key", "rotate", &rotated.id, "--overlap", "0"]));
    let since = Key::of_client(&server, &client, "orders:read", &[]);
    assert!(server.stop());
    let report = server.cli(&["restore", &file, "--force"]);
    assert_eq!(report["since"]["api_keys"], 2, "{report}");
    assert_eq!(report["live_api_keys"], 2, "{report}");
    server.spawn();
    for (key, wanted) in [(&kept, true), (&revoked, false), (&rotated, false), (&renewed, true), (&since, false)] {
        assert_eq!(is_active(&client, key).await, wanted, "{}", key.id);
    }
}

both![
    a_key_is_shown_once,
    a_key_has_no_more_than_its_owner,
    rotation_overlaps,
    i_4_a_revoked_key_is_dead_on_every_node,
    a_key_expires,
    a_key_stays_in_its_networks,
    a_key_has_its_own_rate,
    the_last_use_is_known_later,
    keys_that_ended_long_ago_are_removed,
    r_050_what_was_revoked_since_a_backup_stays_dead,
];
