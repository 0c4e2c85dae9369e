//! `latchway config check`: what is wrong with the settings, what is unwise, and with `--connect` whether they work.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::ExposeSecret;
use serde_json::json;

use super::context::{Context, check_schema, environment, open_db, usage};
use super::{encryption_key, output};
use crate::config::{Config, Dev};
use crate::jobs::{Pins, pin};
use crate::keys::{self, Lost};
use crate::storage::{IfMissing, check_url};
use crate::support::Clock;

/// Whether the database is asked, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connect {
    Yes,
    No,
}

pub fn run(context: &Context, config: &Config, dev: Dev, connect: Connect) -> anyhow::Result<()> {
    check_url(config.database.url.expose_secret()).map_err(|e| usage(e.to_string()))?;
    let warnings = warnings(context, config);
    if connect == Connect::Yes {
        try_all(context, config, dev)?;
    }
    let json = json!({"valid": true, "warnings": warnings, "connected": connect == Connect::Yes});
    output::show(context, &json, || {
        for warning in &warnings {
            outln!("warning: {warning}");
        }
        outln!("The configuration is valid.");
        if connect == Connect::Yes {
            outln!("The database answers, its schema fits, and the encryption key opens its keys.");
        }
    })
}

fn warnings(context: &Context, config: &Config) -> Vec<String> {
    let mut warnings = config.warnings.clone();
    for network in config.server.trusted_proxies.iter().filter(|network| network.is_everything()) {
        warnings.push(format!(
            "[server] trusted_proxies has {network}: everybody can choose the address that rate limits and the audit trail \
             see; name the addresses of your proxies"
        ));
    }
    let named = environment().filter(|(name, _)| name.starts_with("LATCHWAY__") && name.ends_with("_FILE"));
    let mut files: Vec<(String, PathBuf)> = named.map(|(name, path)| (name, PathBuf::from(path))).collect();
    let has_secrets = config.keys.encryption_key.is_some() || config.database.url.expose_secret().contains('@');
    let file = context.config.clone().or_else(|| std::env::var_os("LATCHWAY_CONFIG").map(PathBuf::from));
    files.extend(file.filter(|_| has_secrets).map(|file| ("the configuration file".to_owned(), file)));
    warnings.extend(files.iter().filter_map(|(name, path)| open_to_others(name, path)));
    warnings
}

fn open_to_others(name: &str, path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    // Its group may be that of the service.
    (mode & 0o007 != 0).then(|| {
        format!(
            "{name}: {} has mode {mode:04o}, so that every user of this machine can read it; chmod 600",
            path.display()
        )
    })
}

fn try_all(context: &Context, config: &Config, dev: Dev) -> anyhow::Result<()> {
    let sealer = encryption_key::sealer(context, config, IfMissing::Fail)?;
    let db = open_db(config, Clock::system())?;
    check_schema(&db)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mismatch = pin(&db, &Pins::new(&config.server.issuer, &sealer), false).await?;
        if let Some(mismatch) = mismatch.filter(|_| dev == Dev::No) {
            return Err(usage(mismatch.to_string()));
        }
        let Lost { signing_keys, audit_key } = keys::lost(&db, &sealer).await.context("the keys cannot be read")?;
        if signing_keys > 0 || audit_key {
            return Err(usage(
                "[keys] encryption_key does not open the keys of this database; docs/reliability.md tells what to do if it is lost",
            ));
        }
        Ok(())
    })
}
