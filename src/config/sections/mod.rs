//! The settings: a file a section, and in it each setting once, with its type, its default, what it may hold and what it does.
//! The structs, the checks, `latchway config template` and `latchway config schema` are made of these rows.

mod anomalies;
mod api_keys;
mod audit;
mod cleanup;
mod database;
mod device;
mod gatekeeper;
mod keys;
mod limits;
mod log;
mod passwords;
mod server;
mod sessions;
mod tokens;

use serde::{Deserialize, Serialize};

pub use anomalies::{Anomalies, Reaction};
pub use api_keys::ApiKeys;
pub use audit::Audit;
pub use cleanup::Cleanup;
pub use database::{Database, Pooler};
pub use device::Device;
pub use gatekeeper::Gatekeeper;
pub use keys::Keys;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use passwords::Passwords;
pub use server::Server;
pub use sessions::Sessions;
pub use tokens::Tokens;

use super::keys::Key;

/// A section of the configuration file.
#[derive(Debug)]
pub(super) struct Section {
    pub name: &'static str,
    /// What it is about, a line each.
    pub about: &'static [&'static str],
    /// In the order of the template.
    pub keys: &'static [Key],
}

/// Declares a section as a struct and as rows. A setting reads
///
/// ```text
/// /// What it does, in the words of the template.
/// name: Type = default, Rule;
/// ```
///
/// where the default is written as in TOML, and `none` is a setting without one.
macro_rules! section {
    ($(#[doc = $about:literal])+ $type:ident = $section:literal {
        $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? $name:ident: $value:ty = $default:tt, $rule:expr;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            $($(#[doc = $doc])+ $(#[serde($($serde)*)])? pub $name: $value,)+
        }

        impl $type {
            pub(super) const SECTION: crate::config::sections::Section = crate::config::sections::Section {
                name: $section,
                about: &[$($about),+],
                keys: &[$(crate::config::keys::Key {
                    section: $section,
                    name: stringify!($name),
                    rule: $rule,
                    default: stringify!($default),
                    doc: &[$($doc),+],
                }),+],
            };
        }
    };
}
use section;

/// Declares [`Config`] and the list of all sections.
macro_rules! config {
    ($($field:ident: $type:ident),+ $(,)?) => {
        /// Everything that an operator can set. Serialized, it is fit to be shown: secrets are left out.
        #[derive(Debug, Clone, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct Config {
            $(pub $field: $type,)+
            /// What its sources have that sets nothing, to be told once at the start.
            #[serde(skip)]
            pub warnings: Vec<String>,
        }

        /// In the order of the template.
        pub(super) static SECTIONS: &[Section] = &[$($type::SECTION),+];
    };
}

config! {
    server: Server,
    database: Database,
    keys: Keys,
    tokens: Tokens,
    sessions: Sessions,
    device: Device,
    passwords: Passwords,
    api_keys: ApiKeys,
    limits: Limits,
    anomalies: Anomalies,
    gatekeeper: Gatekeeper,
    log: Log,
    cleanup: Cleanup,
    audit: Audit,
}
