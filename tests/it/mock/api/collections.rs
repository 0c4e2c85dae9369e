//! Things that are kept while a mock runs.

use super::*;

const ORDERS: &str = r#"
[api.collections.orders]
path = "/orders"
owner = "sub"
items = [{ id = 1, owner = "alice", total = 10 }, { id = 2, owner = "bob", total = 20 }, { id = 3, owner = "alice", total = 30 }]
requires = { token = true }
requires_to_change = { scope = "orders:write" }
"#;

/// Somebody who sends requests.
struct Caller<'a> {
    mock: &'a Mock,
    token: String,
    run: &'static str,
}

impl Caller<'_> {
    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let mut request = self.mock.request(method, path).bearer_auth(&self.token);
        if !self.run.is_empty() {
            request = request.header("X-Mock-Run", self.run);
        }
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    async fn ids(&self, path: &str) -> Vec<i64> {
        let list = self.send("GET", path, Value::Null).await;
        list.json().as_array().expect("a list").iter().filter_map(|item| item["id"].as_i64()).collect()
    }
}

async fn caller<'a>(mock: &'a Mock, sub: &str, scope: &str) -> Caller<'a> {
    Caller { mock, token: mock.token(&json!({"sub": sub, "scope": scope})).await, run: "" }
}

/// Fails if somebody sees or changes what is another's, or an admin does not.
async fn each_has_their_own() {
    let mock = Mock::start(ORDERS);
    let (alice, bob) = (caller(&mock, "alice", "orders:write").await, caller(&mock, "bob", "orders:write").await);
    assert_eq!((alice.ids("/orders").await, bob.ids("/orders").await), (vec![1, 3], vec![1, 2, 3]));
    assert_eq!(alice.ids("/orders?total=30").await, [3]);
    assert_eq!(bob.ids("/orders?limit=1&offset=1").await, [2]);
    let list = bob.send("GET", "/orders?limit=1", Value::Null).await;
    assert_eq!(list.header("x-total-count"), Some("3"));
    for (method, body) in [("GET", json!(null)), ("DELETE", json!(null)), ("PUT", json!({})), ("PATCH", json!({}))] {
        assert_eq!(alice.send(method, "/orders/2", body).await.status, 404, "{method} of Bob's");
    }
    assert_eq!(mock.get("/orders").await.status, 401);
    let reader = caller(&mock, "alice", "orders:read").await;
    assert_eq!(reader.send("GET", "/orders/1", json!(null)).await.status, 200);
    assert_eq!(reader.send("DELETE", "/orders/1", json!(null)).await.status, 403, "who reads does not change");
}

/// Fails if something is not there after its making, or there after its removal.
async fn things_live_and_die() {
    let mock = Mock::start(ORDERS);
    let alice = caller(&mock, "alice", "orders:write").await;
    let made = alice.send("POST", "/orders", json!({"total": 5})).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/orders/4")), "{made:?}");
    let sub = &mock.told["issuers"][0]["personas"][0]["sub"];
    assert_eq!(made.json(), json!({"id": 4, "owner": sub, "total": 5}));
    assert_eq!(alice.send("GET", "/orders/4", json!(null)).await.json(), made.json());
    let merged = alice.send("PATCH", "/orders/4", json!({"total": null, "note": "x"})).await;
    assert_eq!(merged.json(), json!({"id": 4, "owner": sub, "note": "x"}));
    let put = alice.send("PUT", "/orders/4", json!({"total": 6})).await;
    assert_eq!(put.json(), json!({"id": 4, "owner": sub, "total": 6}));
    assert_eq!(alice.send("PUT", "/orders/4", json!({"id": 9})).await.status, 409);
    assert_eq!(alice.send("POST", "/orders", json!({"id": 4})).await.status, 409);
    assert_eq!(alice.send("POST", "/orders", json!([])).await.status, 400);
    assert_eq!(alice.send("DELETE", "/orders/4", json!(null)).await.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(alice.send(method, "/orders/4", json!(null)).await.status, 404, "{method}");
    }
}

/// Fails if what one run of tests does is seen by another.
async fn runs_do_not_meet() {
    let mock = Mock::start(
        &ORDERS
            .replace("owner = \"sub\"\n", "")
            .replace("requires = { token = true }\n", "")
            .replace("requires_to_change = { scope = \"orders:write\" }\n", ""),
    );
    let caller = |run: &'static str| Caller { mock: &mock, token: "none".to_owned(), run };
    let (one, other, none) = (caller("one"), caller("other"), caller(""));
    assert_eq!(one.send("DELETE", "/orders/1", json!(null)).await.status, 204);
    assert_eq!(one.ids("/orders").await, [2, 3]);
    assert_eq!((other.ids("/orders").await, none.ids("/orders").await), (vec![1, 2, 3], vec![1, 2, 3]));
}

/// Fails if a collection behind a document does what that does not say.
async fn a_document_says_what_a_collection_does() {
    let mock = petstore(
        "[api.collections.pets]\npath = \"/pet\"\n[api.collections.users]\npath = \"/user\"\nid = \"username\"",
    );
    let keeper = Caller { mock: &mock, token: keeper(&mock, "alice").await, run: "" };
    assert_eq!(keeper.send("GET", "/pet/1", json!(null)).await.status, 404, "there is nothing yet");
    let made = keeper.send("POST", "/api/v3/pet", json!({"name": "Rolf", "photoUrls": []})).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v3/pet/1")), "{made:?}");
    assert_eq!(keeper.send("POST", "/pet", json!({"photoUrls": []})).await.status, 400, "the name is missing");
    let changed = keeper.send("PUT", "/pet", json!({"id": 1, "name": "Rolfi", "photoUrls": []})).await;
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("Rolfi")));
    assert_eq!(keeper.send("GET", "/pet/1", json!(null)).await.json()["name"], "Rolfi");
    assert_eq!(keeper.send("GET", "/pet", json!(null)).await.status, 405, "the document has no list");
    assert_eq!(mock.send("POST", "/pet", &json!({"name": "x", "photoUrls": []})).await.status, 401);
    assert_eq!(keeper.send("DELETE", "/pet/1", json!(null)).await.status, 204);
    let gone = keeper.send("GET", "/pet/1", json!(null)).await;
    assert!(gone.status == 404 && gone.text("message").contains("there is no item \"1\""), "{gone:?}");

    let user = keeper.send("POST", "/user", json!({"username": "anna", "password": "hidden"})).await;
    assert_eq!(
        (user.status, &user.json()["password"]),
        (200, &Value::Null),
        "what is only written is not told: {user:?}"
    );
    assert_eq!(user.header("location"), Some("/user/anna"));
    assert_eq!(keeper.send("PUT", "/user/anna", json!({"username": "bert"})).await.status, 409);
}

once![each_has_their_own, things_live_and_die, runs_do_not_meet, a_document_says_what_a_collection_does];
