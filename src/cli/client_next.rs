//! What to do next with a client that was just made, and what it lacks.

use super::tool::Tool;
use crate::domain::{Client, GrantType, OPENID};
use crate::protocol::endpoints;
use crate::storage::scopes;

/// Scopes that the consent page has words for by itself.
const WELL_KNOWN: &[&str] = &["openid", "profile", "email", "offline_access", "api_keys", "roles"];

/// Sentences for the person who configures the client's software: the server's address, and what the client lacks.
pub fn steps(tool: &Tool, client: &Client) -> anyhow::Result<Vec<String>> {
    let issuer = &tool.config.server.issuer;
    let mut steps = vec![format!("Issuer: {issuer} (discovery: {issuer}{})", endpoints::OPENID_CONFIGURATION)];
    let asks_people = client.may_use(GrantType::AuthorizationCode) || client.may_use(GrantType::DeviceCode);
    if asks_people && client.scope.is_empty() {
        let command = format!("latchway client update {} --scope \"openid profile email\"", client.client_id);
        steps.push(format!("It has no scope, so that it can ask for nothing: {command}"));
    } else if client.may_use(GrantType::AuthorizationCode) && !client.scope.contains(OPENID) {
        steps.push("Without the scope openid it gets no ID token; an app that logs people in needs it.".to_owned());
    }
    if client.may_use(GrantType::ClientCredentials) && client.audiences.is_empty() {
        steps.push("Its tokens name no API: add --audience with the address of the API that takes them.".to_owned());
    }
    let known = tool.runtime.block_on(tool.db.read("scope.list", scopes::list))?;
    let has_words = |scope: &str| WELL_KNOWN.contains(&scope) || known.iter().any(|known| known.name == scope);
    let silent: Vec<&str> = client.scope.iter().filter(|scope| asks_people && !has_words(scope)).collect();
    if let Some(first) = silent.first() {
        let command = format!("latchway scope set {first} --title \"…\"");
        steps.push(format!("The consent page has no words for {}: {command}", silent.join(", ")));
    }
    Ok(steps)
}
