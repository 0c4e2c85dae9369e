//! What an operator decides for one client is stored, shown, checked, and kept by what was not said.

use serde_json::json;

use super::*;

fn kept(server: &Server, client: &Client) -> serde_json::Value {
    let shown = server.cli(&["client", "show", &client.id]);
    let names =
        ["resources", "consent", "auth_method_strict", "assertion_audience", "id_token_claims", "refresh", "pkce"];
    names.iter().map(|&name| (name.to_owned(), shown[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

async fn f03_policies_are_kept(server: Shared) {
    let client = Client::confidential(server);
    let mut wanted = json!({
        "resources": [], "consent": "remember", "auth_method_strict": false, "assertion_audience": "issuer",
        "id_token_claims": "standard", "refresh": "standard", "pkce": "required",
    });
    assert_eq!(kept(server, &client), wanted);
    let update = |flags: &[&str]| server.try_cli(&[&["client", "update", &client.id], flags].concat(), "");
    for (flags, name, value) in [
        (
            &["--resource", "https://a.example", "https://b.example/x"][..],
            "resources",
            json!(["https://a.example", "https://b.example/x"]),
        ),
        (&["--consent", "always"], "consent", json!("always")),
        (&["--consent", "never"], "consent", json!("never")),
        (&["--auth-method-strict"], "auth_method_strict", json!(true)),
        (&["--auth-method-strict=false"], "auth_method_strict", json!(false)),
        (&["--id-token-claims", "all"], "id_token_claims", json!("all")),
        (&["--refresh", "strict"], "refresh", json!("strict")),
        (&["--pkce", "nonce-instead"], "pkce", json!("nonce-instead")),
        (&["--pkce", "optional"], "pkce", json!("optional")),
    ] {
        update(flags).unwrap_or_else(|failure| panic!("{flags:?}: {failure:?}"));
        wanted[name] = value;
        assert_eq!(kept(server, &client), wanted, "{flags:?}");
    }
    for flags in [
        &["--resource", "not a uri"][..],
        &["--resource", "https://a.example/#x"],
        &["--consent", "sometimes"],
        &["--assertion-audience", "token-endpoint"],
        &["--assertion-audience", "anybody"],
        &["--id-token-claims", "email"],
        &["--refresh", "lax"],
        &["--pkce", "none"],
        &["--scope", "profile"],
    ] {
        update(flags).expect_err(&format!("{flags:?}"));
    }
    assert_eq!(kept(server, &client), wanted, "a refused change changes nothing");
}

/// What a policy cannot be combined with is refused when it is written, whichever of the two comes last.
async fn f03_policies_that_could_never_apply(server: Shared) {
    let by_key = Spec::confidential().auth(Auth::PrivateKeyJwt);
    let audience = ["--assertion-audience", "token-endpoint"];
    by_key.clone().flags(&audience).create(server);
    by_key.flags(&["--auth-method-strict"]).try_create(server).expect_err("no secret");
    for flags in [&["--pkce", "optional"][..], &["--pkce", "nonce-instead"], &["--auth-method-strict"], &audience] {
        Spec::public().flags(flags).try_create(server).expect_err("a public client");
    }
    Spec::confidential().scope("profile").flags(&["--pkce", "optional"]).try_create(server).expect_err("no openid");
}

both![f03_policies_are_kept, f03_policies_that_could_never_apply];
