//! What is refused when a client is registered, and what is not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

/// RFC 3986 §3.4: behind the `?` slashes, dots and `@` are data. In the path they are what they were.
async fn b097_urls_in_queries(server: Shared) {
    let user = User::new(server);
    for uri in [
        "https://app.example/cb?next=https://app.example/home",
        "https://app.example/cb?next=//a/../b&mail=me@app.example:25",
        "http://127.0.0.1/cb?next=https://app.example/home",
        "com.example.app:/cb?next=https://app.example/",
    ] {
        let client = Spec::public().redirect(uri).create(server);
        let request = client.request();
        let back = Browser::new(server).grant(&user, &request).await;
        assert!(back.location.starts_with(&format!("{uri}&code=")), "{}", back.location);
        assert_tokens(&client.redeem(&request, &back.code()).await);
        // Compared as a whole, query included.
        let other = client.request().set("redirect_uri", &uri.replace("next", "text"));
        assert_page(&Browser::new(server).authorize(&other).await);
    }
    for uri in [
        "https://app.example//cb",
        "https://app.example/cb//",
        "https://app.example/a/../cb?next=x",
        "https://user@app.example/cb?next=x",
        "https://app.example/cb?next=x#y",
        "https://app.example/*?next=x",
    ] {
        Spec::public().redirect(uri).try_create(server).expect_err(uri);
    }
    let url = "https://app.example/p?next=https://a.example//b/../c@d";
    Spec::public().flags(&["--policy-uri", url, "--tos-uri", url, "--client-uri", url]).create(server);
    let audience = "https://api.example/v1?of=https://a.example//b@c";
    let shown = Spec::confidential().audience(audience).flags(&["--resource", audience]).create(server);
    assert_eq!(server.cli(&["client", "show", &shown.id])["resources"], json!([audience]));
    for bad in [
        "https://u:p@app.example/",
        "https://:p@app.example/",
        "http://app.example/",
        "https://app.example/\nx",
        " https://a.example",
    ] {
        Spec::public().flags(&["--policy-uri", bad]).try_create(server).expect_err(bad);
    }
}

/// A key set with which no signature could ever be verified is refused, whatever is wrong with each key.
async fn b056_keys_that_never_verify(server: Shared) {
    let register = |keys: &[Value]| {
        let file = server.dir.join(format!("{}.json", random(8)));
        std::fs::write(&file, json!({"keys": keys}).to_string()).expect("a key set");
        let file = file.display().to_string();
        let args = ["client", "create", "--name", "Keys", "--auth-method", "private_key_jwt", "--jwks-file", &file];
        server.try_cli(&args, "")
    };
    let good = EsKey::new().jwk();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let number = |bytes: usize| URL_SAFE_NO_PAD.encode([&[0xc1][..], &vec![0x55; bytes - 1]].concat());
    let rsa = |n: String, e: &str| json!({"kty": "RSA", "n": n, "e": e});
    let thin = URL_SAFE_NO_PAD.encode([&[0][..], &[0x7f; 255]].concat());
    let useless = [
        json!({"kty": "EC", "crv": "P-384", "x": URL_SAFE_NO_PAD.encode([1; 48]), "y": URL_SAFE_NO_PAD.encode([2; 48])}),
        json!({"kty": "EC", "crv": "secp256k1", "x": good["x"], "y": good["y"]}),
        with("y", json!(URL_SAFE_NO_PAD.encode([7; 32]))),
        with("x", json!(URL_SAFE_NO_PAD.encode([7; 31]))),
        with("x", json!("!")),
        with("alg", json!("ES384")),
        with("alg", json!("RS256")),
        with("use", json!("enc")),
        with("key_ops", json!(["sign"])),
        json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([9; 32])}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([9; 31])}),
        rsa(number(128), "AQAB"),
        rsa(thin, "AQAB"),
        rsa(number(256), "AQ"),
        rsa(number(256), "AQAA"),
        json!({"kty": "EC"}),
        json!(7),
    ];
    for key in &useless {
        let failure = register(std::slice::from_ref(key)).expect_err(&key.to_string());
        assert!(failure.output.contains("the key set"), "{key}: {failure:?}");
    }
    register(&useless).expect_err("all of them together");
    register(&[&useless[..5], std::slice::from_ref(&good)].concat()).expect("one good key is enough");
    register(&[rsa(number(256), "AQAB")]).expect("RSA of 2048 bits");
    let private = with("d", json!("AA"));
    register(&[private, good]).expect_err("a private key");
}

/// Names show in one line of pages, tables and logs.
async fn b101_names_are_one_line(server: Shared) {
    let client = Client::confidential(server);
    let user = |name: &str| {
        let username = format!("b101{}", random(6).to_lowercase().replace(['-', '_'], "x"));
        let args = ["user", "create", "--username", &username, "--password-stdin", "--name", name];
        server.try_cli(&args, "correct horse battery staple b101")
    };
    for bad in ["a\nb", "a\rb", "a\tb", "\u{1b}[2Jx", "a\u{7f}b", "a\u{85}b", "a\u{2028}b", "a\u{202e}b", "", "  "] {
        Spec::confidential().name(bad).try_create(server).expect_err(bad);
        server.try_cli(&["client", "update", &client.id, "--name", bad], "").expect_err(bad);
        server
            .try_cli(&["api-key", "create", "--client", &client.id, "--name", bad, "--scope", "profile"], "")
            .expect_err(bad);
        if !bad.trim().is_empty() {
            server.try_cli(&["scope", "set", &random(6), "--title", bad], "").expect_err(bad);
            user(bad).expect_err(bad);
        }
    }
    for good in ["Notes & more", "メモ", "שלום", "हिन्दी"] {
        Spec::confidential().name(good).create(server);
        user(good).expect(good);
    }
}

both![b097_urls_in_queries, b056_keys_that_never_verify, b101_names_are_one_line];
