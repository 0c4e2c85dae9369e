//! `[api]` of `mock.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The mocked API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSettings {
    /// OpenAPI documents, from the folder of `mock.toml`.
    pub documents: Vec<String>,
    /// What tokens for this API name as their audience; by default the mock's own URL.
    pub audience: Option<String>,
    /// Whether requests are checked by the document.
    pub validate: bool,
    /// API keys that are known. Without any, each one is good.
    pub keys: Vec<KeySettings>,
    /// User names and passwords for HTTP Basic. Without any, all are good.
    pub basic: Vec<BasicSettings>,
    pub routes: Vec<RouteSettings>,
    pub overrides: Vec<OverrideSettings>,
    pub collections: BTreeMap<String, CollectionSettings>,
    pub views: Vec<ViewSettings>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            audience: None,
            validate: true,
            keys: Vec::new(),
            basic: Vec::new(),
            routes: Vec::new(),
            overrides: Vec::new(),
            collections: BTreeMap::new(),
            views: Vec::new(),
        }
    }
}

/// One value, or some of which any will do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Words {
    One(String),
    Any(Vec<String>),
}

impl Words {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter().map(String::as_str),
            Self::Any(any) => any.iter().map(String::as_str),
        }
    }
}

/// A key, and whom it stands for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeySettings {
    pub key: String,
    /// The user name of a persona.
    pub persona: Option<String>,
    pub client: Option<String>,
    pub scopes: Vec<String>,
    pub roles: Vec<String>,
}

/// A user name with its password, and what it stands for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasicSettings {
    pub username: String,
    pub password: String,
    pub scopes: Vec<String>,
    pub roles: Vec<String>,
}

/// A route that no document describes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    pub method: String,
    /// With `{name}` for a segment that may be anything.
    pub path: String,
    #[serde(default)]
    pub requires: RequireSettings,
    #[serde(default)]
    pub answers: Vec<AnswerSettings>,
}

/// What a request must have to be answered at all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequireSettings {
    /// A header that must be there, or headers with the values that they must have (`"*"` for any).
    pub header: Option<HeaderSettings>,
    pub token: bool,
    /// All of these.
    pub scope: Option<Words>,
    /// One of these.
    pub role: Option<Words>,
    /// A name that must be among the token's audiences, besides that of `[api]`.
    pub audience: Option<String>,
    pub api_key: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum HeaderSettings {
    Name(String),
    Names(Vec<String>),
    Values(BTreeMap<String, String>),
}

/// An answer, and to whom and what it is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerSettings {
    pub when: Option<WhenSettings>,
    pub status: Option<u16>,
    /// The name of an example of the document's.
    pub example: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: Option<Value>,
    /// A file with the body, from the folder of `mock.toml`; `.json` may have templates.
    pub file: Option<String>,
}

/// All that is said must hold. Of several values one is enough.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WhenSettings {
    pub role: Option<Words>,
    pub scope: Option<Words>,
    /// Claims of the token by name, with dots for what is inside.
    pub claim: BTreeMap<String, Value>,
    /// A persona's user name, or the subject of the token.
    pub persona: Option<Words>,
    pub sub: Option<Words>,
    pub client: Option<Words>,
    pub anonymous: Option<bool>,
    pub query: BTreeMap<String, String>,
    pub header: BTreeMap<String, String>,
    pub path: BTreeMap<String, String>,
    /// Members of a JSON body by name, with dots for what is inside.
    pub body: BTreeMap<String, Value>,
}

/// Answers for an operation of a document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideSettings {
    /// Its `operationId`, or method and path: `GET /orders`.
    pub operation: String,
    /// Besides what the document requires.
    #[serde(default)]
    pub requires: RequireSettings,
    #[serde(default)]
    pub answers: Vec<AnswerSettings>,
}

/// Things that are kept, changed and removed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionSettings {
    pub path: String,
    /// The member that names an item.
    #[serde(default = "id")]
    pub id: String,
    #[serde(default)]
    pub items: Vec<Value>,
    /// A JSON file with a list of items.
    pub file: Option<String>,
    #[serde(default)]
    pub requires: RequireSettings,
    /// Besides, for whoever changes something.
    #[serde(default)]
    pub requires_to_change: RequireSettings,
    /// The claim that names whose an item is. Others see and change their own ones only, unless they have a role of
    /// [`CollectionSettings::all`].
    pub owner: Option<String>,
    /// The member of an item that has the value of that claim.
    #[serde(default = "owner")]
    pub owner_field: String,
    /// Roles that see and change everybody's.
    #[serde(default = "admin")]
    pub all: Words,
}

fn id() -> String {
    "id".to_owned()
}

fn owner() -> String {
    "owner".to_owned()
}

fn admin() -> Words {
    Words::One("admin".to_owned())
}

/// Members that some do not get to see, in all JSON answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSettings {
    /// Who does not; everybody, if nothing is said.
    pub when: Option<WhenSettings>,
    /// Who does all the same.
    pub except: Option<WhenSettings>,
    /// Names of members, wherever they stand; with dots, from the outermost member on.
    pub hide: Vec<String>,
}
