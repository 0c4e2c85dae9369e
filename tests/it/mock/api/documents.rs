//! What a document makes of requests: who may, what is taken, and what is answered.

use std::time::Instant;

use super::*;

/// Fails if an operation is open to somebody whom its document keeps out, or the refusal is another than a real API's.
async fn security_holds() {
    let mock = petstore("[[api.keys]]\nkey = \"special-key\"");
    let nobody = mock.get("/api/v3/pet/7").await;
    assert_eq!((nobody.status, nobody.text("error").as_str()), (401, "unauthorized"), "{nobody:?}");
    assert_eq!(nobody.header("www-authenticate"), Some(format!("Bearer realm=\"{}\"", mock.base).as_str()));
    assert_eq!(nobody.header("cache-control"), Some("no-store"));

    let reader = mock.token(&json!({"sub": "alice", "scope": "read:pets"})).await;
    let refused = get_as(&mock, &reader, "/api/v3/pet/7").await;
    assert_eq!((refused.status, refused.text("error").as_str()), (403, "insufficient_scope"), "{refused:?}");
    assert!(refused.header_or_empty("www-authenticate").contains("scope=\"write:pets read:pets\""), "{refused:?}");

    let token = keeper(&mock, "alice").await;
    assert_eq!(get_as(&mock, &token, "/api/v3/pet/7").await.status, 200);
    assert_eq!(get_as(&mock, &token, "/pet/7").await.status, 200, "without the base path, too");
    for (key, status) in [("special-key", 200), ("other-key", 401), ("", 401)] {
        let answer = Answer::of(mock.request("GET", "/pet/7").header("api_key", key)).await;
        assert_eq!(answer.status, status, "{key}: {answer:?}");
        let inventory = Answer::of(mock.request("GET", "/store/inventory").header("api_key", key)).await;
        assert_eq!(inventory.status, status, "{key}: {inventory:?}");
    }
    for defect in
        ["expired", "not_yet_valid", "wrong_issuer", "wrong_audience", "bad_signature", "unknown_key", "alg_none"]
    {
        let token = mock.token(&json!({"sub": "alice", "scope": "read:pets write:pets", "defect": defect})).await;
        let refused = get_as(&mock, &token, "/pet/7").await;
        assert_eq!((refused.status, refused.text("error").as_str()), (401, "invalid_token"), "{defect}: {refused:?}");
    }
    let any = petstore("");
    let known = Answer::of(any.request("GET", "/store/inventory").header("api_key", "whatever")).await;
    assert_eq!(known.status, 200, "no keys are configured: {known:?}");
}

/// Fails if a wrong request is taken, or told wrong.
async fn requests_are_checked() {
    let mock = petstore("");
    let token = keeper(&mock, "alice").await;
    let wrong = get_as(&mock, &token, "/pet/findByStatus?status=gone").await;
    assert!(wrong.status == 400 && wrong.json()["code"].is_string(), "in the form of the document: {wrong:?}");
    assert!(wrong.text("message").contains("query status: \"gone\" is not one of"), "{wrong:?}");
    assert_eq!(get_as(&mock, &token, "/pet/findByStatus?status=sold&status=sold").await.status, 400, "twice");
    let send = |media: &'static str, body: &'static str| {
        let request = mock.request("POST", "/pet").bearer_auth(&token).header("Content-Type", media);
        Answer::of(request.body(body))
    };
    assert_eq!(send("text/plain", "{}").await.status, 415);
    let broken = send("application/json", "{").await;
    assert!(broken.status == 400 && broken.body.contains("is no JSON"), "{broken:?}");
    let unfit = send("application/json", "{\"name\": 7, \"photoUrls\": [\"a\", null]}").await;
    let message = unfit.text("message");
    assert_eq!(unfit.status, 400);
    assert!(message.contains("body/name: 7 is not of type") && message.contains("body/photoUrls/1: null"), "{message}");
    assert_eq!(send("application/json", "{\"name\": \"Minka\", \"photoUrls\": []}").await.status, 201);

    // A document that says nothing of failures: RFC 9457.
    let document = "openapi: 3.1.0\npaths: {/a: {get: {parameters: [{name: n, in: query, required: true, schema: {type: integer}}], responses: {'200': {description: a}}}}}";
    let plain = Mock::with("[api]\ndocuments = [\"a.yaml\"]", &[("a.yaml", document)], &[]);
    let missing = plain.get("/a").await;
    assert_eq!(
        (missing.status, missing.header("content-type")),
        (400, Some("application/problem+json")),
        "{missing:?}"
    );
    assert_eq!(missing.json()["errors"], json!([{"in": "query", "name": "n", "detail": "is required"}]));
    let unchecked = Mock::with("[api]\ndocuments = [\"a.yaml\"]\nvalidate = false", &[("a.yaml", document)], &[]);
    assert_eq!(unchecked.get("/a").await.status, 200);
}

/// Fails if what is preferred or accepted is not what is answered.
async fn answers_as_they_are_wanted() {
    let mock = petstore("");
    let token = keeper(&mock, "alice").await;
    let ask = |path: &str, prefer: &str, accept: &str| {
        let request = mock.request("GET", path).bearer_auth(&token).header("Accept", accept);
        Answer::of(if prefer.is_empty() { request } else { request.header("Prefer", prefer) })
    };
    let example = ask("/pet/findByStatus", "", "*/*").await;
    assert_eq!(example.json()[0]["name"], "Minka");
    let none = ask("/pet/findByStatus", "example=none", "*/*").await;
    assert_eq!((none.json(), none.header("preference-applied")), (json!([]), Some("example=none")), "{none:?}");
    assert_eq!(ask("/pet/findByStatus", "example=nothing", "*/*").await.status, 400);
    let missing = ask("/pet/7", "code=404", "*/*").await;
    assert_eq!((missing.status, missing.header("preference-applied")), (404, Some("code=404")), "{missing:?}");
    assert!(missing.json()["message"].is_string(), "{missing:?}");
    assert_eq!(ask("/pet/7", "code=503", "*/*").await.status, 503, "by default");

    let pet = ask("/pet/7", "", "*/*").await;
    assert_eq!(pet.json()["id"], 7, "{pet:?}");
    assert_eq!(pet.body, ask("/pet/7", "", "*/*").await.body, "the same again");
    assert_ne!(pet.json()["photoUrls"], ask("/pet/8", "", "*/*").await.json()["photoUrls"]);
    let (one, other) = (ask("/pet/7", "dynamic=true", "*/*").await, ask("/pet/7", "dynamic=true", "*/*").await);
    assert_ne!(one.body, other.body, "something new each time");
    let again = petstore("");
    let same = keeper(&again, "alice").await;
    assert_eq!(get_as(&again, &same, "/pet/7").await.body, pet.body, "the same seed");

    let xml = ask("/pet/7", "", "application/xml;q=0.9, application/json;q=0.1").await;
    assert_eq!(
        (xml.header("content-type"), xml.body.as_str()),
        (Some("application/xml"), "<pet><id>1</id><name>Minka</name></pet>")
    );
    assert_eq!(ask("/pet/7", "", "image/png").await.status, 406);
    let text = ask("/user/login", "", "text/plain").await;
    assert!(text.status == 200 && !text.body.starts_with('"'), "{text:?}");
    assert!(text.header("x-expires-after").is_some_and(|time| time.ends_with('Z')), "{text:?}");
    assert!(text.header("x-rate-limit").is_some_and(|rate| rate.parse::<i32>().is_ok()), "{text:?}");
}

/// Fails if another method or path is answered, or nobody is told what is near.
async fn methods_and_paths() {
    let mock = petstore("");
    let wrong = mock.send("PATCH", "/store/order/1", &json!({})).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, DELETE, HEAD, OPTIONS")), "{wrong:?}");
    let options = Answer::of(mock.request("OPTIONS", "/user/login")).await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")), "{options:?}");
    let head = Answer::of(mock.request("HEAD", "/user/login")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
    assert_eq!(mock.send("DELETE", "/pet/findByStatus", &json!({})).await.status, 405, "and not DELETE /pet/{{petId}}");
    let near = mock.get("/store/ordr/1").await;
    assert_eq!(near.status, 404);
    assert!(near.text("detail").contains("the segment \"ordr\" differs from \"order\""), "{near:?}");
}

/// Fails if one odd detail of a document costs more than itself, or is not named at the start.
async fn b113_an_odd_detail_never_stops_the_mock() {
    let good = "/good: {get: {responses: {'200': {description: ok, content: {application/json: {schema: {type: object, \
                required: [a], properties: {a: {type: integer}}}}}}}}}";
    for (odd, path, says) in [
        (
            "/a: {get: {security: [{x: []}], responses: {'204': {description: ok}}}}",
            "/a",
            "a.yaml#/paths/~1a/get/security/0: there is no security scheme",
        ),
        ("/a: {$ref: 'b.yaml'}", "/good", "leads out of this file"),
        ("/a: {get: {responses: {'20': {}, '204': {description: ok}}}}", "/a", "a.yaml#/paths/~1a/get/responses: "),
        (
            "/a: {get: {parameters: [{name: q, in: nowhere}], responses: {'204': {description: ok}}}}",
            "/a?q=1",
            "must say in: path, query, header or cookie",
        ),
        (
            "/a: {get: {parameters: [{name: q, in: query, schema: {type: strng}}], responses: {'204': {description: ok}}}}",
            "/a?q=1",
            "a.yaml#/paths/~1a/get/parameters/0/schema/type: \"strng\" is no type",
        ),
        (
            "/a: {get: {parameters: [{name: q, in: query, schema: {$ref: '#/no'}}], responses: {'204': {description: ok}}}}",
            "/a?q=1",
            "\"#/no\" leads nowhere",
        ),
        ("/a: {get: nothing}", "/good", "a.yaml#/paths/~1a/get: must be an object; the operation is left out"),
        ("/a}: {get: {responses: {'204': {description: ok}}}}", "/good", "the path is left out"),
    ] {
        let document = format!("openapi: 3.1.0\npaths:\n  {good}\n  {odd}\n");
        let mock = Mock::with("[api]\ndocuments = [\"a.yaml\"]", &[("a.yaml", &document)], &[]);
        let remarks = mock.told["remarks"].to_string().replace("\\\"", "\"");
        assert!(remarks.contains(says), "{odd}: {remarks}");
        assert!([200, 204].contains(&mock.get(path).await.status), "{odd}");
        assert!(mock.get("/good").await.json()["a"].is_i64(), "{odd}");
    }
}

/// Fails if a parameter that no value can meet stops more than its own use.
async fn b113_an_empty_enum_is_met_by_nothing() {
    let document = "openapi: 3.1.0\npaths: {/a: {get: {parameters: [{name: q, in: query, schema: {type: integer, enum: []}}], \
                    responses: {'204': {description: ok}}}}}";
    let mock = Mock::with("[api]\ndocuments = [\"a.yaml\"]", &[("a.yaml", document)], &[]);
    assert_eq!((mock.get("/a").await.status, mock.get("/a?q=1").await.status), (204, 400));
}

/// Fails if what is made up does not fit the schema that it was made from.
async fn b114_b123_what_is_made_fits_its_schema() {
    let document = r##"{"openapi": "3.1.0", "paths": {
        "/pet": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {
            "oneOf": [{"$ref": "#/components/schemas/Cat"}], "discriminator": {"propertyName": "kind"}}}}}}}},
        "/password": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {
            "type": "string", "pattern": "^(?=.*[A-Z])(?=.*[0-9]).{8,12}$"}}}}}}},
        "/pair": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {
            "type": "string", "pattern": "^([ab])-\\1$"}}}}}}}},
        "components": {"schemas": {"Cat": {"type": "object", "required": ["kind"], "properties": {
            "kind": {"type": "string", "enum": ["cat"]}}}}}}"##;
    let mock = Mock::with("[api]\ndocuments = [\"a.json\"]", &[("a.json", document)], &[]);
    for _ in 0..8 {
        let made =
            async |path: &str| Answer::of(mock.request("GET", path).header("Prefer", "dynamic=true")).await.json();
        assert_eq!(made("/pet").await["kind"], "cat");
        let password = made("/password").await.as_str().expect("a text").to_owned();
        assert!((8..=12).contains(&password.len()), "{password}");
        assert!(
            password.chars().any(|c| c.is_ascii_uppercase()) && password.chars().any(|c| c.is_ascii_digit()),
            "{password}"
        );
        let pair = made("/pair").await;
        assert!(pair == "a-a" || pair == "b-b", "{pair}");
    }
}

/// Fails if an operation that describes no answers has none (OpenAPI 3.1), or is refused with half a sentence.
async fn b115_an_operation_without_responses_answers() {
    let document = "openapi: 3.1.0\npaths: {/a: {get: {}, post: {responses: {}}}}";
    let mock = Mock::with("[api]\ndocuments = [\"a.yaml\"]", &[("a.yaml", document)], &[]);
    for method in ["GET", "POST"] {
        let answer = Answer::of(mock.request(method, "/a")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{method}: {answer:?}");
    }
}

/// Fails if two paths that differ in their parameters' names alone are not told, or the second is never reached.
async fn b119_paths_that_cannot_be_told_apart() {
    let document = r#"{"openapi": "3.0.3", "paths": {
        "/c/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "required": true,
            "schema": {"type": "string", "format": "uuid"}}], "responses": {"204": {"description": "by id"}}}},
        "/c/{number}": {"get": {"parameters": [{"name": "number", "in": "path", "required": true,
            "schema": {"type": "string", "pattern": "^SB[0-9]+$"}}], "responses": {"202": {"description": "by number"}}}}}}"#;
    let mock = Mock::with("[api]\ndocuments = [\"a.json\"]", &[("a.json", document)], &[]);
    assert!(mock.told["remarks"].to_string().contains("GET /c/{id} and GET /c/{number}"), "{}", mock.told["remarks"]);
    for (path, status) in [("/c/SB2", 202), ("/c/0197c2f4-0000-7000-8000-000000000000", 204), ("/c/other", 400)] {
        assert_eq!(mock.get(path).await.status, status, "{path}");
    }
}

/// Fails if a documented answer that is not JSON has another type, or is refused.
async fn b121_answers_that_are_not_json() {
    let document = r#"{"openapi": "3.0.3", "paths": {"/a": {"get": {"responses": {"200": {"description": "ok", "content": {
        "application/json": {"schema": {"type": "object"}}, "application/xml": {"schema": {"type": "object"}},
        "application/pdf": {}, "text/csv": {"example": "a,b"}, "text/event-stream": {"schema": {"type": "string"}}}}}}},
        "/xml": {"get": {"responses": {"200": {"description": "ok", "content": {"application/xml": {}}}}}}}}"#;
    let mock = Mock::with("[api]\ndocuments = [\"a.json\"]", &[("a.json", document)], &[]);
    for (path, accept, expected) in [
        ("/a", "*/*", "application/json"),
        ("/a", "application/xml", "application/xml"),
        ("/a", "application/pdf", "application/pdf"),
        ("/a", "text/csv", "text/csv"),
        ("/a", "text/event-stream", "text/event-stream"),
        ("/xml", "*/*", "application/xml"),
    ] {
        let answer = Answer::of(mock.request("GET", path).header("Accept", accept)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(expected)), "{answer:?}");
    }
    let refused = Answer::of(mock.request("GET", "/a").header("Accept", "image/png")).await;
    assert!(refused.status == 406 && refused.text("detail").contains("application/pdf"), "{refused:?}");
}

/// Fails if a document that is none is used, or its place is not told.
async fn bad_documents_stop_the_start() {
    for (document, says) in [
        ("swagger: '2.0'", "a.yaml#/swagger: this is Swagger 2.0"),
        ("openapi: 3.1.0\npaths: []", "a.yaml#/paths: must be an object"),
        ("a: [", "a.yaml: "),
    ] {
        let log = Mock::try_start("[api]\ndocuments = [\"a.yaml\"]", &[("a.yaml", document)], &[], &[]);
        let log = log.err().unwrap_or_else(|| panic!("{document} was taken"));
        assert!(log.contains(says), "{log}");
    }
    for (config, says) in [
        ("[api]\ndocuments = [\"none.yaml\"]", "none.yaml"),
        ("[api]\ndocument = [\"a.yaml\"]", "did you mean `documents`"),
        ("[[api.routes]]\nmethod = \"FETCH\"\npath = \"/a\"", "there is no method "),
        ("[[api.routes]]\nmethod = \"GET\"\npath = \"a\"", "must begin with a slash"),
        ("[[api.overrides]]\noperation = \"nothing\"", "no document has it"),
        ("[api.collections.a]\npath = \"/a\"\nitems = [{ x = 1 }]", "item 0 has no id"),
    ] {
        let log = Mock::try_start(config, &[], &[], &[]).err().unwrap_or_else(|| panic!("{config} was taken"));
        assert!(log.contains(says), "{config}: {log}");
    }
}

/// Fails if the median of a loaded operation is above 2 ms.
async fn a_route_answers_within_two_milliseconds() {
    let mock = petstore("");
    let token = keeper(&mock, "alice").await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = mock.url("/api/v3/pet/7");
    let mut times = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        let answer = client.get(&url).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body");
        times.push(begun.elapsed());
    }
    times.sort();
    let median = times[times.len() / 2];
    println!(
        "mocked GET /pet/7: median {median:?}, p99 {:?}; resident {} KiB",
        times[times.len() * 99 / 100],
        mock.resident_kib()
    );
    // An unoptimised build takes a few times as long as what is shipped.
    let most = if cfg!(debug_assertions) { 20_000 } else { 2_000 };
    assert!(median.as_micros() < most, "{median:?}");
}

once![
    security_holds,
    requests_are_checked,
    answers_as_they_are_wanted,
    methods_and_paths,
    b113_an_odd_detail_never_stops_the_mock,
    b113_an_empty_enum_is_met_by_nothing,
    b114_b123_what_is_made_fits_its_schema,
    b115_an_operation_without_responses_answers,
    b119_paths_that_cannot_be_told_apart,
    b121_answers_that_are_not_json,
    bad_documents_stop_the_start,
    a_route_answers_within_two_milliseconds
];
