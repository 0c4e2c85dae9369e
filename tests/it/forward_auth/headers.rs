//! What a proxy says of a request, in every spelling that proxies have for it.

use reqwest::RequestBuilder;

use super::{ENDPOINT, House};
use crate::harness::*;

/// A question as Traefik and Caddy ask it.
fn forwarded(house: &House, query: &str, headers: [&str; 3]) -> RequestBuilder {
    let request = http().get(house.server.url(&format!("{ENDPOINT}{query}"))).header("Accept", "text/html");
    let request = request.header("X-Forwarded-Method", "GET").header("Sec-Fetch-Mode", "navigate");
    ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"]
        .iter()
        .zip(headers)
        .fold(request, |request, (name, value)| request.header(*name, value))
}

/// A browser's cookie at the app's host.
async fn enter(house: &House) -> String {
    let ours = Browser::of(&house.server, &User::new(&house.server)).await;
    let (scheme, host) = house.origin.split_once("://").expect("an origin");
    let sent = Answer::of(forwarded(house, "?redirect=302", [scheme, host, "/"])).await;
    let state = sent.header_or_empty("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let ticket = ours.open(&sent.location().expect("to the login")).await.location().expect("a ticket");
    let path = ticket.strip_prefix(&house.origin).expect("at the app").to_owned();
    let back = http().get(house.server.url(&path)).header("X-Original-URL", &ticket).header("Cookie", state);
    let back = Answer::of(back).await;
    back.header_or_empty("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// B-071: fails if a login does not count because a proxy spells the app's origin in another way; if a value that cannot be
/// understood looks like no login.
async fn b071_every_spelling_of_an_origin(db: Db) {
    let house = House::new(db);
    let cookie = enter(&house).await;
    let host = house.origin.strip_prefix("http://").expect("an origin").to_owned();
    let ask =
        |proto: &str, host: &str| Answer::of(forwarded(&house, "", [proto, host, "/chat"]).header("Cookie", &cookie));
    let list = format!("{host}, {host}");
    for (proto, host) in [
        ("http", host.as_str()),
        ("ws", &host),
        ("WS", &host),
        ("HTTP", &host),
        ("http, https", &host),
        ("ws,http", &host),
        ("http", &host.to_uppercase()),
        ("http", &list),
    ] {
        let answer = ask(proto, host).await;
        assert_eq!(answer.status, 204, "{proto} {host}: {answer:?}");
    }
    for (proto, host, header) in [
        ("gopher", host.as_str(), "x-forwarded-proto"),
        ("http://", &host, "x-forwarded-proto"),
        ("http", "localhost/x", "x-forwarded-host"),
        ("http", "user@localhost", "x-forwarded-host"),
        ("http", &format!("{host}, evil.example"), "x-forwarded-host"),
    ] {
        let answer = ask(proto, host).await;
        assert_j(&answer, 400, "invalid_request");
        assert!(answer.text("error_description").contains(header), "{answer:?}");
    }
    // As nginx sends it, and on other schemes than the app's: sound, and no login there.
    let url = format!("WS://{}/chat", host.to_uppercase());
    let direct = house.ask("").header("X-Original-URL", url).header("Cookie", &cookie);
    assert_eq!(Answer::of(direct).await.status, 204);
    assert_eq!(ask("wss", &host).await.status, 401, "https is another origin");
}

/// B-071 on https, where the default port is left out.
async fn b071_wss_is_https(db: Db) {
    let house = House::at(db, "https://app.example", &[]);
    for (proto, host) in [("https", "app.example"), ("wss", "app.example"), ("HTTPS", "APP.example:443")] {
        let sent = Answer::of(forwarded(&house, "?redirect=302", [proto, host, "/a?b=c"])).await;
        let login = sent.location().unwrap_or_default();
        assert!(login.contains("return_to=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc&"), "{proto} {host}: {sent:?}");
    }
}

/// B-072: fails if a browser is not led to the login because of the length or the characters of the address it wanted.
async fn b072_long_addresses_are_led_back_to_as_far_as_they_can(db: Db) {
    let house = House::at(db, "https://app.example", &[]);
    let long = "y".repeat(3_000);
    for (uri, kept) in [
        (format!("/a/b?q={}", "y".repeat(1_900)), format!("/a/b?q={}", "y".repeat(1_900))),
        (format!("/a/b?q={long}"), "/a/b".to_owned()),
        (format!("/{long}?q=1"), "/".to_owned()),
        ("/caf\u{e9} \"x\"|#y".to_owned(), "/caf%C3%A9%20\"x\"|%23y".to_owned()),
    ] {
        let expected: String =
            url::form_urlencoded::byte_serialize(format!("https://app.example{kept}").as_bytes()).collect();
        for query in ["?redirect=302", ""] {
            let bytes = reqwest::header::HeaderValue::from_bytes(uri.as_bytes()).expect("a value");
            let traefik = forwarded(&house, query, ["https", "app.example", "/"]).build().expect("a request");
            let (mut by_parts, mut whole) = (traefik, house.page(query, "/").build().expect("a request"));
            by_parts.headers_mut().insert("x-forwarded-uri", bytes);
            let url = format!("https://app.example{uri}");
            let url = reqwest::header::HeaderValue::from_bytes(url.as_bytes()).expect("a value");
            whole.headers_mut().insert("x-original-url", url);
            for request in [by_parts, whole] {
                let answer = Answer::of(RequestBuilder::from_parts(http().clone(), request)).await;
                let login = answer.location().or(answer.header("x-auth-login").map(str::to_owned)).unwrap_or_default();
                assert!(login.contains(&format!("return_to={expected}&")), "{query} {} {answer:?}", uri.len());
            }
        }
    }
}

both![b071_every_spelling_of_an_origin, b071_wss_is_https, b072_long_addresses_are_led_back_to_as_far_as_they_can,];
