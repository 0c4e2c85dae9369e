//! Clients that nobody registered: whoever asks is registered on the spot, with what it asks for.

use super::defaults::USUAL_SCOPE;
use super::seen::{Seen, basic};
use super::settings::Settings;
use crate::app::App;
use crate::domain::{ApplicationType, AuthMethod, Client, GrantType, Party, RedirectUri, Scopes, validate_resource};
use crate::protocol::endpoints;
use crate::storage::{Refusal, StorageError, clients};
use crate::support::sha256;

/// Endpoints at which a client tells who it is.
const ENDPOINTS: &[&str] = &[
    endpoints::AUTHORIZE,
    endpoints::TOKEN,
    endpoints::REVOKE,
    endpoints::INTROSPECT,
    endpoints::DEVICE_AUTHORIZATION,
];

/// Registers the client of a request, or what it asks for beyond its registration. Clients of the settings keep to theirs.
///
/// # Errors
/// If the database fails.
pub async fn welcome(app: &App, settings: &Settings, seen: &Seen) -> Result<(), StorageError> {
    let Some(id) = seen.client_id.as_deref().filter(|id| is_id(id)) else { return Ok(()) };
    if !settings.strangers || !ENDPOINTS.contains(&seen.path.as_str()) || settings.has_client(id) {
        return Ok(());
    }
    let (wanted, now) = (id.to_owned(), app.now());
    let found = app.db.read("mock.guest", move |conn| clients::find(conn, &wanted)).await?;
    let before = found.clone().unwrap_or_else(|| fresh(app, settings, id));
    let after = grown(before.clone(), seen);
    if found.is_some() && same(&before, &after) {
        return Ok(());
    }
    let is_new = found.is_none();
    app.db
        .write("mock.guest", move |tx| -> Result<_, Refusal<StorageError>> {
            if is_new {
                clients::insert(tx, &after)?;
            } else {
                clients::update(tx, &after, now)?;
            }
            Ok(())
        })
        .await?;
    app.clients.invalidate(id);
    app.origins.invalidate(&()).await;
    Ok(())
}

/// What a client id may have (RFC 6749 appendix A.1), within reason.
fn is_id(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

fn fresh(app: &App, settings: &Settings, id: &str) -> Client {
    Client {
        scope: Scopes::parse(USUAL_SCOPE).unwrap_or_default(),
        audiences: vec![settings.audience(app.issuer())],
        resources: vec![settings.audience(app.issuer())],
        application_type: ApplicationType::Native,
        party: Party::Third,
        ..Client::new(id.to_owned(), id.chars().take(100).collect(), AuthMethod::None, app.now())
    }
}

/// The client with what this request needs of it.
fn grown(mut client: Client, seen: &Seen) -> Client {
    if let Some(uri) = seen.parameter("redirect_uri").filter(|_| seen.path == endpoints::AUTHORIZE)
        && let Ok(uri) = RedirectUri::register(uri)
        && is_of_this_machine(&uri)
        && !client.redirect_uris.iter().any(|known| known.matches(uri.as_str()))
    {
        client.redirect_uris.push(uri);
        // The last ones count: a test that picks a port each time would fill the list.
        let surplus = client.redirect_uris.len().saturating_sub(100);
        client.redirect_uris.drain(..surplus);
    }
    if let Some(scope) = seen.parameter("scope").and_then(|text| Scopes::parse(text).ok()) {
        client.scope = client.scope.union(&scope);
    }
    for resource in seen.form.iter().filter(|(name, _)| name == "resource").map(|(_, value)| value) {
        if !client.audiences.contains(resource) && validate_resource(resource).is_ok() {
            client.audiences.push(resource.clone());
            // A client that nobody configured may be the API as well.
            client.resources.push(resource.clone());
        }
    }
    if seen.path != endpoints::AUTHORIZE {
        authenticate(&mut client, seen);
    }
    client.grant_types = grants(&client);
    client
}

/// Takes the way in which the client proves itself, and whatever it has for a secret.
fn authenticate(client: &mut Client, seen: &Seen) {
    // RFC 6749 §2.3.1, §3.2: an empty secret is none.
    let given = |name: &str| seen.parameter(name).filter(|value| !value.is_empty());
    let by_header = basic(&seen.headers).map(|(_, secret)| secret).filter(|secret| !secret.is_empty());
    let (method, secret) = match (by_header, given("client_secret")) {
        (Some(secret), _) => (AuthMethod::ClientSecretBasic, Some(secret)),
        (None, Some(secret)) => (AuthMethod::ClientSecretPost, Some(secret.to_owned())),
        // What signs its assertions has keys, which have to be configured.
        (None, None) if given("client_assertion").is_some() => return,
        (None, None) => (AuthMethod::None, None),
    };
    client.auth_method = method;
    client.secret_hash = secret.map(|secret| sha256(secret.as_bytes()).to_vec());
}

fn grants(client: &Client) -> Vec<GrantType> {
    let allowed = |grant: &GrantType| match grant {
        GrantType::ClientCredentials => !client.is_public(),
        _ => true,
    };
    GrantType::ALL.iter().copied().filter(allowed).collect()
}

fn same(one: &Client, other: &Client) -> bool {
    one.redirect_uris == other.redirect_uris
        && one.scope.to_string() == other.scope.to_string()
        && one.audiences == other.audiences
        && one.auth_method == other.auth_method
        && one.secret_hash == other.secret_hash
        && one.grant_types == other.grant_types
}

/// A program or a development server on this machine, or an app that is installed on it.
fn is_of_this_machine(uri: &RedirectUri) -> bool {
    let Ok(url) = url::Url::parse(uri.as_str()) else { return false };
    !matches!(url.scheme(), "http" | "https") || super::cors::is_local(uri.as_str())
}
