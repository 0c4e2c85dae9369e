//! Every row at a running server: methods, errors, CORS, rate limits, bodies, metrics.

use latchway::http::routes::all;
use latchway::route::{Cors, ErrorFormat, HostPolicy, Modes, RateLimitGroup, Route, Verb};
use reqwest::Method;

use super::table::sample;
use crate::harness::*;

const VERBS: &[Verb] = &[Verb::Get, Verb::Post, Verb::Put, Verb::Delete];
const ORIGIN: &str = "https://route-walk.example";

/// The rows that exist in one mode only, or in all.
fn rows(modes: Modes) -> Vec<&'static Route> {
    let rows: Vec<_> = all().filter(|route| route.modes == modes).collect();
    assert!(!rows.is_empty());
    rows
}

async fn send(base: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = http().request(method, format!("{base}{path}"));
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// An error in the format of its row.
fn assert_format(route: &Route, answer: &Answer, code: &str) {
    match route.errors {
        ErrorFormat::Json => assert_j(answer, answer.status, code),
        ErrorFormat::Page => assert!(answer.is_html(), "{} answers with a page: {answer:?}", route.path),
    }
}

/// The methods of `Allow`, sorted.
fn allowed(list: &str) -> Vec<&str> {
    let mut methods: Vec<&str> = list.split(", ").collect();
    methods.sort_unstable();
    methods
}

/// The listed methods have a handler, `HEAD` is `GET` without its body, and all others are refused with the list.
async fn walk_methods(base: &str, route: &Route) {
    let path = sample(route.path);
    for verb in VERBS {
        let answer = send(base, verb.as_str(), &path, &[]).await;
        if route.handlers.iter().any(|handler| handler.verb == *verb) {
            assert!(answer.status != 405 && answer.status < 500, "{} {path}: {answer:?}", verb.as_str());
            assert!(answer.status != 404 || path != route.path, "{} {path}: {answer:?}", verb.as_str());
        } else {
            assert_eq!(answer.status, 405, "{} {path}: {answer:?}", verb.as_str());
            assert_eq!(allowed(answer.header_or_empty("allow")), allowed(&route.allow()), "{path}: {answer:?}");
            assert_format(route, &answer, "method_not_allowed");
        }
    }
    let head = send(base, "HEAD", &path, &[]).await;
    assert!(head.body.is_empty(), "HEAD {path}: {head:?}");
    if route.handlers.iter().any(|handler| handler.verb == Verb::Get) {
        let get = send(base, "GET", &path, &[]).await;
        assert_eq!(head.status, get.status, "HEAD {path}: {head:?}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "HEAD {path}: {head:?}");
    } else {
        assert_eq!(head.status, 405, "HEAD {path}: {head:?}");
        assert!(!head.header_or_empty("allow").contains("HEAD"), "HEAD {path}: {head:?}");
    }
}

/// Which origins a preflight lets in, with which methods; and what the answer says of its host.
async fn walk_origins(base: &str, route: &Route) {
    let path = sample(route.path);
    let method = route.handlers[0].verb.as_str();
    let asking = |origin| [("Origin", origin), ("Access-Control-Request-Method", method)];
    let of = |answer: &Answer, name: &str| answer.header(name).map(str::to_owned);
    for origin in [ORIGIN, "https://other.example", "null"] {
        let preflight = send(base, "OPTIONS", &path, &asking(origin)).await;
        let allow = match route.cors {
            Cors::Public => Some("*"),
            Cors::RegisteredOrigins if origin == ORIGIN => Some(ORIGIN),
            Cors::RegisteredOrigins | Cors::Deny => None,
        };
        assert_eq!(preflight.status, if route.cors == Cors::Deny { 405 } else { 204 }, "{path}: {preflight:?}");
        assert_eq!(preflight.header("access-control-allow-origin"), allow, "{path} for {origin}: {preflight:?}");
        let methods = allow.map(|_| route.methods());
        assert_eq!(of(&preflight, "access-control-allow-methods"), methods, "{path} for {origin}: {preflight:?}");
    }
    let answer = send(base, method, &path, &[]).await;
    let policy = match (route.host, route.cors) {
        (HostPolicy::AppHosts, _) => None,
        (HostPolicy::Issuer, Cors::Deny) => Some("same-origin"),
        (HostPolicy::Issuer, _) => Some("cross-origin"),
    };
    assert_eq!(answer.header("cross-origin-resource-policy"), policy, "{path}: {answer:?}");
    let named = answer.header_or_empty("ratelimit-policy");
    match route.rate_limit {
        Some(group) => assert!(named.starts_with(&format!("\"{group}-address\"")), "{path}: {answer:?}"),
        None => assert_eq!(named, "", "{path}: {answer:?}"),
    }
}

/// A body that is one byte too long is refused before a handler sees it; one of the largest size is not.
async fn walk_bodies(base: &str, route: &Route) {
    let path = sample(route.path);
    for handler in route.handlers.iter().filter(|handler| matches!(handler.verb, Verb::Post | Verb::Put)) {
        let method = Method::from_bytes(handler.verb.as_str().as_bytes()).expect("a method");
        let of =
            |size: usize| Answer::of(http().request(method.clone(), format!("{base}{path}")).body("x".repeat(size)));
        let (fits, large) = (of(route.body_limit).await, of(route.body_limit + 1).await);
        assert!(![413, 500].contains(&fits.status), "{path}: {fits:?}");
        assert_eq!(large.status, 413, "{path}: {large:?}");
        assert_format(route, &large, "payload_too_large");
    }
}

/// All rows of a server in production, with a limit for each group.
async fn route_walk(db: Db) {
    let limits: Vec<String> = RateLimitGroup::ALL
        .iter()
        .map(|group| format!("limits.{}_per_address", group.as_str().replace('-', "_")))
        .collect();
    let contact = ("server.security_contact", "security@example.com");
    let config: Vec<(&str, &str)> = limits.iter().map(|key| (key.as_str(), "900000/1h")).chain([contact]).collect();
    let server = Server::start(db, &config);
    let base = &server.issuer;
    Spec::public().redirect(&format!("{ORIGIN}/cb")).create(&server);
    for route in rows(Modes::All) {
        walk_methods(base, route).await;
        walk_origins(base, route).await;
        walk_bodies(base, route).await;
        // An escape is the letter that it stands for, to the router and to all that the row decides.
        if let Some(last) = route.path.chars().last().filter(char::is_ascii_alphabetic) {
            let escaped = format!("{}%{:02X}", &route.path[..route.path.len() - 1], u32::from(last));
            let method = route.handlers[0].verb.as_str();
            let (plain, other) = (send(base, method, route.path, &[]).await, send(base, method, &escaped, &[]).await);
            assert_eq!(other.status, plain.status, "{escaped}: {other:?}");
            let limit = |answer: &Answer| answer.header_or_empty("ratelimit-policy").to_owned();
            assert_eq!(limit(&other), limit(&plain), "{escaped}: {other:?}");
        }
    }
    for route in rows(Modes::Dev).into_iter().chain(rows(Modes::Mock)) {
        let answer = send(base, route.handlers[0].verb.as_str(), &sample(route.path), &[]).await;
        assert_eq!(answer.status, 404, "{} is of another mode: {answer:?}", route.path);
    }
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    for route in rows(Modes::All) {
        let series = format!("latchway_http_request_seconds_count{{route=\"{}\"", route.label);
        assert!(metrics.contains(&series), "no series of {}: {metrics}", route.label);
    }
    let others = metrics.lines().filter(|line| line.starts_with("latchway_http_request_seconds_count{route=\"other\""));
    assert_eq!(others.count(), 1, "only what has no row, which is not found, has the label other: {metrics}");
}

/// The rows that exist in development mode only.
async fn route_walk_in_dev() {
    let server = Server::start_dev(Db::Sqlite);
    for route in rows(Modes::Dev) {
        walk_methods(&server.issuer, route).await;
    }
}

/// The rows of a mock. Its own layer answers for CORS, and it has no limits.
async fn route_walk_in_mock() {
    let mock = Mock::start("");
    for route in rows(Modes::Mock) {
        walk_methods(&mock.base, route).await;
    }
    // What controls a mock may be longer than what a server in production takes.
    let padding = " ".repeat(20_000);
    let rules = mock.request("PUT", "/mock/rules").header("Content-Type", "application/json");
    let rules = Answer::of(rules.body(format!("[]{padding}"))).await;
    assert_eq!(rules.status, 200, "{rules:?}");
    let login = Answer::of(mock.request("POST", "/mock/login").body(padding)).await;
    assert_eq!(login.status, 413, "{login:?}");
    let about = mock.get("/mock").await.json();
    assert_eq!(about["control"][1]["methods"], "GET, PUT, POST, DELETE", "{about}");
}

both![route_walk];
once![route_walk_in_dev, route_walk_in_mock];
