use unicode_normalization::UnicodeNormalization;

use super::words;
use crate::support::{Id, Seconds};

words! {
    Role { User = "user", Admin = "admin" }
}

words! {
    UserStatus { Active = "active", Disabled = "disabled" }
}

/// A person with an account.
#[derive(Debug, Clone)]
pub struct User {
    pub id: Id,
    pub username: String,
    pub email: Option<String>,
    pub email_verified_at: Option<Seconds>,
    pub name: Option<String>,
    pub role: Role,
    pub status: UserStatus,
    /// A PHC string, or nothing where no password was set.
    pub password_hash: Option<String>,
    pub password_changed_at: Seconds,
    pub created_at: Seconds,
    pub updated_at: Seconds,
}

impl User {
    /// How the account greets its owner.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.username)
    }
}

/// A user name as it is stored and compared: NFKC, lower case, no blanks around it. `None` if it cannot be one.
///
/// An `@` is refused, so that nobody takes another's e-mail address as a user name.
pub fn normalize_username(text: &str) -> Option<String> {
    let name: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
    let length = name.chars().count();
    let sound = name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    (sound && (1..=64).contains(&length)).then_some(name)
}

/// An e-mail address as it is stored and compared. `None` if it cannot be one.
pub fn normalize_email(text: &str) -> Option<String> {
    let address: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
    let (local, domain) = address.split_once('@')?;
    let sound = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && address.len() <= 254
        && !address.chars().any(|c| c.is_whitespace() || c.is_control());
    sound.then_some(address)
}

/// Whether a login session still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStage {
    Live,
    Ended { at: Seconds },
}

/// A browser in which somebody is logged in.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    pub user_id: Id,
    /// When the person last proved who they are.
    pub auth_time: Seconds,
    pub created_at: Seconds,
    pub last_seen_at: Seconds,
    pub expires_at: Seconds,
    pub stage: SessionStage,
    pub user_agent: String,
    pub address: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_one_spelling() {
        assert_eq!(normalize_username(" Alice "), Some("alice".to_owned()));
        assert_eq!(normalize_username("ｂｏｂ"), Some("bob".to_owned()));
        assert_eq!(normalize_username("a@b.example"), None);
        assert_eq!(normalize_username(""), None);
        assert_eq!(normalize_email("A@B.Example "), Some("a@b.example".to_owned()));
        assert_eq!(normalize_email("a@b@c"), None);
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "\\PC{0,40}") {
            if let Some(name) = normalize_username(&text) {
                prop_assert_eq!(normalize_username(&name), Some(name.clone()));
            }
            if let Some(address) = normalize_email(&text) {
                prop_assert_eq!(normalize_email(&address), Some(address.clone()));
            }
        }
    }
}
