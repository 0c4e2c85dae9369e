//! The key that the signing keys are sealed with.

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
use crate::config::{Config, Dev};
use crate::keys::Sealer;
use crate::storage::IfMissing;
use crate::support::Rng;

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
