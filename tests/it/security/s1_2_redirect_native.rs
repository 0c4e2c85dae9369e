//! 1.2 redirect_uri matching for native apps: loopback addresses and private-use schemes (RFC 8252).

use super::refused_with_page;
use crate::harness::*;

async fn accepted(server: &Server, client: &Client, uris: &[&str]) {
    for uri in uris {
        assert_goes_on(&Browser::new(server).authorize(&client.request().set("redirect_uri", uri)).await);
    }
}

async fn refused(server: &Server, client: &Client, uris: &[&str]) {
    let requests = uris.iter().map(|uri| client.request().set("redirect_uri", uri));
    refused_with_page(server, requests, "redirect_uri_mismatch").await;
}

async fn a_034_loopback_ipv4(server: Shared) {
    let client = Spec::public().redirect("http://127.0.0.1/cb").create(server);
    let good =
        ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:49152/cb", "http://127.0.0.1:65535/cb"];
    accepted(server, &client, &good).await;
    let bad = [
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:-1/cb",
        "http://127.0.0.1:+80/cb",
        "http://127.0.0.1:0080/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.2/cb",
        "http://127.1/cb",
        "http://127.0.0.1.evil/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://localhost/cb",
        "http://[::1]/cb",
        "http://127.0.0.1:8080/other",
        "http://127.0.0.1:8080/cb?x=1",
        "http://127.0.0.1:8080/cb#x",
        "http://127.0.0.1:8080/x/cb",
        "https://127.0.0.1/cb",
        "https://127.0.0.1:8080/cb",
    ];
    refused(server, &client, &bad).await;
}

async fn a_034_the_port_used_comes_back(server: Shared) {
    let (client, user) = (Spec::public().redirect("http://127.0.0.1/cb").create(server), User::new(server));
    let request = client.request().set("redirect_uri", "http://127.0.0.1:51234/cb");
    let back = Browser::new(server).grant(&user, &request).await;
    assert!(back.location.starts_with("http://127.0.0.1:51234/cb?"), "{}", back.location);
    assert_tokens(&client.redeem(&request, &back.code()).await);
}

async fn a_035_loopback_ipv6(server: Shared) {
    let client = Spec::public().redirect("http://[::1]/cb").create(server);
    accepted(server, &client, &["http://[::1]/cb", "http://[::1]:1/cb", "http://[::1]:65535/cb"]).await;
    let bad = [
        "http://[::ffff:127.0.0.1]/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "http://[::1]:0/cb",
        "http://[::1].evil/cb",
        "http://127.0.0.1/cb",
        "http://0.0.0.0/cb",
        "http://0/cb",
        "http://2130706433/cb",
        "http://0x7f000001/cb",
        "https://[::1]/cb",
    ];
    refused(server, &client, &bad).await;
    for uri in ["http://[::ffff:127.0.0.1]/cb", "http://0.0.0.0/cb", "http://0/cb", "http://2130706433/cb"] {
        assert!(Spec::public().redirect(uri).try_create(server).is_err(), "{uri} was registered");
    }
}

/// The choice made: `localhost` is a name that can be pointed elsewhere, so its port has no leniency.
async fn a_036_localhost_by_name(server: Shared) {
    let client = Spec::public().redirect("http://localhost:3000/cb").create(server);
    accepted(server, &client, &["http://localhost:3000/cb"]).await;
    let bad = [
        "http://localhost/cb",
        "http://localhost:3001/cb",
        "http://127.0.0.1:3000/cb",
        "http://localhost.evil:3000/cb",
    ];
    refused(server, &client, &bad).await;
}

async fn a_037_private_use_schemes(server: Shared) {
    let (client, user) = (Spec::public().redirect("com.example.app:/cb").create(server), User::new(server));
    let bad = [
        "com.example.app://host/cb",
        "com.example.app:cb",
        "com.example.app:/cb/",
        "COM.EXAMPLE.APP:/cb",
        "com.example.app2:/cb",
        "com.example:/cb",
    ];
    refused(server, &client, &bad).await;
    for uri in ["myapp:/cb", "myapp://cb"] {
        assert!(Spec::public().redirect(uri).try_create(server).is_err(), "{uri} was registered");
    }
    let request = client.request();
    let back = Browser::new(server).grant(&user, &request).await;
    assert!(back.location.starts_with("com.example.app:/cb?"), "{}", back.location);
    assert_tokens(&client.redeem(&request, &back.code()).await);
}

both![
    a_034_loopback_ipv4,
    a_034_the_port_used_comes_back,
    a_035_loopback_ipv6,
    a_036_localhost_by_name,
    a_037_private_use_schemes,
];
