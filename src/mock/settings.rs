//! `mock.toml`: everything has a default, and without a file there are Alice and Bob.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::place::is_prefix;
use super::rules::settings::{ProfileSettings, RuleSettings};
use super::rules::{RuleError, Rules};
use crate::domain::{Role, normalize_email, normalize_username};
use latchway_mock_api::ApiSettings;

/// What a mock is to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Loopback only.
    pub listen: SocketAddr,
    /// What pages call the server.
    pub name: String,
    /// Keys, ids and whatever is made up follow from it.
    pub seed: u64,
    /// Whether clients that nobody configured are served, with any redirect URI on this machine or of an app on it.
    pub strangers: bool,
    /// Whether whoever is logged in by `login_hint` has consented, too.
    pub consent_by_hint: bool,
    pub tokens: Tokens,
    pub personas: Vec<PersonaSettings>,
    pub clients: Vec<ClientSettings>,
    pub issuers: Vec<IssuerSettings>,
    pub api: ApiSettings,
    /// Trouble from the start.
    pub rules: Vec<RuleSettings>,
    /// The profile that is on from the start.
    pub profile: Option<String>,
    pub profiles: BTreeMap<String, ProfileSettings>,
}

/// Lifetimes, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    pub access_token_seconds: i64,
    pub id_token_seconds: i64,
    pub code_seconds: i64,
    /// ES256, EdDSA, RS256 or PS256.
    pub access_token_alg: String,
    pub id_token_alg: String,
}

/// Somebody to log in as.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonaSettings {
    pub username: String,
    /// What pages and ID tokens call them; by default the user name with a capital.
    pub name: Option<String>,
    /// By default the user name at example.com.
    pub email: Option<String>,
    /// `user` or `admin`.
    #[serde(default = "user")]
    pub role: String,
    /// For whoever types one; by default the user name.
    pub password: Option<String>,
}

fn user() -> String {
    Role::User.as_str().to_owned()
}

/// A client that is there from the start, with rules of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    pub id: String,
    pub name: Option<String>,
    /// None makes a public client.
    pub secret: Option<String>,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// What it may ask for; by default everything that is usual.
    pub scope: Option<String>,
    /// The APIs whose tokens it may ask for.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The APIs that it is: it may introspect tokens for them.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Logs people in at `/api/v1/login`.
    #[serde(default)]
    pub first_party: bool,
}

/// One more authorization server, below a path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// One segment, such as `acme`.
    pub path: String,
    pub name: Option<String>,
    /// Its people; by default those of the main one.
    pub personas: Option<Vec<PersonaSettings>>,
}

impl Default for Settings {
    fn default() -> Self {
        let persona = |username: &str, role: Role| PersonaSettings {
            username: username.to_owned(),
            name: None,
            email: None,
            role: role.as_str().to_owned(),
            password: None,
        };
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            name: "Latchway mock".to_owned(),
            seed: 1,
            strangers: true,
            consent_by_hint: true,
            tokens: Tokens::default(),
            personas: vec![persona("alice", Role::User), persona("bob", Role::Admin)],
            clients: Vec::new(),
            issuers: Vec::new(),
            api: ApiSettings::default(),
            rules: Vec::new(),
            profile: None,
            profiles: BTreeMap::new(),
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_token_seconds: 300,
            id_token_seconds: 300,
            code_seconds: 60,
            access_token_alg: "ES256".to_owned(),
            id_token_alg: "RS256".to_owned(),
        }
    }
}

/// Why there is no mock to be made of a file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, std::io::Error),
    #[error("{0}: {1}")]
    Shape(PathBuf, String),
    #[error(
        "{0} is a configuration of the server, not of a mock: it has [{1}]. A mock never runs on one; see `latchway mock --help`"
    )]
    Production(PathBuf, String),
    #[error("{0}")]
    Invalid(String),
}

/// Sections that only the configuration of a real server has.
const OF_A_SERVER: [&str; 7] = ["server", "database", "keys", "sessions", "passwords", "limits", "audit"];

impl Settings {
    /// The rules with which a world begins.
    ///
    /// # Errors
    /// If one of them, or the profile, cannot be used.
    pub fn first_rules(&self) -> Result<Rules, RuleError> {
        let rules = Rules::new(&self.rules, &self.profiles, self.seed)?;
        if let Some(name) = &self.profile {
            rules.switch_on(name)?;
        }
        Ok(rules)
    }

    /// The audience of the mocked API, for an issuer at or below the mock's address.
    pub fn audience(&self, issuer: &str) -> String {
        let base =
            || url::Url::parse(issuer).map_or_else(|_| issuer.to_owned(), |url| url.origin().ascii_serialization());
        self.api.audience.clone().unwrap_or_else(base)
    }

    /// Whether a client has settings of its own.
    pub fn has_client(&self, id: &str) -> bool {
        self.clients.iter().any(|client| client.id == id) || id == super::defaults::API_CLIENT
    }

    /// Reads a file strictly.
    ///
    /// # Errors
    /// If it cannot be read, has what nobody knows, or is the configuration of a real server.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|e| SettingsError::Read(path.to_owned(), e))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| shape(path, &e))?;
        if let Some(section) = OF_A_SERVER.into_iter().find(|name| table.contains_key(*name)) {
            return Err(SettingsError::Production(path.to_owned(), section.to_owned()));
        }
        toml::from_str(&text).map_err(|e| shape(path, &e))
    }

    /// What does not go together.
    ///
    /// # Errors
    /// The first mistake, by the name of the setting.
    pub fn check(&self) -> Result<(), SettingsError> {
        let invalid = |why: String| Err(SettingsError::Invalid(why));
        if !self.listen.ip().is_loopback() {
            return invalid(format!(
                "listen = {:?} would show the mock to others: whoever reaches it is whoever they like. It must be a loopback address such as 127.0.0.1:8080",
                self.listen.to_string()
            ));
        }
        for algorithm in [&self.tokens.access_token_alg, &self.tokens.id_token_alg] {
            if let Err(why) = algorithm.parse::<crate::domain::Algorithm>() {
                return invalid(format!("[tokens] {why}"));
            }
        }
        for issuer in &self.issuers {
            if !is_prefix(&issuer.path) || issuer.path.split('/').next() == Some("mock") {
                return invalid(format!(
                    "[[issuers]] path = {:?} must be segments of letters, digits, -, _, . and ~, such as tenant/v2.0, and not begin with \"mock\"",
                    issuer.path
                ));
            }
        }
        if let Err(why) = self.first_rules() {
            return invalid(why.to_string());
        }
        let people = self.issuers.iter().filter_map(|issuer| issuer.personas.as_ref()).flatten();
        for persona in self.personas.iter().chain(people) {
            persona.check().map_err(SettingsError::Invalid)?;
        }
        Ok(())
    }
}

impl PersonaSettings {
    fn check(&self) -> Result<(), String> {
        if normalize_username(&self.username).as_deref() != Some(&self.username) {
            return Err(format!(
                "[[personas]] username = {:?} must have 1 to 64 small letters, digits, dots, - and _",
                self.username
            ));
        }
        if self.email.as_deref().is_some_and(|email| normalize_email(email).is_none()) {
            return Err(format!("[[personas]] email = {:?} is no e-mail address", self.email));
        }
        self.role.parse::<Role>().map(|_| ()).map_err(|why| format!("[[personas]] role: {why}"))
    }
}

/// The place and the reason, and of an unknown name the nearest one that is known.
fn shape(path: &Path, error: &toml::de::Error) -> SettingsError {
    let message = error.message();
    let nearest = || {
        let mut quoted = message.split('`').skip(1).step_by(2);
        let (unknown, known) = (quoted.next()?, quoted.collect::<Vec<_>>());
        let best = known
            .into_iter()
            .max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)))?;
        Some(format!("; did you mean `{best}`?"))
    };
    let hint = if message.starts_with("unknown field") { nearest() } else { None };
    SettingsError::Shape(path.to_owned(), format!("{}{}", error.to_string().trim_end(), hint.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let path = std::env::temp_dir().join(format!("latchway-mock-{}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        let read = Settings::read(&path).and_then(|settings| settings.check().map(|()| settings));
        std::fs::remove_file(&path).expect("removed");
        read.map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_is_read_strictly() {
        let settings = read("seed = 7\n[[personas]]\nusername = \"carol\"\nrole = \"admin\"").expect("good");
        assert_eq!((settings.seed, settings.personas.len()), (7, 1));
        for (text, says) in [
            ("sead = 7", "did you mean `seed`"),
            ("listen = \"0.0.0.0:80\"", "loopback"),
            ("[server]\nissuer = \"https://id.example\"", "never runs on one"),
            ("[database]\nurl = \"postgres://x\"", "never runs on one"),
            ("[[personas]]\nusername = \"A b\"", "username"),
            ("[[personas]]\nusername = \"a\"\nrole = \"boss\"", "role"),
            ("[[issuers]]\npath = \"a//b\"", "segments of letters"),
            ("[[issuers]]\npath = \"mock/b\"", "not begin with"),
            ("[tokens]\nid_token_alg = \"HS256\"", "[tokens]"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
