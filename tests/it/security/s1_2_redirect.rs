//! 1.2 redirect_uri matching: exact comparison of strings. Each refusal is `PAGE` with `AUD(redirect_uri_mismatch)`.

use std::time::{Duration, Instant};

use super::{metadata, refused_with_page};
use crate::harness::*;

/// Sends each URI encoded as a form encodes it and, where a query can hold it, as it stands. What then reads as the
/// registered URI, because a query is decoded once, is the registered URI.
async fn mismatch(server: &Server, client: &Client, uris: &[&str]) {
    for uri in uris {
        refused(server, &client.request().set("redirect_uri", uri)).await;
        if uri.contains(['#', '&', '+', ' ', '\t']) {
            continue;
        }
        let raw = client.request().set_raw("redirect_uri", uri);
        if query_of(&raw.url()).contains(&("redirect_uri".to_owned(), client.redirect.clone())) {
            assert_goes_on(&Browser::new(server).authorize(&raw).await);
        } else {
            refused(server, &raw).await;
        }
    }
}

/// `PAGE`, audited as a mismatch; or, where the value is no text that a parameter can have, `PAGE` for that.
async fn refused(server: &Server, request: &Request) {
    let answer = Browser::new(server).authorize(request).await;
    assert_page(&answer);
    let sent = answer.url.query_pairs().find(|(name, _)| name == "redirect_uri").expect("the parameter").1;
    if !sent.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        assert_audit(server, &answer, "redirect_uri_mismatch");
    }
}

/// `client create` refuses each of these.
fn not_registrable(server: &Server, uris: &[&str]) {
    for uri in uris {
        let refused = Spec::public().redirect(uri).try_create(server);
        let failure = refused.err().unwrap_or_else(|| panic!("{uri} was registered"));
        assert!(failure.output.contains("redirect"), "{uri}: says what is wrong: {failure:?}");
    }
}

async fn a_020_trailing_slash(server: Shared) {
    let uris =
        ["https://app.example/cb/", "https://app.example/cb/.", "https://app.example/cb//", "https://app.example//cb"];
    mismatch(server, &Client::public(server), &uris).await;
}

async fn a_021_case(server: Shared) {
    let uris = ["https://app.example/CB", "HTTPS://APP.EXAMPLE/cb", "https://App.example/cb", "Https://app.example/cb"];
    mismatch(server, &Client::public(server), &uris).await;
}

async fn a_022_http_for_https(server: Shared) {
    mismatch(server, &Client::public(server), &["http://app.example/cb", "http://app.example:443/cb"]).await;
}

async fn a_023_query_added(server: Shared) {
    let uris = [
        "https://app.example/cb?x=1",
        "https://app.example/cb?",
        "https://app.example/cb?code=attacker",
        "https://app.example/cb?state=attacker",
        "https://app.example/cb&x=1",
    ];
    mismatch(server, &Client::public(server), &uris).await;
}

async fn a_024_registered_with_a_query(server: Shared) {
    let (client, user) = (Spec::public().redirect("https://app.example/cb?a=b").create(server), User::new(server));
    let uris = [
        "https://app.example/cb?a=b&c=d",
        "https://app.example/cb?a=c",
        "https://app.example/cb",
        "https://app.example/cb?A=b",
        "https://app.example/cb?a=%62",
    ];
    mismatch(server, &client, &uris).await;
    let back = Browser::new(server).grant(&user, &client.request()).await;
    assert!(back.location.starts_with("https://app.example/cb?a=b&"), "the query is kept: {}", back.location);
    assert_eq!(back.location.matches('?').count(), 1, "{}", back.location);
    assert_eq!(back.param("a"), Some("b"), "{}", back.location);
    back.code();
}

async fn a_025_fragment(server: Shared) {
    let uris = [
        "https://app.example/cb#frag",
        "https://app.example/cb#",
        "https://app.example/cb%23frag",
        "https://app.example/cb#_=_",
    ];
    mismatch(server, &Client::public(server), &uris).await;
    not_registrable(server, &["https://app.example/cb#frag", "https://app.example/cb#"]);
}

async fn a_026_userinfo(server: Shared) {
    let uris = [
        "https://app.example@evil.example/cb",
        "https://app.example%40evil.example/cb",
        "https://a@b@evil.example/cb",
        "http://localhost:8090%25@evil.example",
        "https://evil.example\u{ff03}@app.example/cb",
        "https://user:password@app.example/cb",
        "https://@app.example/cb",
    ];
    mismatch(server, &Client::public(server), &uris).await;
    not_registrable(server, &["https://user@app.example/cb", "https://@app.example/cb"]);
}

async fn a_027_lookalike_hosts(server: Shared) {
    let uris = [
        "https://app.example.evil/cb",
        "https://app.exampleXevil/cb",
        "https://appaexample/cb",
        "https://evilapp.example/cb",
        "https://evil.app.example/cb",
        "https://app.exampl/cb",
        "https://app.example/cbx",
        "https://app.example/c",
        "https://app.example/",
        "https://app.example",
    ];
    mismatch(server, &Client::public(server), &uris).await;
}

async fn a_028_path_confusion(server: Shared) {
    let tails = [
        "/cb/../evil",
        "/cb/..%2fevil",
        "/cb/%2e%2e%2fevil",
        "/cb/%2e%2e/evil",
        "/cb/..%252fevil",
        "/cb/%252e%252e%252fevil",
        "/cb/..;/evil",
        "/cb;/../../evil",
        "/cb%0a%0d/../evil",
        "/cb%2Fevil",
        "/cb%2f..%2fevil",
        "/cb\\..\\evil",
        "/cb/..\\evil",
        "/cb/%5c..%5cevil",
        "/cb/..%5cevil",
        "/cb/.%2e/evil",
        "/cb/..%00/evil",
        "/cb/..%c0%afevil",
        "/cb/..%ef%bc%8fevil",
        "/./cb",
        "/x/../cb",
        "/%63b",
        "/cb%20",
        "/cb;x=1",
    ];
    let uris: Vec<String> = tails.iter().map(|tail| format!("https://app.example{tail}")).collect();
    mismatch(server, &Client::public(server), &uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn a_029_port_and_root_dot(server: Shared) {
    let uris = [
        "https://app.example:443/cb",
        "https://app.example:0443/cb",
        "https://app.example:8443/cb",
        "https://app.example:/cb",
        "https://app.example./cb",
    ];
    mismatch(server, &Client::public(server), &uris).await;
}

async fn a_030_international_names(server: Shared) {
    let client = Spec::public().redirect("https://xn--bcher-kva.example/cb").create(server);
    mismatch(server, &client, &["https://b\u{fc}cher.example/cb", "https://bu\u{308}cher.example/cb"]).await;
    let uris = [
        "https://\u{430}pp.example/cb",
        "https://\u{ff41}pp.example/cb",
        "https://a\u{ad}pp.example/cb",
        "https://app\u{3002}example/cb",
        "https://xn--app-.example/cb",
        "https://xn--app.example/cb",
    ];
    mismatch(server, &Client::public(server), &uris).await;
    not_registrable(server, &["https://b\u{fc}cher.example/cb", "https://\u{ff41}pp.example/cb"]);
}

async fn a_031_whitespace_and_control_characters(server: Shared) {
    let uris = [
        " https://app.example/cb",
        "https://app.example/cb ",
        "\thttps://app.example/cb",
        "https://app.example/cb\t",
        "https:/app.example/cb",
        "https:app.example/cb",
        "https:\\\\app.example\\cb",
        "https:///app.example/cb",
        "https://app.example/cb%00",
        "https://app.example/cb%09",
        "https://app.example/cb%0d%0a",
    ];
    mismatch(server, &Client::public(server), &uris).await;
}

const DANGEROUS: &[&str] = &[
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://app.example/x",
    "file:///etc/passwd",
    "about:blank",
    "intent://app.example#Intent;end",
    "view-source:https://app.example/cb",
    " javascript:alert(1)",
    "//app.example/cb",
    "/cb",
    "",
];

async fn a_032_dangerous_schemes(server: Shared) {
    not_registrable(server, DANGEROUS);
    let client = Client::public(server);
    for uri in DANGEROUS.iter().filter(|uri| !uri.is_empty()) {
        let answer = Browser::new(server).authorize(&client.request().set("redirect_uri", uri)).await;
        assert_page(&answer);
    }
}

async fn a_033_no_wildcards(server: Shared) {
    not_registrable(
        server,
        &[
            "https://app.example/*",
            "https://*.example/cb",
            "https://app.example:*/cb",
            "https://app.example/cb?x=*",
            "^https://app.example/cb$",
            "https://app.example/(cb|x)",
            "https://app.example/{cb}",
            "https://app.example/[a-z]",
            "https://[app].example/cb",
        ],
    );
}

async fn a_038_long_uris_and_many(server: Shared) {
    let client = Client::public(server);
    let long = format!("https://app.example/cb?x={}", "x".repeat(2_100));
    refused_with_page(server, [client.request().set("redirect_uri", &long)], "redirect_uri_mismatch").await;
    not_registrable(server, &[&long]);

    let mut spec = Spec::public();
    for number in 0..100 {
        spec = spec.redirect(&format!("https://app.example/{number:03}/{}", "a".repeat(1_000)));
    }
    let many = spec.create(server);
    let last = format!("https://app.example/099/{}", "a".repeat(1_000));
    assert_goes_on(&Browser::new(server).authorize(&many.request().set("redirect_uri", &last)).await);
    let near = format!("https://app.example/099/{}b", "a".repeat(999));
    let begin = Instant::now();
    refused_with_page(server, [many.request().set("redirect_uri", &near)], "redirect_uri_mismatch").await;
    assert!(begin.elapsed() < Duration::from_secs(1), "a hundred comparisons took {:?}", begin.elapsed());
    // Equal after percent-decoding only.
    mismatch(server, &client, &["https://app.example/c%62", "https://app%2eexample/cb", "https:%2f%2fapp.example/cb"])
        .await;
}

async fn a_039_redirect_uri_at_the_token_endpoint(server: Shared) {
    let spec = Spec::confidential().redirect("https://app.example/cb").redirect("https://app.example/other");
    let (client, user) = (spec.create(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    for other in ["https://app.example/other", "https://app.example/cb/", "https://evil.example/cb"] {
        let request = client.request();
        let code = browser.grant(&user, &request).await.code();
        assert_ig(&client.redeem(&request.set("redirect_uri", other), &code).await);
    }

    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let form = [("grant_type", "authorization_code"), ("code", &*code), ("code_verifier", &*request.pkce.verifier)];
    let twice = [&form[..], &[("redirect_uri", &*client.redirect), ("redirect_uri", &*client.redirect)]].concat();
    assert_j(&client.token(&twice).await, 400, "invalid_request");
    // OAuth 2.1 leaves the parameter out; a refusal for its form above must not have used up the code.
    assert_tokens(&client.token(&form).await);
}

async fn a_040_pushed_requests_are_not_offered(server: Shared) {
    assert!(metadata(server).await.get("pushed_authorization_request_endpoint").is_none());
    let client = Client::confidential(server);
    let uri = ("redirect_uri", "https://evil.example/cb");
    let answer = client.post("/oauth2/par", &[("response_type", "code"), ("client_id", &client.id), uri]).await;
    assert_eq!(answer.status, 404, "{answer:?}");
}

both![
    a_020_trailing_slash,
    a_021_case,
    a_022_http_for_https,
    a_023_query_added,
    a_024_registered_with_a_query,
    a_025_fragment,
    a_026_userinfo,
    a_027_lookalike_hosts,
    a_028_path_confusion,
    a_029_port_and_root_dot,
    a_030_international_names,
    a_031_whitespace_and_control_characters,
    a_032_dangerous_schemes,
    a_033_no_wildcards,
    a_038_long_uris_and_many,
    a_039_redirect_uri_at_the_token_endpoint,
    a_040_pushed_requests_are_not_offered,
];
