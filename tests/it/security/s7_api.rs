//! 7 Transport, at `/api/v1`: what is no request that it takes.

use reqwest::Method;
use serde_json::json;

use crate::harness::*;

const POSTS: [&str; 3] = ["/api/v1/login", "/api/v1/token/refresh", "/api/v1/logout"];

async fn post(server: &Server, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::of(http().post(server.url(path)).header("Content-Type", kind).body(body)).await
}

async fn g_003_bodies_at_the_api(server: Shared) {
    for path in POSTS {
        let body = |length: usize| format!(r#"{{"client_id":"{}"}}"#, "x".repeat(length));
        let fits = post(server, path, "application/json", body(4_000)).await;
        assert!([204, 400, 401].contains(&fits.status), "{fits:?}");
        for length in [4_090, 100_000] {
            assert_j(&post(server, path, "application/json", body(length)).await, 413, "payload_too_large");
        }
        for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-16", "json", ""]
        {
            assert_j(&post(server, path, kind, body(10)).await, 415, "unsupported_media_type");
        }
        let packed = http().post(server.url(path)).header("Content-Encoding", "gzip").json(&json!({}));
        assert_j(&Answer::of(packed).await, 415, "unsupported_media_type");
        assert_j(&Answer::of(http().post(server.url(path)).body("{}")).await, 415, "unsupported_media_type");
        let utf8 = post(server, path, "Application/JSON; charset=\"UTF-8\"", body(10)).await;
        assert!([204, 400, 401].contains(&utf8.status), "{utf8:?}");
    }
    // In chunks, without a length.
    let mut request = String::from("POST /api/v1/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    request.push_str("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    request.push_str(&format!("400\r\n{}\r\n", " ".repeat(1024)).repeat(10));
    request.push_str("0\r\n\r\n");
    let answer = server.raw(request.as_bytes());
    assert!(answer.status == 413 && answer.text.contains("\"payload_too_large\""), "{answer:?}");
}

async fn g_006_methods_at_the_api(server: Shared) {
    for path in POSTS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = http().request(method, server.url(path)).header("X-HTTP-Method-Override", "POST");
            let answer = Answer::of(request.json(&json!({}))).await;
            assert_j(&answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("POST"), "{answer:?}");
        }
    }
    let overridden = http().post(server.url("/api/v1/me")).header("X-HTTP-Method-Override", "GET");
    assert_j(&Answer::of(overridden).await, 405, "method_not_allowed");
}

async fn g_009_paths_at_the_api(server: Shared) {
    for path in [
        "//api/v1/me",
        "/api//v1/me",
        "/api/v1/me/",
        "/api/v1/ME",
        "/api/v1/me;x=1",
        "/api/v1/me%2f",
        "/api/v1/..;/me",
        "/api/v1",
        "/api/v1/",
        "/api/v2/me",
        "/api/me",
        "/api/v01/me",
    ] {
        let answer = server.raw_get(path.as_bytes());
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.text.contains("<html") != path.starts_with("/api/"), "{path}: {answer:?}");
    }
}

/// No other origin reads or sends anything here, least of all with cookies.
async fn g_010_cors_at_the_api(server: Shared) {
    let spa = Spec::public().redirect("https://spa.example/cb").flags(&["--first-party", "--application-type", "web"]);
    spa.create(server);
    for path in [POSTS[0], POSTS[1], POSTS[2], "/api/v1/me", "/api/v1/openapi.json"] {
        for origin in ["https://spa.example", "https://evil.example", "null", server.issuer.as_str()] {
            let preflight = http().request(Method::OPTIONS, server.url(path)).header("Origin", origin);
            let preflight = preflight.header("Access-Control-Request-Method", "POST");
            let preflight = Answer::of(preflight.header("Access-Control-Request-Headers", "content-type")).await;
            assert_eq!(preflight.status, 405, "{preflight:?}");
            let plain = Answer::of(http().get(server.url(path)).header("Origin", origin)).await;
            for answer in [preflight, plain] {
                let told = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
                assert!(!told, "{origin} at {path}: {answer:?}");
            }
        }
    }
}

async fn g_011_g_018_headers_at_the_api(server: Shared) {
    let app = FirstParty::native(server);
    let tokens = app.login(&User::new(server)).await;
    let answers = [
        app.me(&tokens.text("access_token")).await,
        app.try_login("nobody", "wrong").await,
        app.me("x").await,
        app.logout(&tokens.text("refresh_token")).await,
        Answer::of(http().get(server.url("/api/v1/login"))).await,
        Answer::of(http().get(server.url("/api/v1/nothing"))).await,
        post(server, "/api/v1/login", "text/plain", "{}").await,
        post(server, "/api/v1/login", "application/json", "x".repeat(10_000)).await,
        tokens,
    ];
    for answer in answers {
        assert_no_store(&answer);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
        assert!(answer.header_or_empty("content-security-policy").contains("default-src 'none'"), "{answer:?}");
    }
}

/// Bad input gets an error that names the member, and never a failure of the server.
async fn g_014_broken_json_at_the_api(server: Shared) {
    let app = FirstParty::native(server);
    let id = &app.client.id;
    let with = |more: &str| format!(r#"{{"client_id":"{id}","username":"a","password":"b"{more}}}"#);
    for (body, named) in [
        (with(r#","admin":true"#), "admin"),
        (with(r#","username":"c""#), "username"),
        (with(r#","password":"c""#), "password"),
        (with(r#","scope":["a"]"#), "scope"),
        (with(r#","resource":7"#), "resource"),
        (with(r#","resource":["a",7]"#), "resource"),
        (with(r#","__proto__":{}"#), "__proto__"),
        (format!(r#"{{"client_id":"{id}","username":"a"}}"#), "password"),
        (format!(r#"{{"client_id":["{id}"],"username":"a","password":"b"}}"#), "client_id"),
        (format!(r#"{{"client_id":"{id}","username":null,"password":"b"}}"#), "username"),
        (format!(r#"{{"client_id":"{id}","username":"a","password":99999999999999999999999999}}"#), "password"),
        (format!(r#"{{"client_id":"{id}","username":"a\u0000","password":"b"}}"#), "username"),
        (r#"["a","b","c"]"#.to_owned(), "object"),
        ("[".repeat(4_000), "object"),
        (format!(r#"{{"client_id":{}"#, "[".repeat(4_000)), "client_id"),
        (format!(r#"{{"client_id":"{id}","username":"\ud800","password":"b"}}"#), "JSON"),
        (format!(r#"{{"client_id":"{id}","username":"a","password":"b"}}{{}}"#), "follows"),
        (String::new(), "object"),
        ("null".to_owned(), "object"),
        ("\u{feff}{}".to_owned(), "object"),
    ] {
        let answer = post(server, "/api/v1/login", "application/json", body.clone()).await;
        assert_j(&answer, 400, "invalid_request");
        assert!(answer.text("error_description").contains(named), "{named} in {answer:?} to {body}");
    }
    for bytes in [&b"{\"client_id\":\"\xff\xfe\"}"[..], b"\xef\xbb\xbf{}", b"{\"client_id\":\"\xed\xa0\x80\"}"] {
        assert_j(&post(server, "/api/v1/login", "application/json", bytes.to_vec()).await, 400, "invalid_request");
    }
    for path in POSTS {
        let in_url = http().post(server.url(&format!("{path}?client_id={id}"))).json(&json!({"client_id": id}));
        assert_j(&Answer::of(in_url).await, 400, "invalid_request");
        let unknown = post(server, path, "application/json", r#"{"extra":1}"#).await;
        assert_j(&unknown, 400, "invalid_request");
        assert!(unknown.text("error_description").contains("extra"), "{unknown:?}");
    }
    // Names that no database takes.
    for id in ["\\u0000", "%00", "' OR 1=1 --", "../x"] {
        let body = format!(r#"{{"client_id":"{id}","username":"a","password":"b"}}"#);
        let answer = post(server, "/api/v1/login", "application/json", body).await;
        assert!([400, 401].contains(&answer.status), "{answer:?}");
    }
}

both![
    g_003_bodies_at_the_api,
    g_006_methods_at_the_api,
    g_009_paths_at_the_api,
    g_010_cors_at_the_api,
    g_011_g_018_headers_at_the_api,
    g_014_broken_json_at_the_api,
];
