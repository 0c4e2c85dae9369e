//! Answers by who asks.

use super::*;

const ROUTES: &str = r#"
seed = 3
[api]
[[api.keys]]
key = "warehouse-key"
client = "warehouse"
scopes = ["reports:read"]

[[api.routes]]
method = "GET"
path = "/reports/{id}"
requires = { scope = "reports:read", header = "X-Tenant" }
[[api.routes.answers]]
when = { role = "admin" }
headers = { X-Report = "{{path.id}} of {{header.x-tenant}}" }
body = { id = "{{path.id}}", all = true, roles = "{{claims.roles}}", secret = 1, pages = [{ secret = 2, number = 1 }] }
[[api.routes.answers]]
when = { persona = "alice", query = { full = "yes" } }
body = { id = "{{path.id}}", who = "{{claims.persona}}", full = true }
[[api.routes.answers]]
when = { anonymous = false, path = { id = "7" } }
body = { id = "{{path.id}}", who = "{{claims.persona}}", unknown = "{{claims.nothing}}", lucky = "{{random.int 1 6}}", secret = 1 }

[[api.routes]]
method = "GET"
path = "/key"
requires = { api_key = true, scope = "reports:read" }
[[api.routes.answers]]
body = { client = "{{claims.client_id}}" }

[[api.routes]]
method = "POST"
path = "/tenants"
requires = { role = ["admin", "operator"] }
[[api.routes.answers]]
when = { body = { "tenant.name" = "taken" } }
status = 409
body = "taken"
[[api.routes.answers]]
when = { claim = { tenant = "acme" } }
status = 201
body = { name = "{{body.tenant.name}}", from = "acme" }

[[api.routes]]
method = "GET"
path = "/page"
[[api.routes.answers]]
file = "page.html"

[[api.routes]]
method = "DELETE"
path = "/nothing"

[[api.views]]
except = { role = "admin" }
hide = ["secret"]
"#;

fn routes() -> Mock {
    Mock::with(ROUTES, &[("page.html", "<p>It is {{now}}</p>")], &[])
}

async fn report(mock: &Mock, token: &str, path: &str) -> Answer {
    Answer::of(mock.request("GET", path).bearer_auth(token).header("X-Tenant", "acme")).await
}

/// Fails if an admin, a user and a stranger get the same, or one of them what is another's.
async fn answers_by_who_asks() {
    let mock = routes();
    let token = async |sub: &str| mock.token(&json!({"sub": sub, "scope": "reports:read"})).await;
    let (alice, bob) = (token("alice").await, token("bob").await);
    let all = report(&mock, &bob, "/reports/7").await;
    assert_eq!(
        all.json(),
        json!({"id": "7", "all": true, "roles": ["admin"], "secret": 1, "pages": [{"secret": 2, "number": 1}]}),
        "an admin sees everything"
    );
    assert_eq!(all.header("x-report"), Some("7 of acme"));
    let some = report(&mock, &alice, "/reports/7").await;
    let lucky = some.json()["lucky"].as_i64().expect("a number");
    assert_eq!(some.json(), json!({"id": "7", "who": "alice", "unknown": "", "lucky": lucky}), "and a user some of it");
    assert_eq!(report(&mock, &alice, "/reports/7").await.body, some.body);
    assert_eq!(
        report(&mock, &alice, "/reports/8?full=yes").await.json(),
        json!({"id": "8", "who": "alice", "full": true})
    );
    assert_eq!(report(&mock, &alice, "/reports/8").await.status, 404, "no answer is for this");

    let expired = mock.token(&json!({"sub": "bob", "scope": "reports:read", "defect": "expired"})).await;
    assert_eq!(report(&mock, &expired, "/reports/7").await.status, 401);
    assert_eq!(mock.get("/reports/7").await.status, 401);
    let narrow = mock.token(&json!({"sub": "bob", "scope": "other"})).await;
    let refused = report(&mock, &narrow, "/reports/7").await;
    assert_eq!((refused.status, refused.text("error").as_str()), (403, "insufficient_scope"));
    let headless = get_as(&mock, &bob, "/reports/7").await;
    assert_eq!(headless.status, 400);
    assert_eq!(headless.json()["errors"][0]["name"], "X-Tenant");
}

/// Fails if roles, claims, bodies and keys do not decide as they should.
async fn conditions_decide() {
    let mock = routes();
    let post = async |token: &str, name: &str| {
        let request = mock.request("POST", "/tenants").bearer_auth(token);
        Answer::of(request.json(&json!({"tenant": {"name": name}}))).await
    };
    let user = mock.token(&json!({"sub": "alice"})).await;
    assert_eq!(post(&user, "new").await.status, 403, "a user is no operator");
    let operator = mock.token(&json!({"sub": "carol", "roles": ["operator"], "claims": {"tenant": "acme"}})).await;
    let made = post(&operator, "new").await;
    assert_eq!((made.status, made.json()), (201, json!({"name": "new", "from": "acme"})));
    let taken = post(&operator, "taken").await;
    assert_eq!((taken.status, taken.body.as_str()), (409, "taken"));
    assert!(taken.header_or_empty("content-type").starts_with("text/plain"), "{taken:?}");

    let key = |key: &str| Answer::of(mock.request("GET", "/key").header("X-API-Key", key));
    assert_eq!(key("warehouse-key").await.json(), json!({"client": "warehouse"}));
    assert_eq!(key("another").await.status, 401);
    assert_eq!(mock.get("/key").await.status, 401);
    let page = mock.get("/page").await;
    assert!(page.is_html() && page.body.starts_with("<p>It is 20"), "{page:?}");
    assert_eq!(mock.send("DELETE", "/nothing", &Value::Null).await.status, 204);
}

/// Fails if an operation of a document cannot be answered by who asks.
async fn a_document_answers_by_who_asks() {
    let mock = petstore(
        r#"
[[api.overrides]]
operation = "findPetsByStatus"
[[api.overrides.answers]]
when = { role = "admin" }
body = [{ id = 1, name = "{{claims.persona}}'s", photoUrls = [], status = "{{query.status}}" }]
[[api.overrides.answers]]
when = { query = { status = "sold" } }
status = 404
[[api.overrides.answers]]
example = "none"
[[api.overrides]]
operation = "GET /pet/{petId}"
requires = { role = "admin" }
"#,
    );
    let (alice, bob) = (keeper(&mock, "alice").await, keeper(&mock, "bob").await);
    let ask = async |token: &str, path: &str| get_as(&mock, token, path).await;
    let admin = ask(&bob, "/pet/findByStatus?status=sold").await;
    assert_eq!(admin.json(), json!([{"id": 1, "name": "bob's", "photoUrls": [], "status": "sold"}]));
    let sold = ask(&alice, "/pet/findByStatus?status=sold").await;
    assert!(sold.status == 404 && sold.json()["message"].is_string(), "as the document has failures: {sold:?}");
    assert_eq!(ask(&alice, "/pet/findByStatus").await.json(), json!([]), "by its example");
    assert_eq!((ask(&alice, "/pet/7").await.status, ask(&bob, "/pet/7").await.status), (403, 200));
}

once![answers_by_who_asks, conditions_decide, a_document_answers_by_who_asks];
