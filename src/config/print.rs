//! The effective configuration, to be shown.

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

use super::Config;
use super::redact::{self, REDACTED};

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the configuration file.
    Toml,
    /// One object, a member a section.
    Json,
}

/// The configuration in force, without its secrets.
pub fn print(config: &Config, format: Format) -> String {
    let printed = match format {
        Format::Toml => toml::to_string_pretty(config).map_err(|error| error.to_string()),
        Format::Json => serde_json::to_string_pretty(config).map(|json| json + "\n").map_err(|error| error.to_string()),
    };
    // Plain structs of numbers and text always serialize; a test prints both.
    printed.unwrap_or_else(|error| format!("the configuration cannot be printed: {error}\n"))
}

pub(super) fn secret<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_some(REDACTED),
        None => serializer.serialize_none(),
    }
}

pub(super) fn secret_text<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { REDACTED })
}

pub(super) fn url<S: Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact::url(url.expose_secret()))
}
