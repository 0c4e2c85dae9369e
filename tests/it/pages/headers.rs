//! What goes with every answer, and the files at fixed paths.

use crate::harness::*;

async fn get(server: &Server, path: &str) -> Answer {
    Answer::of(http().get(server.url(path))).await
}

/// Fails if an issuer at the apex of a domain forces https on all of it without being told to.
async fn p20_hsts_is_for_this_host_alone(db: Db) {
    let server = Server::start(db, &[("server.issuer", "https://id.example")]);
    let of = |answer: &Answer| answer.header_or_empty("strict-transport-security").to_owned();
    for path in ["/login", "/nowhere", "/.well-known/jwks.json", "/oauth2/userinfo", "/static/app.css"] {
        assert_eq!(of(&get(&server, path).await), "max-age=31536000", "{path}");
    }
    // At the host of an app, also where the request is gone by then.
    assert_eq!(of(&get(&server, "/api/v1/forward-auth").await), "");
    let server =
        Server::start(db, &[("server.issuer", "https://id.example"), ("server.hsts_include_subdomains", "true")]);
    assert_eq!(of(&get(&server, "/login").await), "max-age=31536000; includeSubDomains");
}

/// Fails if a page of elsewhere can load what is not for it, or cannot read what is.
async fn u19_policies_of_each_answer(server: Shared) {
    for (path, policy) in [
        ("/login", "same-origin"),
        ("/account", "same-origin"),
        ("/static/app.css", "same-origin"),
        ("/api/v1/me", "same-origin"),
        ("/nowhere", "same-origin"),
        ("/.well-known/jwks.json", "cross-origin"),
        ("/.well-known/openid-configuration", "cross-origin"),
        ("/.well-known/oauth-authorization-server", "cross-origin"),
        ("/oauth2/userinfo", "cross-origin"),
        ("/oauth2/token", "cross-origin"),
        ("/api/v1/forward-auth", ""),
    ] {
        let answer = get(server, path).await;
        assert_eq!(answer.header_or_empty("cross-origin-resource-policy"), policy, "{path}");
        let features = answer.header_or_empty("permissions-policy");
        assert!(features.contains("camera=()") && features.contains("geolocation=()"), "{path}: {features}");
    }
}

/// Fails if the files that programs look for are missing or say what is not so.
async fn u19_files_at_fixed_paths(db: Db) {
    let config = [
        ("server.security_contact", "security@example.com"),
        ("server.security_policy_url", "https://example.com/security"),
    ];
    let server = Server::start(db, &config);
    let file = get(&server, "/.well-known/security.txt").await;
    assert_eq!((file.status, file.header_or_empty("content-type")), (200, "text/plain; charset=utf-8"), "{file:?}");
    let line = |name: &str| {
        let found: Vec<&str> = file.body.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(found.len(), 1, "{name} in {}", file.body);
        found[0].to_owned()
    };
    assert_eq!(line("Contact"), "mailto:security@example.com");
    assert_eq!(line("Policy"), "https://example.com/security");
    assert_eq!(line("Canonical"), server.url("/.well-known/security.txt"));
    let expires = line("Expires");
    assert!(expires.len() >= 20 && expires.ends_with('Z') && expires.contains('T'), "{expires}");
    let robots = get(&server, "/robots.txt").await;
    assert_eq!(robots.body, "User-agent: *\nDisallow: /\n");
    let plain = Server::shared(db);
    assert_eq!(get(plain, "/.well-known/security.txt").await.status, 404, "without a contact there is none");
    let change = get(plain, "/.well-known/change-password").await;
    assert_eq!((change.status, change.header("location")), (303, Some("/account")), "{change:?}");
    // The specification's test whether statuses can be believed at all.
    let nothing = get(plain, "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").await;
    assert_eq!(nothing.status, 404);
}

/// Fails if own files go over the wire larger than they need to, or compressed to whoever did not ask for it.
async fn u20_own_assets_are_compressed(server: Shared) {
    let page = get(server, "/login").await;
    let address =
        page.body.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|path| path.contains("app.css"));
    let address = address.expect("a stylesheet").to_owned();
    let with = |accepted: &'static str, tag: Option<String>| {
        let request = http().get(server.url(&address)).header("Accept-Encoding", accepted);
        Answer::of(tag.into_iter().fold(request, |request, tag| request.header("If-None-Match", tag)))
    };
    let plain = with("identity", None).await;
    let packed = with("gzip, deflate, br, zstd", None).await;
    for answer in [&plain, &packed] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{answer:?}");
        assert!(answer.header_or_empty("cache-control").contains("immutable"));
    }
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(plain.header("content-encoding"), None);
    let size = |answer: &Answer| answer.header_or_empty("content-length").parse::<usize>().expect("a length");
    assert!(size(&packed) * 2 < size(&plain), "{} of {} bytes", size(&packed), size(&plain));
    assert_ne!(packed.header("etag"), plain.header("etag"), "two representations");
    for accepted in ["gzip;q=0", "*;q=0", "br", "", "identity;q=1, gzip;q=0.0"] {
        assert_eq!(with(accepted, None).await.header("content-encoding"), None, "{accepted:?}");
    }
    for accepted in ["GZIP", "*", "br;q=1.0, gzip;q=0.2"] {
        assert_eq!(with(accepted, None).await.header("content-encoding"), Some("gzip"), "{accepted:?}");
    }
    let known = with("gzip", packed.header("etag").map(str::to_owned)).await;
    assert_eq!((known.status, known.header("vary")), (304, Some("Accept-Encoding")));
    // The API's document page has files of others, compressed as they lie there.
    let bundle = |accepted: &'static str| {
        Answer::of(http().get(server.url("/api/docs/swagger-ui.css")).header("Accept-Encoding", accepted))
    };
    assert_eq!(bundle("gzip").await.header("content-encoding"), Some("gzip"));
    let plain = bundle("identity").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.body.contains(".swagger-ui"), "it can be read");
    // A page is not: it holds secrets beside what others chose.
    let page = Answer::of(http().get(server.url("/login")).header("Accept-Encoding", "gzip")).await;
    assert_eq!(page.header("content-encoding"), None);
}

both![
    p20_hsts_is_for_this_host_alone,
    u19_policies_of_each_answer,
    u19_files_at_fixed_paths,
    u20_own_assets_are_compressed,
];
