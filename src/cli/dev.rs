//! What `serve --dev` makes by itself: a playground, a set-up link.

use secrecy::ExposeSecret;

use crate::app::Playground;
use crate::domain::{ApplicationType, AuthMethod, Client, GrantType, Party, RedirectUri, RefreshPolicy, Scopes};
use crate::pages::setup;
use crate::protocol::endpoints;
use crate::storage::scopes::ScopeText;
use crate::storage::{Db, Refusal, StorageError, Tx, clients, links, scopes, settings};
use crate::support::{Clock, Handle, Rng, Seconds, random_token, sha256};

const LINK_SECONDS: Seconds = 86400;
const SCOPE: &str = "openid profile email offline_access notes:read";
const RESOURCE: &str = "urn:latchway:playground:notes";

/// Makes the playground's clients fit this start.
pub async fn playground(db: &Db, issuer: &str, clock: &Clock, rng: &Rng) -> anyhow::Result<Playground> {
    let secret = random_token(rng);
    let now = clock.now();
    let app = app_client(issuer, now)?;
    let api = api_client(secret.expose_secret(), now);
    let first_party = first_party_client(now)?;
    let notes = ScopeText {
        name: "notes:read".to_owned(),
        title: "Read your notes".to_owned(),
        description: "The demo app reads the notes that it keeps for you. There are none: it is a demo.".to_owned(),
        sensitive: false,
    };
    db.write("playground", move |tx| -> Result<_, Refusal<StorageError>> {
        put(tx, &app, now)?;
        put(tx, &api, now)?;
        put(tx, &first_party, now)?;
        Ok(scopes::put(tx, &notes)?)
    })
    .await?;
    Ok(Playground {
        client_id: "playground".to_owned(),
        api_client_id: "playground-api".to_owned(),
        api_client_secret: secret,
        resource: RESOURCE.to_owned(),
        scope: SCOPE.to_owned(),
    })
}

fn put(tx: &mut Tx<'_>, client: &Client, now: Seconds) -> Result<(), StorageError> {
    match clients::find(tx.reader(), &client.client_id)? {
        Some(stored) => {
            let changed = Client { version: stored.version, created_at: stored.created_at, ..client.clone() };
            clients::update(tx, &changed, now)?;
            Ok(())
        }
        None => clients::insert(tx, client),
    }
}

fn app_client(issuer: &str, now: Seconds) -> anyhow::Result<Client> {
    Ok(Client {
        redirect_uris: vec![RedirectUri::register(&format!("{issuer}{}", endpoints::PLAYGROUND_CALLBACK))?],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: Scopes::parse(SCOPE)?,
        audiences: vec![RESOURCE.to_owned()],
        application_type: ApplicationType::Native,
        // The playground shows how a theft is noticed: at once, and not only after `refresh_retry_seconds`.
        refresh: RefreshPolicy::Strict,
        ..Client::new("playground".to_owned(), "Demo Notes".to_owned(), AuthMethod::None, now)
    })
}

/// The client of `examples/first-party-web`.
fn first_party_client(now: Seconds) -> anyhow::Result<Client> {
    Ok(Client {
        party: Party::First,
        scope: Scopes::parse("profile email")?,
        ..Client::new("first-party-example".to_owned(), "My shop".to_owned(), AuthMethod::None, now)
    })
}

fn api_client(secret: &str, now: Seconds) -> Client {
    Client {
        secret_hash: Some(sha256(secret.as_bytes()).to_vec()),
        resources: vec![RESOURCE.to_owned()],
        ..Client::new("playground-api".to_owned(), "Demo Notes API".to_owned(), AuthMethod::ClientSecretBasic, now)
    }
}

/// A link for the first administrator; `None` once there was one.
pub async fn setup_link(db: &Db, issuer: &str, clock: &Clock, rng: &Rng) -> anyhow::Result<Option<String>> {
    let handle = Handle::new(clock, rng);
    let (stored, now) = (handle.clone(), clock.now());
    let open = db
        .write("setup.link", move |tx| -> Result<_, Refusal<StorageError>> {
            if settings::get(tx.reader(), setup::COMPLETED)?.is_some() {
                return Ok(false);
            }
            links::expire_all(tx, setup::PURPOSE, now)?;
            links::insert(tx, &stored, setup::PURPOSE, now + LINK_SECONDS)?;
            Ok(true)
        })
        .await?;
    Ok(open.then(|| format!("{issuer}/setup?token={}", handle.expose())))
}
