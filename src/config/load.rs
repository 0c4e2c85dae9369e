//! Defaults, then file, then environment, then flags: one checked configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Value;

use super::error::{ConfigError, Origin, Problem};
use super::mode::Dev;
use super::settings::Settings;
use super::sources::{self, Variables};
use super::template::template;
use super::validate::validate;
use super::{Config, LogFormat, issuer, lookup};

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config_file: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--data`
    pub data_dir: Option<PathBuf>,
    /// `--dev`
    pub dev: Dev,
}

impl Overrides {
    /// The data directory: the one that was given, in developers' mode otherwise `data`.
    pub fn data_dir(&self) -> Option<&Path> {
        match (&self.data_dir, self.dev) {
            (Some(given), _) => Some(given),
            (None, Dev::Yes) => Some(Path::new("data")),
            (None, Dev::No) => None,
        }
    }
}

/// Reads every source, each overriding the one before, and checks the whole.
///
/// # Errors
///
/// All problems at once: those of single values first, and if there are none, those of values that do not go together.
pub fn load(overrides: &Overrides, env: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let variables = env.filter(|(name, _)| name.starts_with("LATCHWAY_")).collect();
    let settings = gather(overrides, &variables)?;
    let table = settings.to_table();
    let config = Config::deserialize(table).map_err(|error| Problem::Shape(error.message().to_owned()))?;
    let mut config = complete(config, &settings, overrides);
    config.warnings = settings.warnings().to_vec();
    ConfigError::unless_empty(validate(&config, &settings, overrides.dev))?;
    Ok(config)
}

fn gather(overrides: &Overrides, variables: &Variables) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    let mut problems = sources::put_toml(&mut settings, template(), &Origin::Default);
    if let Some((path, named_by)) = config_file(overrides, variables) {
        match sources::read(&path, named_by) {
            Ok(text) => problems.extend(sources::put_toml(&mut settings, &text, &Origin::File(path))),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(sources::put_environment(&mut settings, variables));
    problems.extend(put_flags(&mut settings, overrides).err());
    ConfigError::unless_empty(problems)?;
    Ok(settings)
}

fn config_file(overrides: &Overrides, variables: &Variables) -> Option<(PathBuf, &'static str)> {
    if let Some(path) = &overrides.config_file {
        return Some((path.clone(), "--config"));
    }
    let path = variables.get("LATCHWAY_CONFIG").filter(|path| !path.is_empty())?;
    Some((PathBuf::from(path), "environment variable LATCHWAY_CONFIG"))
}

fn put_flags(settings: &mut Settings, overrides: &Overrides) -> Result<(), Problem> {
    match (overrides.listen, lookup::find("server", "listen")) {
        (Some(listen), Some(key)) => settings.put(key, Value::String(listen.to_string()), Origin::Flag("--listen")),
        _ => Ok(()),
    }
}

/// Fills in what follows from other values.
fn complete(mut config: Config, settings: &Settings, overrides: &Overrides) -> Config {
    if config.database.url.expose_secret().is_empty() {
        config.database.url = SecretString::from(overrides.data_dir().map_or_else(String::new, sqlite_in));
    }
    if overrides.dev == Dev::Yes {
        if config.server.issuer.is_empty() && config.server.listen.port() != 0 {
            config.server.issuer = issuer::at(config.server.listen);
        }
        if settings.origin("log", "format") == Origin::Default {
            config.log.format = LogFormat::Text;
        }
    }
    config
}

fn sqlite_in(data_dir: &Path) -> String {
    format!("sqlite://{}", data_dir.join("latchway.db").display())
}
