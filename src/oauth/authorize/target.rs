//! Whose request it is and where its answer goes. Nothing is ever redirected before this is known.

use std::sync::Arc;

use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::Client;
use crate::fault::{Fault, Problem};
use crate::flow::{ResponseMode, Target};
use crate::issuing::client;
use crate::protocol::Params;

const MAX_REDIRECT_URI: usize = 2048;
/// Longer ones are refused; in bytes.
pub const MAX_STATE: usize = 8192;

/// The client, and the target that is certainly its own.
pub async fn find(app: &App, info: RequestInfo, params: &Params) -> Result<(Arc<Client>, Target), Fault> {
    let client = client(app, info, params).await?;
    let redirect_uri = match redirect_uri(&client, params) {
        Ok(uri) => uri,
        Err((reason, why)) => {
            let event = Event::failure(EventKind::RedirectUriMismatch).reason(reason).client(&client.client_id);
            event.request(info.address, info.id).record_alone(&app.trail).await;
            return Err(Fault::page(Problem::RedirectUri, why));
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
            Err(Fault::page(Problem::UnknownClient, "unknown, disabled or deleted client"))
        }
    }
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
