//! What can be said of a person, for `user create` and `user update`.

use clap::Args;

use super::context::usage;
use crate::domain::{Role, User, normalize_email};
use crate::support::Seconds;
use crate::support::text::is_one_line;

/// The longest name that is stored, in characters.
const MAX_NAME: usize = 200;

/// The profile of a person. In `user update`, what is not given stays as it is, and an empty value removes it.
#[derive(Args, Default)]
pub struct Profile {
    /// The e-mail address. Another one counts as not verified, unless --email-verified says otherwise
    #[arg(long)]
    pub email: Option<String>,
    /// The whole name, as the person writes it; told to apps with the scope `profile`, as the next two are
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub given_name: Option<String>,
    #[arg(long)]
    pub family_name: Option<String>,
}

impl Profile {
    /// Puts what was given into a person. Returns which fields changed, by name.
    pub fn apply(&self, user: &mut User) -> anyhow::Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        if let Some(text) = &self.email {
            let email = if text.is_empty() { None } else { Some(address(text)?) };
            if email != user.email {
                user.email = email;
                user.email_verified_at = None;
                changed.push("email");
            }
        }
        for (field, given, kept) in [
            ("name", &self.name, &mut user.name),
            ("given_name", &self.given_name, &mut user.given_name),
            ("family_name", &self.family_name, &mut user.family_name),
        ] {
            let Some(text) = given else { continue };
            let name = name(field, text)?;
            if *kept != name {
                *kept = name;
                changed.push(field);
            }
        }
        Ok(changed)
    }
}

/// What `user update` can change besides.
#[derive(Args, Default)]
pub struct Changes {
    #[command(flatten)]
    pub profile: Profile,
    /// Whether the e-mail address was shown to be the person's: yes or no
    #[arg(long, value_name = "yes|no", value_parser = ["yes", "no"])]
    pub email_verified: Option<String>,
    /// user or admin
    #[arg(long, value_name = "ROLE", value_parser = ["user", "admin"])]
    pub role: Option<String>,
}

impl Changes {
    /// Puts what was given into a person. Returns which fields changed, by name.
    pub fn apply(&self, user: &mut User, now: Seconds) -> anyhow::Result<Vec<&'static str>> {
        let mut changed = self.profile.apply(user)?;
        if let Some(word) = &self.email_verified {
            let verified = word == "yes";
            if verified && user.email.is_none() {
                return Err(usage("--email-verified yes needs an e-mail address; this person has none"));
            }
            if verified != user.email_verified_at.is_some() {
                user.email_verified_at = verified.then_some(now);
                changed.push("email_verified");
            }
        }
        if let Some(word) = &self.role {
            let role: Role = word.parse().map_err(|e| usage(format!("--role: {e}")))?;
            if role != user.role {
                user.role = role;
                changed.push("role");
            }
        }
        Ok(changed)
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        let Profile { email, name, given_name, family_name } = &self.profile;
        [email, name, given_name, family_name, &self.email_verified, &self.role].iter().all(|given| given.is_none())
    }
}

fn address(text: &str) -> anyhow::Result<String> {
    normalize_email(text).ok_or_else(|| usage("--email must be an address, such as alice@example.com"))
}

fn name(field: &str, text: &str) -> anyhow::Result<Option<String>> {
    let flag = field.replace('_', "-");
    let text = text.trim();
    if !is_one_line(text) {
        return Err(usage(format!("--{flag} must be one line, without control characters")));
    }
    if text.chars().count() > MAX_NAME {
        return Err(usage(format!("--{flag} has more than {MAX_NAME} characters")));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Id;

    fn alice() -> User {
        let user = User::new(Id::from_bytes([1; 16]), "alice".to_owned(), 0);
        User { email: Some("a@example.com".to_owned()), email_verified_at: Some(1), ..user }
    }

    #[test]
    fn another_address_is_not_verified() {
        let mut user = alice();
        let profile = Profile { email: Some("B@example.com".to_owned()), ..Profile::default() };
        assert_eq!(profile.apply(&mut user).expect("a change"), ["email"]);
        assert_eq!((user.email.as_deref(), user.email_verified_at), (Some("b@example.com"), None));
        let verified = Changes { email_verified: Some("yes".to_owned()), ..Changes::default() };
        assert_eq!(verified.apply(&mut user, 7).expect("a change"), ["email_verified"]);
        assert_eq!(user.email_verified_at, Some(7));
        assert!(verified.apply(&mut user, 8).expect("the same").is_empty());
        let removed = Profile { email: Some(String::new()), ..Profile::default() };
        removed.apply(&mut user).expect("a change");
        assert!(verified.apply(&mut user, 9).is_err(), "there is nothing to verify");
    }

    #[test]
    fn names_are_lines_of_text() {
        let mut user = alice();
        let given = |text: &str| Profile { given_name: Some(text.to_owned()), ..Profile::default() };
        assert_eq!(given(" Alice ").apply(&mut user).expect("a change"), ["given_name"]);
        assert_eq!(user.given_name.as_deref(), Some("Alice"));
        assert!(given("a\nb").apply(&mut user).is_err());
        assert!(given(&"x".repeat(201)).apply(&mut user).is_err());
        assert_eq!(given("").apply(&mut user).expect("a change"), ["given_name"]);
        assert_eq!(user.given_name, None);
    }
}
