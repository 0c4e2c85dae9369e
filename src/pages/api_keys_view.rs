//! What the page of one's API keys shows.

use askama::Template;

use super::view::{Layout, Name, ScopeView, When};

/// `GET /account/api-keys`
#[derive(Template, Debug)]
#[template(path = "api_keys.html")]
pub struct ApiKeysPage {
    /// Around the page.
    pub layout: Layout,
    /// The anti-forgery value of the forms that take something back.
    pub csrf: String,
    /// The anti-forgery value of the form that logs out.
    pub account_csrf: String,
    /// The keys that count, the newest first.
    pub keys: Vec<KeyView>,
    /// Forms that make a credential; `None` until the person has confirmed who they are.
    pub maker: Option<Maker>,
    /// The login that confirms it.
    pub confirm: String,
    /// The key that was just made, this once.
    pub shown: Option<ShownKey>,
    /// What has just been done.
    pub notice: Option<Notice>,
}

impl ApiKeysPage {
    fn is_wrong(&self) -> bool {
        self.maker.as_ref().is_some_and(|maker| !maker.errors.is_empty())
    }
}

/// What the forms need that make a credential.
#[derive(Clone, Debug)]
pub struct Maker {
    /// Their anti-forgery value.
    pub csrf: String,
    /// Makes each form work once.
    pub once: String,
    /// What was typed.
    pub name: String,
    pub networks: String,
    /// Scopes to choose from, and whether each is chosen.
    pub scopes: Vec<(ScopeView, bool)>,
    /// APIs and guarded apps to choose from, and whether each is chosen.
    pub audiences: Vec<(String, bool)>,
    /// Lifetimes to choose from: the field's value, its words, and whether it is chosen.
    pub lifetimes: Vec<(&'static str, &'static str, bool)>,
    /// All that is wrong with what was typed.
    pub errors: Vec<KeyError>,
}

/// What is wrong with what was typed, by its field.
#[derive(Clone, Debug)]
pub enum KeyError {
    Name(String),
    Scope(String),
    Audience(String),
    Networks(String),
    Form(String),
}

impl Maker {
    fn name_error(&self) -> Option<&str> {
        self.errors.iter().find_map(|error| if let KeyError::Name(why) = error { Some(why.as_str()) } else { None })
    }

    fn scope_error(&self) -> Option<&str> {
        self.errors.iter().find_map(|error| if let KeyError::Scope(why) = error { Some(why.as_str()) } else { None })
    }

    fn audience_error(&self) -> Option<&str> {
        self.errors.iter().find_map(|error| if let KeyError::Audience(why) = error { Some(why.as_str()) } else { None })
    }

    fn networks_error(&self) -> Option<&str> {
        self.errors.iter().find_map(|error| if let KeyError::Networks(why) = error { Some(why.as_str()) } else { None })
    }

    fn form_error(&self) -> Option<&str> {
        self.errors.iter().find_map(|error| if let KeyError::Form(why) = error { Some(why.as_str()) } else { None })
    }

    /// The first wrong field, in the order of the page, has the focus.
    fn focus(&self) -> &'static str {
        let fields = [
            ("name", self.name_error()),
            ("scope", self.scope_error()),
            ("audience", self.audience_error()),
            ("networks", self.networks_error()),
        ];
        fields.into_iter().find_map(|(field, error)| error.map(|_| field)).unwrap_or_default()
    }
}

/// One key.
#[derive(Clone, Debug)]
pub struct KeyView {
    pub id: String,
    pub name: Name,
    pub scopes: Vec<ScopeView>,
    pub audience: Vec<String>,
    pub networks: Vec<String>,
    pub created: When,
    pub expires: Option<When>,
    pub expired: bool,
    pub last_used: Option<(When, Option<String>)>,
    /// Until when the secret before the last rotation is taken.
    pub previous_until: Option<When>,
}

/// A key's text, which nobody can read again.
#[derive(Clone, Debug)]
pub struct ShownKey {
    pub name: Name,
    pub text: String,
    /// An API that takes it, for the command that tries it.
    pub api: Option<String>,
    /// The nonce of this response's Content-Security-Policy, for the script that copies.
    pub nonce: String,
    /// Whether it takes the place of another text, and until when that one works.
    pub replaces: Option<When>,
}

/// What has just been done.
#[derive(Clone, Copy, Debug)]
pub enum Notice {
    Revoked,
    /// The form had been sent before: the key was shown then.
    AlreadyMade,
}
