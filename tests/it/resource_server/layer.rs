//! The guard as a layer of tower, and extractors inside an app of axum.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use axum::routing::get;
use http_body_util::{BodyExt, Either};
use latchway_resource_server::{Authorized, Claims, Introspection, MaybeClaims, ResourceMetadata, scope};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use super::guard::{Administrate, Read};
use super::issuer::{INTROSPECT, Issuer, Says};
use super::tests;

async fn caller(claims: Claims) -> String {
    claims.sub
}

async fn perhaps(MaybeClaims(claims): MaybeClaims) -> String {
    claims.map_or("unknown".to_owned(), |claims| claims.sub.clone())
}

async fn option(claims: Option<Claims>) -> String {
    claims.map_or("unknown".to_owned(), |claims| claims.sub)
}

async fn reader(caller: Authorized<Read>) -> String {
    caller.sub.clone()
}

async fn administrator(caller: Authorized<Administrate>) -> String {
    caller.sub.clone()
}

fn request<B: Default>(method: Method, path: &str, authorization: Option<&str>) -> Request<B> {
    let request = Request::builder().method(method).uri(path);
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    request.body(B::default()).expect("a request")
}

async fn answer(app: &Router, method: Method, path: &str, authorization: Option<&str>) -> Response<Body> {
    let Ok(response) = app.clone().call(request::<Body>(method, path, authorization)).await;
    response
}

async fn status(app: &Router, path: &str, authorization: Option<&str>) -> u16 {
    answer(app, Method::GET, path, authorization).await.status().as_u16()
}

async fn extractors_need_no_guard() {
    let issuer = Issuer::new();
    let server = issuer.api().build().expect("a server");
    let app = Router::new()
        .route("/caller", get(caller))
        .route("/perhaps", get(perhaps))
        .route("/option", get(option))
        .route("/reader", get(reader))
        .route("/administrator", get(administrator))
        .layer(server.layer());
    let token = format!("Bearer {}", issuer.token());
    for (path, alone, with_token, forged) in [
        ("/caller", 401, 200, 401),
        ("/perhaps", 200, 200, 401),
        ("/option", 200, 200, 401),
        ("/reader", 401, 200, 401),
        ("/administrator", 401, 403, 401),
    ] {
        assert_eq!(status(&app, path, None).await, alone, "{path} without");
        assert_eq!(status(&app, path, Some(&token)).await, with_token, "{path} with a token");
        assert_eq!(status(&app, path, Some("Bearer x.y.z")).await, forged, "{path} with a forged one");
        assert_eq!(status(&app, path, Some("Basic eDp5")).await, 401, "{path} with another scheme");
    }
    let refused = answer(&app, Method::GET, "/caller", None).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"https://api.example\"");
    assert_eq!(refused.headers()["content-type"], "application/json");
}

/// A handler that wants claims in an app without the server is a mistake of the developer's, and is not run.
async fn an_app_without_the_server_lets_nobody_in() {
    let issuer = Issuer::new();
    let app = Router::new().route("/caller", get(caller)).route("/option", get(option)).route("/reader", get(reader));
    let token = format!("Bearer {}", issuer.token());
    for path in ["/caller", "/option", "/reader"] {
        assert_eq!(status(&app, path, Some(&token)).await, 500, "{path}");
    }
}

/// What is good enough for one part of an API is looked at again where another part asks the issuer.
async fn a_stricter_guard_inside_looks_again() {
    let issuer = Issuer::new();
    let lenient = issuer.api().build().expect("a server");
    let introspection = Introspection::new("api", "secret").cache_for(Duration::ZERO);
    let strict = issuer.api().introspection(introspection).build().expect("a server");
    let outer = Router::new()
        .route("/lenient", get(caller).route_layer(lenient.require(scope("orders:read"))))
        .route("/strict", get(caller).route_layer(strict.require(scope("orders:read"))))
        .layer(lenient.authenticated());
    let app = Router::new().nest("/outer", outer).layer(lenient.layer());
    let token = format!("Bearer {}", issuer.token());
    issuer.says(INTROSPECT, Says::json(&json!({"active": false})));
    assert_eq!(status(&app, "/outer/lenient", Some(&token)).await, 200);
    assert_eq!(issuer.asked(INTROSPECT).len(), 0);
    assert_eq!(status(&app, "/outer/strict", Some(&token)).await, 401);
    assert_eq!(issuer.asked(INTROSPECT).len(), 1);
    assert_eq!(status(&app, "/outer/strict", None).await, 401);
}

/// RFC 9728 §3: at one path, for any page, and only to be read.
async fn the_metadata_are_served() {
    const PATH: &str = "/.well-known/oauth-protected-resource";
    let issuer = Issuer::new();
    let plain = issuer.api().build().expect("a server");
    let server = issuer.api().metadata(ResourceMetadata::new().name("Orders")).build().expect("a server");
    let app = Router::new().route("/caller", get(caller)).layer(server.layer());
    let found = answer(&app, Method::GET, PATH, None).await;
    assert_eq!(
        (found.status().as_u16(), &found.headers()["access-control-allow-origin"]),
        (200, &"*".parse().expect("a value"))
    );
    let body = found.into_body().collect().await.expect("a body").to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&document["resource"], &document["resource_name"]), (&json!("https://api.example"), &json!("Orders")));
    assert_eq!(answer(&app, Method::POST, PATH, None).await.status(), 404);
    assert_eq!(status(&app, "/.well-known/oauth-protected-resource/x", None).await, 404);
    assert_eq!(status(&Router::new().route("/", get(caller)).layer(plain.layer()), PATH, None).await, 404);
}

/// A service with a body type of its own, as tonic's services have one.
#[derive(Clone)]
struct Procedure;

impl Service<Request<()>> for Procedure {
    type Response = Response<&'static str>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(request.headers().contains_key("authorization"), "the guard let through a request without a token");
        ready(Ok(Response::new("done")))
    }
}

async fn the_layer_stands_before_any_service() {
    let issuer = Issuer::new();
    let server = issuer.api().build().expect("a server");
    let token = format!("Bearer {}", issuer.token());
    let mut guarded = server.require(scope("orders:read")).layer(Procedure);
    let Ok(answer) = guarded.call(request(Method::POST, "/orders.Orders/List", Some(&token))).await;
    assert!(matches!(answer.body(), Either::Left("done")), "{answer:?}");
    for (authorization, status) in [(None, 401), (Some("Bearer x.y.z"), 401)] {
        let Ok(answer) = guarded.call(request(Method::POST, "/orders.Orders/List", authorization)).await;
        assert_eq!(answer.status(), status);
        assert!(answer.headers().contains_key("www-authenticate"), "{answer:?}");
        assert!(matches!(answer.body(), Either::Right(_)), "{answer:?}");
    }
    let mut guarded = server.require(scope("orders:write")).layer(Procedure);
    let Ok(answer) = guarded.call(request(Method::POST, "/orders.Orders/Place", Some(&token))).await;
    assert_eq!(answer.status(), 403);
}

tests![
    extractors_need_no_guard,
    an_app_without_the_server_lets_nobody_in,
    a_stricter_guard_inside_looks_again,
    the_metadata_are_served,
    the_layer_stands_before_any_service,
];
