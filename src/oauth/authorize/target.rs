//! Whose request it is and where its answer goes. Nothing is ever redirected before this is known.

use std::sync::Arc;

use super::difference::{nearest, shell_word};
use crate::app::{App, Mode, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, RedirectUri};
use crate::fault::{Fault, Problem, TargetRefusal};
use crate::flow::{ResponseMode, Target};
use crate::issuing::client;
use crate::protocol::Params;
use crate::support::text;

const MAX_REDIRECT_URI: usize = 2048;
/// Longer ones are refused; in bytes.
pub const MAX_STATE: usize = 8192;

/// The client, and the target that is certainly its own.
pub async fn find(app: &App, info: RequestInfo, params: &Params) -> Result<(Arc<Client>, Target), Fault> {
    let client = client(app, info, params).await?;
    let redirect_uri = match redirect_uri(&client, params) {
        Ok(uri) => uri,
        Err((reason, sentence)) => {
            let sent = params.all("redirect_uri").next();
            let event = Event::failure(EventKind::RedirectUriMismatch).reason(reason).client(&client.client_id);
            let event = match sent {
                Some(sent) => event.detail(serde_json::json!({"redirect_uri": text::uri_for_log(sent)})),
                None => event,
            };
            event.request(info.address, info.id).record_alone(&app.trail).await;
            return Err(Fault::Target(Box::new(TargetRefusal {
                problem: Problem::RedirectUri,
                sentence,
                client_id: Some(client.client_id.clone()),
                redirect_uri: sent.map(str::to_owned),
                hints: if app.mode == Mode::Production { Vec::new() } else { hints(&client, sent) },
            })));
        }
    };
    // An unknown or repeated mode is refused later, in the default one.
    let mode = Some("response_mode").filter(|name| !params.is_repeated(name)).and_then(|name| params.get(name));
    let state = Some("state").filter(|name| !params.is_repeated(name)).and_then(|name| params.get(name));
    let target = Target {
        client_name: client.name.clone(),
        redirect_uri,
        state: state.filter(|state| state.len() <= MAX_STATE).map(str::to_owned),
        mode: mode.and_then(ResponseMode::parse).unwrap_or_default(),
    };
    Ok((client, target))
}

async fn client(app: &App, info: RequestInfo, params: &Params) -> Result<Arc<Client>, Fault> {
    let named = params.get("client_id").filter(|_| !params.is_repeated("client_id"));
    let found = match named.filter(|id| id.len() <= 200) {
        Some(id) => client::fresh(app, id).await?,
        None => None,
    };
    match found.filter(|client| !client.redirect_uris.is_empty()) {
        Some(client) => Ok(client),
        None => {
            let event = Event::failure(EventKind::AuthzUnknownClient)
                .reason("unknown_client")
                .client(named.unwrap_or_default());
            event.request(info.address, info.id).record_alone(&app.trail).await;
            Err(Fault::Target(Box::new(TargetRefusal {
                problem: Problem::UnknownClient,
                sentence: match named {
                    _ if params.is_repeated("client_id") => "client_id is given more than once",
                    None | Some("") => "client_id is missing",
                    Some(_) => {
                        "client_id names no active client: it is unknown, disabled, deleted, or has no redirect URI"
                    }
                },
                client_id: named.map(str::to_owned),
                redirect_uri: params.get("redirect_uri").map(str::to_owned),
                hints: Vec::new(),
            })))
        }
    }
}

/// What a developer wants to know, on whose machine nothing of it is a secret.
fn hints(client: &Client, sent: Option<&str>) -> Vec<(&'static str, String)> {
    let registered = || client.redirect_uris.iter().map(RedirectUri::as_str);
    let mut hints: Vec<_> = registered().map(|uri| ("Registered", uri.to_owned())).collect();
    let Some(sent) = sent else { return hints };
    if let Some((uri, words)) = nearest(sent, registered()) {
        hints.push(("Difference", text::escaped(&format!("{words}, from {uri}"), 600)));
    }
    match RedirectUri::register(sent) {
        // A list is replaced as a whole.
        Ok(_) => {
            let uris: Vec<String> = registered().chain([sent]).map(shell_word).collect();
            let id = shell_word(&client.client_id);
            hints.push(("Command", format!("latchway client update {id} --redirect-uri {}", uris.join(" "))));
        }
        Err(why) => hints.push(("Not possible", format!("it cannot be registered: {why}"))),
    }
    hints
}

/// Or why not: for the trail, and for the log.
fn redirect_uri(client: &Client, params: &Params) -> Result<String, (&'static str, &'static str)> {
    if params.is_repeated("redirect_uri") {
        return Err(("repeated", "redirect_uri is given more than once"));
    }
    match (params.get("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(sent), _) if sent.len() > MAX_REDIRECT_URI => Err(("too_long", "redirect_uri is too long")),
        (Some(sent), registered) if registered.iter().any(|uri| uri.matches(sent)) => Ok(sent.to_owned()),
        (Some(_), _) => Err(("not_registered", "redirect_uri is not registered")),
        // RFC 6749 §3.1.2.3
        (None, [only]) => Ok(only.as_str().to_owned()),
        (None, _) => Err(("missing", "redirect_uri is missing, and more than one is registered")),
    }
}
