//! 3 JWT and keys: keys that change while everybody goes on.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;
use tokio::time::sleep;

use super::held::Held;
use crate::harness::*;

/// An API that verifies tokens by itself, and asks for the keys again only when the answer's `max-age` is over.
struct Verifier {
    server: String,
    keys: JwkSet,
    until: Instant,
}

impl Verifier {
    async fn new(server: &Server) -> Self {
        let mut verifier =
            Self { server: server.issuer.clone(), keys: JwkSet { keys: Vec::new() }, until: Instant::now() };
        verifier.fetch().await;
        verifier
    }

    async fn fetch(&mut self) {
        let answer = Answer::of(http().get(format!("{}/.well-known/jwks.json", self.server))).await;
        let cache = answer.header_or_empty("cache-control").to_owned();
        let age: u64 = cache.split("max-age=").nth(1).and_then(|age| age.parse().ok()).expect("max-age");
        self.keys = serde_json::from_value(answer.json()).expect("a JWKS");
        self.until = Instant::now() + Duration::from_secs(age);
    }

    /// The key that signed it. Panics if it is not known, or if the signature is not its own.
    async fn verify(&mut self, token: &str) -> String {
        if Instant::now() >= self.until {
            self.fetch().await;
        }
        let kid = header_of(token)["kid"].as_str().expect("kid").to_owned();
        let jwk = self.keys.find(&kid).unwrap_or_else(|| panic!("a verifier does not know {kid} yet"));
        let mut rules = Validation::new(Algorithm::ES256);
        rules.validate_aud = false;
        let key = DecodingKey::from_jwk(jwk).expect("a key");
        decode::<Value>(token, &key, &rules).expect("a token that verifies");
        kid
    }
}

/// A client that may also act for itself.
fn program(server: &Server) -> Client {
    Spec::confidential().scope("openid profile email offline_access reports:read").create(server)
}

async fn access_token(client: &Client) -> String {
    let answer = client.token(&[("grant_type", "client_credentials"), ("scope", "reports:read")]).await;
    assert_tokens(&answer);
    answer.text("access_token")
}

async fn wait_until<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < Duration::from_secs(30), "still not: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn kids(server: &Server) -> Vec<String> {
    let keys = Browser::new(server).get("/.well-known/jwks.json").await.json()["keys"].clone();
    keys.as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("kid").to_owned()).collect()
}

fn stage(server: &Server, kid: &str) -> String {
    let keys = server.cli(&["keys", "list"]);
    let key = keys.as_array().expect("a list").iter().find(|key| key["kid"] == kid).expect("the key").clone();
    key["stage"].as_str().expect("its stage").to_owned()
}

async fn c_018_rotation_without_a_failure(db: Db) {
    let config = [
        ("keys.prepublish_seconds", "6"),
        ("keys.reload_seconds", "1"),
        ("tokens.access_token_seconds", "8"),
        ("tokens.id_token_seconds", "8"),
        ("tokens.clock_skew_seconds", "0"),
    ];
    let server = Server::start(db, &config);
    let client = program(&server);
    let mut verifier = Verifier::new(&server).await;
    let first = access_token(&client).await;
    let old = verifier.verify(&first).await;
    let (begin, mut verified, mut by_new) = (Instant::now(), 0, 0);
    let new = server.cli(&["keys", "rotate"])["kid"].as_str().expect("kid").to_owned();
    assert_eq!(stage(&server, &new), "prepublished");

    while by_new < 5 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the new key never signed");
        let token = access_token(&client).await;
        let kid = verifier.verify(&token).await;
        assert!([&old, &new].contains(&&kid), "signed by {kid}");
        assert!(by_new == 0 || kid == new, "the old key signed after the new one");
        assert!(kid == old || begin.elapsed() > Duration::from_secs(4), "signed before it was long enough in the JWKS");
        assert_eq!(client.introspect(&token).await.json()["active"], true);
        verified += 1;
        by_new += usize::from(kid == new);
        sleep(Duration::from_millis(100)).await;
    }
    assert!(verified > 10, "{verified} tokens on the way");
    // The old key stays while what it signed may live, and goes then.
    assert_eq!(stage(&server, &old), "retired");
    assert!(kids(&server).await.contains(&old), "still there to verify");
    wait_until("the old key is gone", async || !kids(&server).await.contains(&old)).await;
    assert_eq!(stage(&server, &old), "removed");
    assert_eq!(client.introspect(&first).await.json()["active"], false);
}

async fn c_018_rotation_at_once(db: Db) {
    let server = Server::start(db, &[]);
    let held = Held::by(&server, program(&server)).await;
    let old = header_of(&held.access)["kid"].clone();
    let new = server.cli(&["keys", "rotate", "--now"])["kid"].clone();
    assert_ne!(old, new);
    let signs = async || header_of(&access_token(&held.client).await)["kid"] == new;
    wait_until("the new key signs", signs).await;
    // What the old one signed goes on to be verified.
    assert!(held.is_active(&held.access).await, "not revoked by a rotation");
    assert_eq!(held.client.userinfo(&held.access).await.status, 200);
}

async fn c_018_emergency(db: Db) {
    let server = Server::start(db, &[]);
    let held = Held::by(&server, program(&server)).await;
    let stolen = EsKey::stolen(&server);
    let old = stolen.kid.clone();
    // Seen and remembered as verified, and still refused afterwards.
    assert!(held.is_active(&held.access).await);
    server.cli(&["keys", "retire", &old, "--compromised"]);
    wait_until("refused", async || !held.is_active(&held.access).await).await;
    held.refused(&held.access).await;
    held.refused(&stolen.sign_with(&header_of(&held.access), &claims_of(&held.access))).await;
    assert!(!kids(&server).await.contains(&old), "not published any more");
    // A new key was made, since it was the last of its algorithm.
    let fresh = access_token(&held.client).await;
    assert_ne!(header_of(&fresh)["kid"], old.as_str());
    assert!(held.is_active(&fresh).await);
    // Nothing brings it back.
    assert!(server.try_cli(&["keys", "retire", &old], "").is_err(), "retired once more, with grace");
    assert_eq!(stage(&server, &old), "removed");
    sleep(Duration::from_millis(1_500)).await;
    held.refused(&held.access).await;
}

both![c_018_rotation_without_a_failure, c_018_rotation_at_once, c_018_emergency];

mod nodes {
    use super::*;

    /// The embedded database is one node's; several share PostgreSQL.
    #[test]
    fn c_019_two_nodes_start_at_once() {
        run(Db::Postgres, |db: Db| async move {
            let one = Server::prepared(db, &[]);
            let two = one.node(&[]);
            std::thread::scope(|scope| {
                let starting = [&one, &two].map(|node| scope.spawn(|| node.spawn()));
                starting.into_iter().for_each(|node| node.join().expect("both start"));
            });
            let keys = one.cli(&["keys", "list"]);
            let mut algorithms: Vec<&str> =
                keys.as_array().expect("a list").iter().map(|key| key["alg"].as_str().expect("alg")).collect();
            algorithms.sort_unstable();
            assert_eq!(algorithms, ["ES256", "EdDSA", "PS256", "RS256"], "one key an algorithm");
            assert_eq!(kids(&one).await, kids(&two).await);
            // A token of one counts at the other.
            let client = program(&one);
            let at_two = client.at(&two);
            let token = access_token(&client).await;
            assert_eq!(at_two.introspect(&token).await.json()["active"], true);
        });
    }
}
