//! Methods and cross-origin requests.

use reqwest::Method;

use super::*;

async fn preflight(server: &Server, path: &str, origin: &str, headers: &str) -> Answer {
    let request = http().request(Method::OPTIONS, server.url(path)).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", "GET");
    Answer::of(request.header("Access-Control-Request-Headers", headers)).await
}

/// The header names that an answer allows, in lower case.
fn allowed(answer: &Answer) -> Vec<String> {
    let list = answer.header_or_empty("access-control-allow-headers");
    list.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// Browser clients of MCP and tracing add headers of their own: documents that are public to everybody allow any, the
/// endpoints for registered apps the usual ones.
async fn b042_asked_headers(server: Shared) {
    let public =
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"];
    for path in public {
        for asked in ["mcp-protocol-version", "traceparent,x-requested-with", "X-Anything, authorization"] {
            let answer = preflight(server, path, "http://localhost:6274", asked).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")), "{answer:?}");
            for name in asked.split(',') {
                let name = name.trim().to_ascii_lowercase();
                assert!(allowed(&answer).contains(&name), "{path} allows {name}: {answer:?}");
            }
        }
        for hostile in ["x\u{1f}y", "\"x\"", "a b;c", &"x".repeat(2_000)] {
            let request = http().request(Method::OPTIONS, server.url(path)).header("Origin", "https://a.example");
            let request = request.header("Access-Control-Request-Method", "GET");
            let Ok(value) = reqwest::header::HeaderValue::from_str(hostile) else { continue };
            let answer = Answer::of(request.header("Access-Control-Request-Headers", value)).await;
            assert!(!answer.header_or_empty("access-control-allow-headers").contains(hostile), "{answer:?}");
        }
    }
    let origin = "https://spa-b042.example";
    Spec::public().redirect(&format!("{origin}/cb")).create(server);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo"] {
        let mut answer = preflight(server, path, origin, "mcp-protocol-version").await;
        // Registered origins are remembered for a second.
        while answer.header("access-control-allow-origin").is_none() && std::time::Instant::now() < deadline {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            answer = preflight(server, path, origin, "mcp-protocol-version").await;
        }
        for name in ["authorization", "content-type", "mcp-protocol-version", "traceparent", "x-requested-with"] {
            assert!(allowed(&answer).iter().any(|known| known == name), "{path} allows {name}: {answer:?}");
        }
        assert!(!allowed(&answer).iter().any(|name| name == "*" || name == "cookie"), "{answer:?}");
        let other = preflight(server, path, "https://other.example", "authorization").await;
        assert!(allowed(&other).is_empty() && !other.headers.contains_key("access-control-allow-origin"), "{other:?}");
    }
}

/// HEAD is answered as GET is, without the body (RFC 9110 §9.3.2), wherever GET is.
async fn b043_head_as_get(server: Shared) {
    let held = Client::confidential(server);
    let request = held.request();
    let code = Browser::new(server).grant(&User::new(server), &request).await.code();
    let access = held.redeem(&request, &code).await.text("access_token");
    for path in [
        "/",
        "/login",
        "/favicon.ico",
        "/device",
        "/account",
        "/logged-out",
        "/livez",
        "/readyz",
        "/oauth2/authorize",
        "/oauth2/userinfo",
        "/api/v1/me",
        "/api/v1/openapi.json",
        "/api/docs",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/nowhere",
        "/static/app.css",
    ] {
        let of = |method: Method| Answer::of(http().request(method, server.url(path)).bearer_auth(&access));
        let (get, head) = (of(Method::GET).await, of(Method::HEAD).await);
        assert_eq!(head.status, get.status, "{path}: {head:?}");
        assert!(head.body.is_empty(), "{path}: {head:?}");
        for name in ["content-type", "content-security-policy", "cache-control", "x-frame-options", "location"] {
            let same = name == "location" || head.header(name) == get.header(name);
            assert!(same && head.headers.contains_key(name) == get.headers.contains_key(name), "{path}: {name}");
        }
        // The connection goes on where it should: a body would be read as the next answer.
        let (host, port) = server.address();
        let one = format!("HEAD {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        let two = format!("GET /livez HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
        let text = server.raw(format!("{one}{two}").as_bytes()).text;
        assert_eq!(text.matches("HTTP/1.1 ").count(), 2, "{path}: {text}");
    }
    let metrics = server.metrics_url();
    let head = Answer::of(http().head(&metrics)).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
    // Where there is no GET there is no HEAD.
    for path in ["/oauth2/token", "/oauth2/introspect", "/login/switch", "/api/v1/login"] {
        let head = Answer::of(http().head(server.url(path))).await;
        assert_eq!(head.status, 405, "{path}: {head:?}");
        assert!(!head.header_or_empty("allow").contains("HEAD"), "{path}: {head:?}");
    }
}

/// RFC 9110 §15.5.6: a 405 names the methods that there are.
async fn f12_trace_names_the_methods(server: Shared) {
    let (host, port) = server.address();
    for (path, methods) in [("/", "GET, HEAD"), ("/oauth2/token", "POST"), ("/login", "GET, POST, HEAD")] {
        for method in ["TRACE", "PATCH", "HACK"] {
            let bytes = format!("{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
            let answer = server.raw(bytes.as_bytes());
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            let allow = answer
                .text
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("allow: ").map(str::to_owned));
            let mut named: Vec<String> =
                allow.unwrap_or_else(|| panic!("Allow: {}", answer.text)).split(", ").map(str::to_uppercase).collect();
            named.sort();
            let mut wanted: Vec<&str> = methods.split(", ").collect();
            wanted.sort_unstable();
            assert_eq!(named, wanted, "{method} {path}");
        }
    }
}

/// The API's document says what the server checks: bodies that may be left out are not null, names are one line, and what a
/// query must have is not empty.
async fn f12_document_says_what_is_checked(server: Shared) {
    let document = Browser::new(server).get("/api/v1/openapi.json").await.json();
    for path in ["/api/v1/logout", "/api/v1/api-keys/{id}/rotate"] {
        let body = &document["paths"][path]["post"]["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        assert!(schema["$ref"].is_string() && schema["oneOf"].is_null(), "{path}: {body}");
        assert_ne!(body["required"], true, "{path}: {body}");
    }
    let null = http().post(server.url("/api/v1/logout")).header("Content-Type", "application/json").body("null");
    assert_j(&Answer::of(null).await, 400, "invalid_request");
    let schemas = &document["components"]["schemas"];
    for (schema, member) in [
        ("LoginRequest", "username"),
        ("LoginRequest", "client_id"),
        ("LoginRequest", "password"),
        ("NewApiKey", "name"),
        ("NewApiKey", "scope"),
        ("RefreshRequest", "refresh_token"),
        ("LogoutRequest", "client_id"),
    ] {
        assert!(schemas[schema]["properties"][member]["pattern"].is_string(), "{schema}.{member}: {}", schemas[schema]);
    }
    assert_eq!(schemas["NewApiKey"]["properties"]["name"]["minLength"], 1);
    let parameters =
        document["paths"]["/api/v1/forward-auth/login"]["get"]["parameters"].as_array().expect("parameters");
    for parameter in parameters.iter().filter(|parameter| parameter["required"] == true) {
        assert!(parameter["schema"]["minLength"].as_i64() > Some(0), "{parameter}");
    }
}

both![f12_document_says_what_is_checked, b042_asked_headers, b043_head_as_get, f12_trace_names_the_methods];
