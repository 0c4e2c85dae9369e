//! A client as the command line shows it.

use serde_json::{Value, json};

use crate::audit::time;
use crate::domain::{Client, MethodCheck};

pub fn as_json(client: &Client) -> Value {
    json!({
        "client_id": client.client_id,
        "name": client.name,
        "auth_method": client.auth_method.as_str(),
        "public": client.is_public(),
        "redirect_uris": client.redirect_uris.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "grant_types": client.grant_types.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
        "scope": client.scope.to_string(),
        "audiences": client.audiences,
        "resources": client.resources,
        "application_type": client.application_type.as_str(),
        "first_party": client.is_first_party(),
        "pkce": client.pkce.as_str(),
        "consent": client.consent.as_str(),
        "auth_method_strict": client.method_check == MethodCheck::Strict,
        "assertion_audience": client.assertion_audience.as_str(),
        "id_token_claims": client.id_token_claims.as_str(),
        "refresh": client.refresh.as_str(),
        "id_token_alg": client.id_token_alg.map(|algorithm| algorithm.as_str()),
        "client_uri": client.client_uri,
        "policy_uri": client.policy_uri,
        "tos_uri": client.tos_uri,
        "status": client.status.as_str(),
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    })
}

/// What [`as_json`] says, for people: names and values, the id and the name first.
pub fn described(json: &Value) -> Vec<(&str, String)> {
    let first = ["client_id", "name"];
    let members = json.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), in_words(name, value)));
    let (mut shown, rest): (Vec<_>, Vec<_>) = members.partition(|(name, _)| first.contains(name));
    shown.extend(rest);
    shown
}

/// The members that differ, with both their values.
pub fn changes<'a>(before: &'a Value, after: &'a Value) -> Vec<(&'a str, (String, String))> {
    let shown = |name: &str, value: &Value| match in_words(name, value) {
        text if text.is_empty() => "none".to_owned(),
        text => text,
    };
    let members = after.as_object().into_iter().flatten();
    let differ = members.filter(|(name, value)| before[name.as_str()] != **value && *name != "updated_at");
    differ.map(|(name, value)| (name.as_str(), (shown(name, &before[name.as_str()]), shown(name, value)))).collect()
}

fn in_words(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(|item| in_words(name, item)).collect::<Vec<_>>().join(", "),
        Value::Number(at) if name.ends_with("_at") => at.as_i64().map(|at| time(at * 1000)).unwrap_or_default(),
        other => other.to_string(),
    }
}
