//! What every subcommand needs: flags, settings, the database.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config::{Config, Dev, Overrides, load};
use crate::storage::{Db, DbOptions, IfMissing, MigrationStatus, StorageError};
use crate::support::{Clock, text};

/// Flags of every subcommand.
#[derive(Args)]
pub struct Context {
    /// The configuration file (also LATCHWAY_CONFIG)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for the embedded database and, in development mode, its keys (also LATCHWAY_DATA)
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    pub json: bool,
}

/// A mistake in the command or the configuration, which another call would not make.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A mistake of the caller's.
pub fn usage(why: impl Into<String>) -> anyhow::Error {
    Usage(why.into()).into()
}

impl Context {
    pub fn overrides(&self, dev: Dev) -> Overrides {
        let data_dir = self
            .data
            .clone()
            .or_else(|| std::env::var_os("LATCHWAY_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from));
        Overrides { config_file: self.config.clone(), data_dir, dev, ..Overrides::default() }
    }

    /// The settings for a tool, which needs the database and not all that a server needs: without a production
    /// configuration it works on the data of development mode.
    pub fn tool_config(&self) -> anyhow::Result<Config> {
        match load(&self.overrides(Dev::No), environment()) {
            Ok(config) => Ok(config),
            Err(production) => match load(&self.overrides(Dev::Yes), environment()) {
                Ok(config) => Ok(config),
                Err(_) => Err(usage(production.to_string())),
            },
        }
    }
}

/// The person at the command line, as the system knows them.
pub fn operator() -> String {
    let name = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
    // With sudo everybody is root; it says who that is.
    match std::env::var("SUDO_USER") {
        Ok(person) if name == "root" && !person.is_empty() && person != name => {
            format!("{} as {name}", text::for_log(&person, 64))
        }
        _ => text::for_log(&name, 64),
    }
}

/// Reads where to listen: an address with a port, or a port alone for this machine. Fits clap's `value_parser`.
///
/// # Errors
/// A sentence that shows the form.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.strip_prefix(':').or(text.strip_prefix("localhost:")).unwrap_or(text).parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8080, or a port, such as 8080".to_owned())
}

/// Why a socket could not be had, and what to do about it.
pub fn cannot_listen(address: SocketAddr, error: &std::io::Error, remedy: &str) -> anyhow::Error {
    let advice = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("; another program listens there: {remedy}"),
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need the right to use them".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "; no network interface of this machine has that address".to_owned(),
        _ => String::new(),
    };
    anyhow::anyhow!("cannot listen on {address}: {error}{advice}")
}

/// The environment, as far as it is text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Opens the database as it is: a subcommand makes none, and does not wait for one that is not up.
pub fn open_db(config: &Config, clock: Clock) -> anyhow::Result<Db> {
    open_db_with(&db_options(config, IfMissing::Fail), clock)
}

/// How the configured database is reached.
pub fn db_options(config: &Config, if_missing: IfMissing) -> DbOptions {
    let database = &config.database;
    let connect = match database.connect_timeout_seconds {
        0 => database.timeout_seconds,
        seconds => seconds,
    };
    DbOptions {
        pool_size: database.pool_size,
        queue: database.queue,
        timeout: Duration::from_secs(database.timeout_seconds),
        connect_timeout: Duration::from_secs(connect),
        pooler: database.pooler,
        if_missing,
        ..DbOptions::new(database.url.clone())
    }
}

pub fn open_db_with(options: &DbOptions, clock: Clock) -> anyhow::Result<Db> {
    Db::open(options, clock).context("the database of [database] url cannot be opened")
}

/// Never works on a schema that this binary does not know.
pub fn check_schema(db: &Db) -> anyhow::Result<()> {
    match db.migration_status()? {
        MigrationStatus::UpToDate => Ok(()),
        MigrationStatus::Pending(count) => {
            bail!(
                "the database lacks {count} migration(s); run `latchway migrate` (or set [database] migrate_on_start = true)"
            )
        }
        MigrationStatus::Newer => Err(StorageError::Newer.into()),
    }
}
