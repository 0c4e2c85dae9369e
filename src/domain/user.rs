//! An account and its login sessions.

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
    /// The whole name as the person writes it.
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub role: Role,
    pub status: UserStatus,
    /// A PHC string, or nothing where no password was set.
    pub password_hash: Option<String>,
    pub password_changed_at: Seconds,
    /// Rises with every change that ends all access of this person.
    pub access_version: i64,
    pub created_at: Seconds,
    pub updated_at: Seconds,
}

impl User {
    /// An active account of a person without a password.
    pub fn new(id: Id, username: String, now: Seconds) -> Self {
        Self {
            id,
            username,
            email: None,
            email_verified_at: None,
            name: None,
            given_name: None,
            family_name: None,
            role: Role::User,
            status: UserStatus::Active,
            password_hash: None,
            password_changed_at: now,
            access_version: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// How the account greets its owner: the whole name, else its parts, else the user name.
    pub fn display_name(&self) -> String {
        match (&self.name, &self.given_name, &self.family_name) {
            (Some(name), ..) | (None, Some(name), None) | (None, None, Some(name)) => name.clone(),
            (None, Some(given), Some(family)) => format!("{given} {family}"),
            (None, None, None) => self.username.clone(),
        }
    }
}

/// Whether a login session still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStage {
    Live,
    Ended { at: Seconds },
}

/// A login of a person, in a browser or in a first-party app.
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
    /// The first-party app whose login it is; `None` for a browser.
    pub client_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_called_by_what_is_known() {
        let mut user = User::new(Id::from_bytes([1; 16]), "alice".to_owned(), 0);
        assert_eq!(user.display_name(), "alice");
        user.family_name = Some("Liddell".to_owned());
        assert_eq!(user.display_name(), "Liddell");
        user.given_name = Some("Alice".to_owned());
        assert_eq!(user.display_name(), "Alice Liddell");
        user.name = Some("Alice in Wonderland".to_owned());
        assert_eq!(user.display_name(), "Alice in Wonderland");
    }
}
