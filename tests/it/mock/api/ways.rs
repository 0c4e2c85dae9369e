//! Every way in that a document can ask for, and parameters in each style.

use super::*;

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: {title: Ways, version: '1'}
components:
  securitySchemes:
    basic: {type: http, scheme: Basic}
    query: {type: apiKey, in: query, name: key}
    cookie: {type: apiKey, in: cookie, name: door}
    header: {type: apiKey, in: header, name: X-Door}
    bearer: {type: http, scheme: bearer}
paths:
  /basic: {get: {security: [{basic: []}], responses: {'200': {description: in}}}}
  /query: {get: {security: [{query: []}], responses: {'200': {description: in}}}}
  /cookie: {get: {security: [{cookie: []}], responses: {'200': {description: in}}}}
  /both: {get: {security: [{header: [], bearer: []}], responses: {'200': {description: in}}}}
  /either: {get: {security: [{basic: []}, {query: []}], responses: {'200': {description: in}}}}
  /open: {get: {security: [{}, {bearer: []}], responses: {'200': {description: in}}}}
  /styles:
    get:
      parameters:
        - {name: filter, in: query, style: deepObject, explode: true, schema: {type: object, required: [from], properties: {from: {type: integer}, kind: {type: string, enum: [a, b]}}}}
        - {name: ids, in: query, style: form, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: words, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: string, maxLength: 3}}}
        - {name: X-Sizes, in: header, schema: {type: array, items: {type: integer}}}
        - {name: seen, in: cookie, schema: {type: boolean}}
      responses: {'200': {description: taken}}
"#;

fn ways(more: &str) -> Mock {
    let config = format!("[api]\ndocuments = [\"ways.yaml\"]\n{more}");
    Mock::with(&config, &[("ways.yaml", DOCUMENT)], &[])
}

const KNOWN: &str = r#"
[[api.keys]]
key = "door-key"
client = "doorman"
[[api.basic]]
username = "alice"
password = "secret"
"#;

/// Fails if a way in is open to somebody who does not have what it takes, or closed to somebody who has it.
async fn every_way_in() {
    let mock = ways(KNOWN);
    let basic = async |path: &str, name: &str, password: &str| {
        Answer::of(mock.request("GET", path).basic_auth(name, Some(password))).await
    };
    assert_eq!(basic("/basic", "alice", "secret").await.status, 200);
    for (name, password) in [("alice", "wrong"), ("bob", "secret"), ("", "")] {
        let refused = basic("/basic", name, password).await;
        assert_eq!(refused.status, 401, "{name}:{password}: {refused:?}");
        assert!(refused.header_or_empty("www-authenticate").starts_with("Basic realm="), "{refused:?}");
    }
    for (path, cookie, status) in [
        ("/query?key=door-key", "", 200),
        ("/query?key=other", "", 401),
        ("/query?key=", "", 401),
        ("/query?Key=door-key", "", 401),
        ("/query", "key=door-key", 401),
        ("/cookie", "a=b; door=door-key", 200),
        ("/cookie", "door=other", 401),
        ("/cookie?door=door-key", "", 401),
        ("/either?key=door-key", "", 200),
        ("/either", "", 401),
        ("/open", "", 200),
    ] {
        let answer = Answer::of(mock.request("GET", path).header("Cookie", cookie)).await;
        assert_eq!(answer.status, status, "{path} {cookie}: {answer:?}");
    }
    assert_eq!(basic("/either", "alice", "secret").await.status, 200);

    let token = mock.token(&json!({"sub": "alice"})).await;
    let both = async |key: &str, token: &str| {
        let request =
            mock.request("GET", "/both").header("X-Door", key).header("Authorization", format!("Bearer {token}"));
        Answer::of(request).await.status
    };
    assert_eq!(both("door-key", &token).await, 200);
    assert_eq!(both("door-key", "nonsense").await, 401, "one of two is not enough");
    assert_eq!(both("other", &token).await, 401);
    assert_eq!(get_as(&mock, "nonsense", "/open").await.status, 401, "nobody has to say who they are, but not falsely");
    // Whatever is in the document, what nobody configured lets everybody in who has something.
    let open = ways("");
    let anybody = Answer::of(open.request("GET", "/basic").basic_auth("anybody", Some("anything"))).await;
    assert_eq!((anybody.status, open.get("/basic").await.status), (200, 401));
    assert_eq!((open.get("/query?key=anything").await.status, open.get("/query").await.status), (200, 401));
}

/// Fails if a key that the mock itself has given does not open its API, or goes on to when it was revoked.
async fn a_key_of_the_mock() {
    let client = "[[clients]]\nid = \"ci\"\nsecret = \"secret\"\nscope = \"read api_keys\"\naudiences = [\"https://ways.example\"]\n";
    let mock = ways(&format!("audience = \"https://ways.example\"\n{KNOWN}{client}"));
    let request = mock.request("POST", "/oauth2/token").basic_auth("ci", Some("secret"));
    let form = [("grant_type", "client_credentials"), ("scope", "read api_keys")];
    let token = Answer::of(request.form(&form)).await.text("access_token");
    let body = json!({"name": "door", "scope": "read", "audience": ["https://ways.example"]}).to_string();
    let made = mock.request("POST", "/api/v1/api-keys").bearer_auth(&token);
    let made = Answer::of(made.header("Content-Type", "application/json").body(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (id, key) = (made.text("id"), made.text("api_key"));
    assert!(key.starts_with("lw_"), "{key}");
    assert_eq!(mock.get(&format!("/query?key={key}")).await.status, 200);
    let changed = format!("{}{}", &key[..key.len() - 1], if key.ends_with('a') { 'b' } else { 'a' });
    assert_eq!(mock.get(&format!("/query?key={changed}")).await.status, 401);
    let gone = mock.request("DELETE", &format!("/api/v1/api-keys/{id}")).bearer_auth(&token);
    assert_eq!(Answer::of(gone).await.status, 204);
    assert_eq!(mock.get(&format!("/query?key={key}")).await.status, 401);
}

/// Fails if what a document says of its scopes is not what people are asked, or their keys cannot have them.
async fn scopes_in_the_words_of_the_document() {
    let mock = petstore("");
    let known = mock.get("/.well-known/openid-configuration").await.json()["scopes_supported"].clone();
    for scope in ["openid", "read:pets", "write:pets"] {
        assert!(known.as_array().expect("a list").contains(&json!(scope)), "{known}");
    }
    let query = "response_type=code&client_id=shop&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcb&scope=openid%20read%3Apets\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&prompt=consent\
                 &login_hint=alice";
    let page = mock.browser().open(&mock.url(&format!("/oauth2/authorize?{query}"))).await;
    assert!(page.body.contains("Read your pets"), "{page:?}");

    let token = mock.token(&json!({"sub": "alice", "scope": "api_keys read:pets write:pets"})).await;
    let body = json!({"name": "shop", "scope": "read:pets write:pets", "audience": [mock.base]}).to_string();
    let made = mock.request("POST", "/api/v1/api-keys").bearer_auth(&token);
    let made = Answer::of(made.header("Content-Type", "application/json").body(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let pet = mock.request("GET", "/pet/7").header("api_key", made.text("api_key"));
    assert_eq!(Answer::of(pet).await.status, 200);
}

/// Fails if a parameter is read otherwise than its style says.
async fn parameters_in_every_style() {
    let mock = ways("");
    for (query, header, cookie, fault) in [
        ("filter[from]=3&filter[kind]=a&ids=1,2,3&words=one%7Ctwo", "1,2", "seen=true", ""),
        ("filter%5Bfrom%5D=3", "", "", ""),
        ("", "", "", ""),
        ("filter[kind]=a", "", "", "from"),
        ("filter[from]=many", "", "", "filter"),
        ("filter[from]=3&filter[kind]=c", "", "", "filter"),
        ("ids=1,two", "", "", "ids"),
        ("words=one%7Clonger", "", "", "words"),
        ("", "1,x", "", "X-Sizes"),
        ("", "", "seen=perhaps", "seen"),
    ] {
        let mut request = mock.request("GET", &format!("/styles?{query}"));
        if !header.is_empty() {
            request = request.header("X-Sizes", header);
        }
        if !cookie.is_empty() {
            request = request.header("Cookie", cookie);
        }
        let answer = Answer::of(request).await;
        if fault.is_empty() {
            assert_eq!(answer.status, 200, "{query} {header} {cookie}: {answer:?}");
        } else {
            assert!(answer.status == 400 && answer.body.contains(fault), "{query} {header} {cookie}: {answer:?}");
        }
    }
}

once![every_way_in, a_key_of_the_mock, scopes_in_the_words_of_the_document, parameters_in_every_style];
