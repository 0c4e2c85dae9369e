//! What an app asks for, in words: for the consent page, the device page and the account page.

use crate::domain::{OFFLINE_ACCESS, OPENID, ROLES, Scopes, User};
use crate::storage::apis::{self, ApiTitle};
use crate::storage::consents::{self, Consent};
use crate::storage::scopes::{self, ScopeText};
use crate::storage::{Conn, StorageError};
use crate::support::Id;

/// One scope in words. Where `title` is empty, the page shows the raw name and says that it has no description.
#[derive(Clone, Debug, Default)]
pub struct ScopeView {
    /// The scope itself, as in the request.
    pub name: String,
    /// What it allows, in a few words.
    pub title: String,
    /// One sentence more; may be empty.
    pub description: String,
    /// Whether the operator wants people to be warned of it.
    pub sensitive: bool,
    /// Whether the app was allowed other things before, but not this.
    pub is_new: bool,
    /// What the app learns at once, such as the e-mail address.
    pub value: Option<String>,
}

/// One API.
#[derive(Clone, Debug, Default)]
pub struct ApiView {
    pub uri: String,
    /// What the operator calls it.
    pub title: Option<String>,
    /// Whether the app was allowed something before, but not at this API.
    pub is_new: bool,
}

/// With so many scopes their descriptions are folded, so that the decision is not out of sight.
pub const FOLDED_FROM: usize = 9;

/// The words of the operator, and what a person allowed an app before.
pub struct Words {
    scopes: Vec<ScopeText>,
    apis: Vec<ApiTitle>,
    before: Vec<Consent>,
}

impl Words {
    /// For pages on which a person decides over what a client asks for.
    pub fn of_request(
        conn: &mut Conn,
        resources: &[String],
        user_id: Id,
        client_id: &str,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            scopes: scopes::list(conn)?,
            apis: apis::titles(conn, resources)?,
            before: consents::for_client(conn, user_id, client_id)?,
        })
    }

    /// For pages that list what was allowed.
    pub fn all(conn: &mut Conn) -> Result<Self, StorageError> {
        Ok(Self { scopes: scopes::list(conn)?, apis: apis::list(conn)?, before: Vec::new() })
    }

    /// Whether the person allowed this client something before.
    fn is_known(&self) -> bool {
        !self.before.is_empty()
    }

    /// Scopes in words, what the operator warns of first. `user` is the person whose data they open.
    pub fn scopes(&self, wanted: &Scopes, user: Option<&User>) -> Vec<ScopeView> {
        let view = |name: &str| {
            let text = self.scopes.iter().find(|text| text.name == name);
            ScopeView {
                name: name.to_owned(),
                title: text.map(|text| text.title.clone()).unwrap_or_default(),
                description: text.map(|text| text.description.clone()).unwrap_or_default(),
                sensitive: text.is_some_and(|text| text.sensitive),
                is_new: self.is_known() && !self.before.iter().any(|consent| consent.scope.contains(name)),
                value: user.and_then(|user| value(name, user)),
            }
        };
        let mut views: Vec<ScopeView> = wanted.iter().map(view).collect();
        views.sort_by_key(|scope| match scope.name.as_str() {
            _ if scope.sensitive => 0,
            OPENID => 1,
            "profile" => 2,
            "email" => 3,
            OFFLINE_ACCESS => 5,
            _ => 4,
        });
        views
    }

    pub fn apis(&self, resources: &[String]) -> Vec<ApiView> {
        let view = |uri: &String| ApiView {
            uri: uri.clone(),
            title: self.apis.iter().find(|api| api.uri == *uri).map(|api| api.title.clone()),
            is_new: self.is_known() && !self.before.iter().any(|consent| consent.resource == *uri),
        };
        resources.iter().map(view).collect()
    }
}

/// What an app learns of a person by a scope (OIDC Core §5.4).
fn value(scope: &str, user: &User) -> Option<String> {
    match scope {
        "profile" => Some(user.display_name().to_owned()),
        "email" => user.email.clone(),
        ROLES => Some(user.role.as_str().to_owned()),
        _ => None,
    }
}
