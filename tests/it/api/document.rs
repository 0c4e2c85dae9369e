//! The OpenAPI document is what is served.

use std::collections::BTreeSet;

use latchway::api::v1::ROUTES;
use serde_json::Value;

use crate::harness::*;

async fn document(server: &Server) -> Value {
    let answer = Answer::of(http().get(server.url("/api/v1/openapi.json"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header_or_empty("content-type").starts_with("application/json"), "{answer:?}");
    answer.json()
}

/// Method and path of everything that the document tells of.
fn told(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").keys().map(move |method| (method.clone(), path.clone()))
    });
    each.collect()
}

/// Every row of the route table is in the document, and the reverse; and every one is there over HTTP.
async fn document_and_routes_are_the_same(server: Shared) {
    let document = document(server).await;
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"), "{document}");
    let handlers = ROUTES.iter().flat_map(|route| route.handlers.iter().map(move |handler| (handler.verb, route.path)));
    let handlers: Vec<_> = handlers.map(|(verb, path)| (verb.as_str(), path)).collect();
    let routed = handlers.iter().map(|(method, path)| (method.to_lowercase(), (*path).to_owned()));
    assert_eq!(told(&document), routed.collect());
    for (method, path) in &handlers {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = Answer::of(http().request(method, server.url(path))).await;
        assert!(![404, 405, 500].contains(&answer.status), "{path}: {answer:?}");
        let other = Answer::of(http().delete(server.url(path))).await;
        let deletes = handlers.contains(&("DELETE", path));
        assert_eq!(other.status == 405, !deletes, "{path}: {other:?}");
    }
}

/// What is said of each operation: who may, what goes in, what comes out, what can go wrong.
async fn every_operation_is_described(server: Shared) {
    let document = document(server).await;
    let schemes = &document["components"]["securitySchemes"];
    let mut names = BTreeSet::new();
    for (method, path) in told(&document) {
        let name = document["paths"][&path][&method]["operationId"].as_str().expect("a name").to_owned();
        assert!(names.insert(name), "{method} {path} has the name of another operation");
        let operation = &document["paths"][&path][&method];
        for member in ["summary", "description", "tags", "responses", "security"] {
            assert!(!operation[member].is_null(), "{method} {path} has no {member}");
        }
        for requirement in operation["security"].as_array().expect("security") {
            for name in requirement.as_object().expect("names").keys() {
                assert!(!schemes[name].is_null(), "{path}: no security scheme {name}");
            }
        }
        if path.ends_with("openapi.json") {
            continue;
        }
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{path}");
        // Where a browser is sent it gets pages.
        if path == "/api/v1/forward-auth/login" {
            continue;
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('4')) {
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{path} {status}");
        }
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}

/// The example in the document is a request that the server takes for what it is.
async fn the_described_login_is_the_one_that_works(server: Shared) {
    let document = document(server).await;
    let schema = &document["components"]["schemas"]["LoginRequest"];
    assert_eq!(schema["additionalProperties"], Value::Bool(false), "{schema}");
    let mut body = serde_json::json!({});
    for (name, member) in schema["properties"].as_object().expect("members") {
        body[name] = member.get("example").or_else(|| member["examples"].get(0)).cloned().unwrap_or_default();
    }
    let answer = Answer::of(http().post(server.url("/api/v1/login")).json(&body)).await;
    assert_j(&answer, 401, "invalid_client");
    for name in schema["required"].as_array().expect("required") {
        let mut less = body.clone();
        less.as_object_mut().expect("an object").remove(name.as_str().expect("a name"));
        let answer = Answer::of(http().post(server.url("/api/v1/login")).json(&less)).await;
        assert_j(&answer, 400, "invalid_request");
        assert!(answer.text("error_description").contains(name.as_str().expect("a name")), "{answer:?}");
    }
}

both![document_and_routes_are_the_same, every_operation_is_described, the_described_login_is_the_one_that_works];
