//! The form of `/account/api-keys` that makes a key: what was typed, and what is wanted by it.

use super::api_keys_view::KeyError;
use crate::api_key::Wish;
use crate::domain::{KeyOwner, Scopes};
use crate::protocol::Params;
use crate::support::{Network, Seconds};

/// The field's value, its words, and the seconds.
pub const LIFETIMES: &[(&str, &str, Option<Seconds>)] = &[
    ("30d", "30 days", Some(30 * 86_400)),
    ("90d", "90 days", Some(90 * 86_400)),
    ("365d", "One year", Some(365 * 86_400)),
    ("never", "It does not expire", None),
];
pub const USUAL_LIFETIME: &str = "90d";
/// What a person typed.
#[derive(Default)]
pub struct Typed {
    pub name: String,
    pub networks: String,
    pub scopes: Vec<String>,
    pub audience: Vec<String>,
    pub lifetime: String,
}

impl Typed {
    pub fn read(form: &Params) -> Self {
        let field = |name: &str| form.get(name).unwrap_or_default().chars().take(2_000).collect::<String>();
        let all = |name: &str| form.all(name).map(str::to_owned).collect();
        Self {
            name: field("name"),
            networks: field("networks"),
            scopes: all("scope"),
            audience: all("audience"),
            lifetime: field("expires"),
        }
    }

    /// Another wish is another form.
    pub fn form_name(&self) -> String {
        format!("create {:?}", (&self.name, &self.networks, &self.scopes, &self.audience, &self.lifetime))
    }

    /// What is wanted, or all that is wrong with it, so that nothing is told one round later.
    pub fn wish(&self, owner: KeyOwner) -> Result<Wish, Vec<KeyError>> {
        let mut errors = Vec::new();
        if self.name.trim().is_empty() {
            errors.push(KeyError::Name("Give the key a name, so that you recognise it later.".to_owned()));
        }
        let scope = if self.scopes.is_empty() {
            errors.push(KeyError::Scope("Choose at least one thing that the key may do.".to_owned()));
            Scopes::default()
        } else {
            Scopes::parse(&self.scopes.join(" ")).unwrap_or_else(|e| {
                errors.push(KeyError::Scope(e.to_string()));
                Scopes::default()
            })
        };
        if self.audience.is_empty() {
            errors.push(KeyError::Audience("Choose at least one place where the key works.".to_owned()));
        }
        let words = self.networks.split([' ', ',']).filter(|word| !word.is_empty());
        let networks = words.map(Network::or_address).collect::<Result<_, _>>().unwrap_or_else(|_| {
            errors.push(KeyError::Networks("Write addresses or networks such as 192.0.2.7 or 10.0.0.0/8.".to_owned()));
            Vec::new()
        });
        let lifetime = LIFETIMES.iter().find(|(value, ..)| *value == self.lifetime);
        let Some((.., expires_in)) = lifetime else {
            errors.push(KeyError::Form("Choose how long the key lasts.".to_owned()));
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let name = self.name.clone();
        let audience = self.audience.clone();
        Ok(Wish { owner, name, scope, audience, networks, rate_limit: None, expires_in: *expires_in })
    }
}
