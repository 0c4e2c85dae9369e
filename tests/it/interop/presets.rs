//! `client create --for`: each preset serves its software as it comes with the settings that are printed.

use std::path::Path;

use super::*;

/// How software behaves that has those settings.
struct Manner {
    name: &'static str,
    auth: Auth,
    pkce: bool,
    nonce: bool,
    /// It reads the ID token and never asks userinfo.
    id_token_only: bool,
}

const fn manner(name: &'static str, auth: Auth, pkce: bool, nonce: bool, id_token_only: bool) -> Manner {
    Manner { name, auth, pkce, nonce, id_token_only }
}

const WEB: &[Manner] = &[
    manner("generic-web", Auth::Basic, true, true, false),
    manner("oauth2-proxy", Auth::Basic, true, true, true),
    manner("authjs", Auth::Post, true, false, true),
    manner("nextauth", Auth::Basic, true, true, true),
    manner("better-auth", Auth::Post, true, false, false),
    manner("express-openid-connect", Auth::Basic, true, true, true),
    manner("passport-openidconnect", Auth::Post, false, true, false),
    manner("spring", Auth::Basic, false, true, false),
    manner("quarkus", Auth::Basic, true, false, false),
    manner("django-allauth", Auth::Post, true, false, false),
    manner("mozilla-django-oidc", Auth::Post, true, true, false),
    manner("python-social-auth", Auth::Basic, true, true, false),
    manner("authlib", Auth::Basic, true, true, false),
    manner("flask-dance", Auth::Basic, true, false, false),
    manner("jupyterhub", Auth::Post, true, false, false),
    manner("grafana", Auth::Post, true, false, true),
    manner("mod_auth_openidc", Auth::Basic, true, true, false),
    manner("keycloak-broker", Auth::Basic, true, true, false),
    manner("miniflux", Auth::Basic, true, true, false),
    manner("omniauth", Auth::Basic, false, true, false),
    manner("fastmcp", Auth::Post, true, false, false),
    manner("generic-spa", Auth::None, true, true, false),
    manner("generic-native", Auth::None, true, true, false),
    manner("mcp", Auth::None, true, false, false),
];
/// Those without a login at an app: nothing of a flow to show here.
const OTHERS: &[&str] = &["generic-device", "generic-machine", "generic-api", "spring-resource-server"];

fn create(server: &Server, name: &str, more: &[&str]) -> serde_json::Value {
    server.cli(&[&["client", "create", "--for", name, "--app-url", "https://app.example"], more].concat())
}

async fn f07_presets_serve_their_software(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for manner in WEB {
        let made = create(server, manner.name, &[]);
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        let redirect = made["redirect_uris"][0].as_str().expect("a redirect URI").to_owned();
        let client = Client {
            id: text("client_id").expect("an id"),
            secret: text("client_secret"),
            auth: manner.auth,
            key: None,
            redirect,
            scope: text("scope").expect("a scope"),
            issuer: server.issuer.clone(),
            node: server.issuer.clone(),
        };
        let settings = text("settings").expect("settings");
        assert!(settings.contains(&client.id) || client.secret.is_none(), "{settings}");
        assert!(client.secret.as_ref().is_none_or(|secret| !settings.contains(secret)), "no secret in {settings}");
        let mut request = client.request();
        if !manner.pkce {
            request = request.without("code_challenge").without("code_challenge_method");
        }
        if !manner.nonce {
            request = request.without("nonce");
        }
        let code = browser.grant(&user, &request).await.code();
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &*client.redirect)];
        if manner.pkce {
            form.push(("code_verifier", &*request.pkce.verifier));
        }
        let answer = client.token(&form).await;
        assert_tokens(&answer);
        if manner.id_token_only {
            let claims = claims_of(&answer.text("id_token"));
            assert_eq!(claims["preferred_username"], user.username, "{}: {claims}", manner.name);
        } else {
            assert_eq!(client.userinfo(&answer.text("access_token")).await.status, 200, "{}", manner.name);
        }
        // Nothing is looser than this software needs.
        let loose = made["pkce"] != "required";
        assert_eq!(loose, !manner.pkce, "{}: {made}", manner.name);
        assert_eq!(made["id_token_claims"] == "all", manner.id_token_only, "{}: {made}", manner.name);
    }
}

/// The list, the table of the documentation and these tests know the same presets.
async fn f07_presets_are_listed(server: Shared) {
    let listed = server.cli(&["client", "create", "--for", "list"]);
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md")).expect("docs");
    for name in &names {
        assert!(docs.contains(&format!("| `{name}` |")), "docs/clients.md has no row for {name}");
        let known = WEB.iter().any(|manner| manner.name == *name) || OTHERS.contains(name);
        assert!(known, "{name} is not tried");
    }
    assert_eq!(names.len(), WEB.len() + OTHERS.len());
    server
        .try_cli(&["client", "create", "--for", "nonsense", "--app-url", "https://app.example"], "")
        .expect_err("nonsense");
    server.try_cli(&["client", "create", "--for", "grafana"], "").expect_err("where is it?");
    let own = create(
        server,
        "grafana",
        &["--name", "Boards", "--redirect-uri", "https://g.example/cb", "--pkce", "optional"],
    );
    assert_eq!(
        (&own["name"], &own["redirect_uris"][0], &own["pkce"]),
        (&"Boards".into(), &"https://g.example/cb".into(), &"optional".into())
    );
    let machine = create(server, "generic-machine", &["--scope", "reports:read"]);
    assert_eq!(machine["grant_types"], serde_json::json!(["client_credentials"]));
    assert_eq!(
        create(server, "generic-api", &["--resource", "https://api.example"])["grant_types"],
        serde_json::json!([])
    );
    assert_eq!(create(server, "generic-device", &[])["public"], true);
}

both![f07_presets_serve_their_software, f07_presets_are_listed];
