//! What `serve --dev` makes by itself: a key for the keys, a playground, a set-up link.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::context::{Context, usage};
use crate::app::Playground;
use crate::config::{Config, Dev};
use crate::domain::{ApplicationType, AuthMethod, Client, GrantType, Party, RedirectUri, RefreshPolicy, Scopes};
use crate::keys::Sealer;
use crate::pages::setup;
use crate::protocol::endpoints;
pub use crate::storage::IfMissing;
use crate::storage::scopes::ScopeText;
use crate::storage::{Db, Refusal, StorageError, Tx, clients, links, scopes, settings};
use crate::support::{Clock, Handle, Rng, Seconds, random_token, sha256};

const LINK_SECONDS: Seconds = 86400;
const SCOPE: &str = "openid profile email offline_access notes:read";
const RESOURCE: &str = "urn:latchway:playground:notes";

/// The key that seals the signing keys: the configured one or, in development mode, the one in the data folder.
pub fn sealer(context: &Context, config: &Config, missing: IfMissing) -> anyhow::Result<Arc<Sealer>> {
    let bytes = match config.keys.encryption_key_bytes() {
        Some(bytes) => bytes,
        None => from_file(&key_file(context, config), missing)?,
    };
    let sealer = match config.keys.previous_encryption_key_bytes() {
        Some(previous) => Sealer::new(&bytes).and_then(|sealer| sealer.with_previous(&previous)),
        None => Sealer::new(&bytes),
    };
    sealer.map(Arc::new).context("the encryption key cannot be used")
}

/// The same for a subcommand. Where the database is the one of development mode and has no key yet, it makes the one that
/// the server would make.
pub fn tool_sealer(context: &Context, config: &Config) -> anyhow::Result<Arc<Sealer>> {
    let own = format!("sqlite://{}", folder(context).join("latchway.db").display());
    let missing = if config.database.url.expose_secret() == own { IfMissing::Make } else { IfMissing::Fail };
    sealer(context, config, missing)
}

fn folder(context: &Context) -> PathBuf {
    context.overrides(Dev::Yes).data_dir().map_or_else(|| PathBuf::from("data"), PathBuf::from)
}

/// The key in the data folder or, if there is none, the one beside the database.
fn key_file(context: &Context, config: &Config) -> PathBuf {
    let path = folder(context).join("encryption.key");
    let database = config.database.url.expose_secret().strip_prefix("sqlite://").map(Path::new);
    let beside = database.and_then(Path::parent).map(|folder| folder.join("encryption.key"));
    beside.filter(|beside| !path.exists() && beside.exists()).unwrap_or(path)
}

fn from_file(path: &Path, missing: IfMissing) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if !path.exists() {
        if missing == IfMissing::Fail {
            return Err(usage(format!("[keys] encryption_key is not set, and there is no {}", path.display())));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let key = Zeroizing::new(STANDARD.encode(Rng::system().bytes::<32>()));
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        std::io::Write::write_all(
            &mut file.with_context(|| format!("cannot make {}", path.display()))?,
            key.as_bytes(),
        )
        .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let text = Zeroizing::new(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).unwrap_or_default());
    let key: [u8; 32] =
        bytes.as_slice().try_into().map_err(|_| usage(format!("{} is no key of 32 bytes", path.display())))?;
    Ok(Zeroizing::new(key))
}

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
