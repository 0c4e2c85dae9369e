//! Guards and extractors inside an app of actix-web, and a guard without a framework.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, web};
use latchway_resource_server::{
    Authorized, Claims, Decision, Introspection, MaybeClaims, Policy, Refused, RequestHead, Requirement,
    ResourceMetadata, role, scope,
};
use serde_json::json;

use super::issuer::{INTROSPECT, Issuer, Says};
use super::tests;

pub(super) struct Read;

impl Policy for Read {
    fn requirement() -> Requirement {
        scope("orders:read")
    }
}

pub(super) struct Administrate;

impl Policy for Administrate {
    fn requirement() -> Requirement {
        role("admin")
    }
}

async fn whoever(claims: Claims) -> String {
    claims.sub
}

async fn perhaps(MaybeClaims(claims): MaybeClaims) -> String {
    claims.map_or("nobody".to_owned(), |claims| claims.sub.clone())
}

async fn reader(caller: Authorized<Read>) -> String {
    caller.sub.clone()
}

async fn administrator(caller: Authorized<Administrate>) -> String {
    caller.sub.clone()
}

fn request(path: &str, authorization: Option<&str>) -> TestRequest {
    let request = TestRequest::with_uri(path);
    match authorization {
        Some(value) => request.insert_header((AUTHORIZATION, value)),
        None => request,
    }
}

/// The status of the answer. What a handler's parameter refuses is an error until the server makes an answer of it.
async fn status<S, R, B>(app: &S, request: R) -> u16
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    match app.call(request).await {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    }
}

async fn extractors_need_no_guard() {
    let issuer = Issuer::new();
    let server = issuer.api().build().expect("a server");
    let app = App::new()
        .configure(server.routes())
        .route("/whoever", web::get().to(whoever))
        .route("/perhaps", web::get().to(perhaps))
        .route("/reader", web::get().to(reader))
        .route("/administrator", web::get().to(administrator));
    let app = init_service(app).await;
    let token = format!("Bearer {}", issuer.token());
    for (path, alone, with_token, forged) in [
        ("/whoever", 401, 200, 401),
        ("/perhaps", 200, 200, 401),
        ("/reader", 401, 200, 401),
        ("/administrator", 401, 403, 401),
    ] {
        assert_eq!(status(&app, request(path, None).to_request()).await, alone, "{path} without");
        assert_eq!(status(&app, request(path, Some(&token)).to_request()).await, with_token, "{path} with a token");
        assert_eq!(
            status(&app, request(path, Some("Bearer x.y.z")).to_request()).await,
            forged,
            "{path} with a forged one"
        );
        assert_eq!(
            status(&app, request(path, Some("Basic eDp5")).to_request()).await,
            401,
            "{path} with another scheme"
        );
    }
}

/// A handler that wants claims in an app without the server is a mistake of the developer's, and runs for nobody.
async fn an_app_without_the_server_lets_nobody_in() {
    let issuer = Issuer::new();
    let app = App::new().route("/whoever", web::get().to(whoever)).route("/reader", web::get().to(reader));
    let app = init_service(app).await;
    let token = format!("Bearer {}", issuer.token());
    for path in ["/whoever", "/reader"] {
        assert_eq!(status(&app, request(path, Some(&token)).to_request()).await, 500, "{path}");
    }
}

/// What is good enough for one part of an API is looked at again where another part asks the issuer.
async fn a_stricter_guard_inside_looks_again() {
    let issuer = Issuer::new();
    let lenient = issuer.api().build().expect("a server");
    let introspection = Introspection::new("api", "secret").cache_for(Duration::ZERO);
    let strict = issuer.api().introspection(introspection).build().expect("a server");
    let app = App::new().configure(lenient.routes()).service(
        web::scope("/outer")
            .wrap(lenient.authenticated())
            .route("/lenient", web::get().to(whoever).wrap(lenient.require(scope("orders:read"))))
            .route("/strict", web::get().to(whoever).wrap(strict.require(scope("orders:read")))),
    );
    let app = init_service(app).await;
    let token = format!("Bearer {}", issuer.token());
    issuer.says(INTROSPECT, Says::json(&json!({"active": false})));
    assert_eq!(status(&app, request("/outer/lenient", Some(&token)).to_request()).await, 200);
    assert_eq!(issuer.asked(INTROSPECT).len(), 0);
    assert_eq!(status(&app, request("/outer/strict", Some(&token)).to_request()).await, 401);
    assert_eq!(issuer.asked(INTROSPECT).len(), 1);
    assert_eq!(status(&app, request("/outer/strict", None).to_request()).await, 401);
}

/// Without a framework: the head of a request in, the answer as data out.
async fn a_decision_is_data() {
    let issuer = Issuer::new();
    let server = issuer.api().metadata(ResourceMetadata::new().name("Orders")).build().expect("a server");
    let guard = server.require(scope("orders:read"));
    let token = format!("Bearer {}", issuer.token());
    let request = RequestHead::new("GET", "/orders?page=2");
    match guard.decide(request.clone().header("Authorization", &token)).await {
        Decision::Allowed(claims) => assert_eq!(claims.sub, "anna"),
        Decision::Refused(refused) => panic!("{refused:?}"),
    }
    let header = |refused: &Refused, name: &str| {
        refused.headers().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap_or_default()
    };
    for (guard, request, status, challenge) in [
        (&guard, request.clone(), 401, "Bearer realm=\"https://api.example\", resource_metadata="),
        (&guard, request.clone().header("authorization", "Bearer x.y.z"), 401, "error=\"invalid_token\""),
        (
            &guard,
            request.clone().header("AUTHORIZATION", &token).header("x", &token).header("authorization", "x"),
            400,
            "error=",
        ),
        (&guard, RequestHead::new("GET", "/?access_token=x"), 400, "error=\"invalid_request\""),
        (&server.require(scope("other")), request.header("authorization", &token), 403, "scope=\"other\""),
    ] {
        let Decision::Refused(refused) = guard.decide(request).await else { panic!("let through") };
        assert_eq!(refused.status(), status, "{refused:?}");
        assert!(header(&refused, "www-authenticate").contains(challenge), "{refused:?}");
        let types = (header(&refused, "content-type"), header(&refused, "cache-control"));
        assert_eq!(types, ("application/json".to_owned(), "no-store".to_owned()));
        let body: serde_json::Value = serde_json::from_str(&refused.body()).expect("JSON");
        assert!(body["error"].is_string() && body["error_description"].is_string(), "{body}");
    }
    let document = server.metadata().expect("metadata");
    assert_eq!(document.path(), "/.well-known/oauth-protected-resource");
    assert!(document.body().contains("\"resource_name\":\"Orders\""), "{document:?}");
}

tests![
    extractors_need_no_guard,
    an_app_without_the_server_lets_nobody_in,
    a_stricter_guard_inside_looks_again,
    a_decision_is_data,
];
