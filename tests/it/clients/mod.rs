//! Clients that other people wrote, and a real browser.

mod authlib;
mod callbacks;
mod chromium;
mod openid_client;
mod openidconnect_rs;

use crate::harness::*;

/// What an app needs to know, as the scripts read it from their environment.
fn environment(server: &Server, client: &Client, user: &User) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("ISSUER", server.issuer.clone()),
        ("CLIENT_ID", client.id.clone()),
        ("REDIRECT_URI", client.redirect.clone()),
        ("MACHINE_SCOPE", MACHINE_SCOPE.to_owned()),
        ("LOGIN", user.username.clone()),
        ("PASSWORD", user.password.clone()),
        ("SUBJECT", user.id.clone()),
    ];
    environment.extend(client.secret.clone().map(|secret| ("CLIENT_SECRET", secret)));
    environment
}

/// What an app may ask for itself, without a person.
const MACHINE_SCOPE: &str = "reports:read";

/// A confidential app that may do all that the scripts do.
fn app(server: &Server) -> Client {
    Spec::confidential().scope(&format!("openid profile email offline_access {MACHINE_SCOPE}")).create(server)
}

/// The same as `client create --for` makes it, with what the scripts need besides.
fn preset(server: &Server, name: &str) -> Client {
    let scope = format!("openid profile email offline_access {MACHINE_SCOPE}");
    let args = ["client", "create", "--for", name, "--redirect-uri", "https://app.example/cb", "--scope", &scope];
    let grants = ["--grant", "authorization_code", "refresh_token", "client_credentials"];
    let made = server.cli(&[&args[..], &grants].concat());
    let text = |name: &str| made[name].as_str().map(str::to_owned);
    Client {
        id: text("client_id").expect("an id"),
        secret: text("client_secret"),
        auth: Auth::Basic,
        key: None,
        redirect: "https://app.example/cb".to_owned(),
        scope,
        issuer: server.issuer.clone(),
        node: server.issuer.clone(),
    }
}

fn run_flow(script: &str, server: &Server, client: &Client) {
    let environment = environment(server, client, &User::new(server));
    let borrowed: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run_script(script, &borrowed);
}
