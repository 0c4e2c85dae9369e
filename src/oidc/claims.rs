//! What the scopes of OpenID Connect tell of a person.

use crate::domain::{Scopes, User};
use crate::protocol::UserInfo;

/// The claims that a scope opens (OIDC Core §5.4). Metadata and [`of_person`] tell the same.
pub const SCOPE_CLAIMS: &[(&str, &[&str])] = &[
    ("openid", &["sub"]),
    ("profile", &["name", "given_name", "family_name", "preferred_username", "updated_at"]),
    ("email", &["email", "email_verified"]),
];

/// The claims of a person that these scopes open. What is not known of the person is left out.
pub fn of_person(user: &User, scope: &Scopes) -> UserInfo {
    let mut info = UserInfo { sub: user.id.to_string(), ..UserInfo::default() };
    if scope.contains("profile") {
        info.name = Some(user.display_name());
        info.given_name.clone_from(&user.given_name);
        info.family_name.clone_from(&user.family_name);
        info.preferred_username = Some(user.username.clone());
        info.updated_at = Some(user.updated_at);
    }
    if scope.contains("email")
        && let Some(email) = &user.email
    {
        info.email = Some(email.clone());
        info.email_verified = Some(user.email_verified_at.is_some());
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Id;

    #[test]
    fn each_scope_opens_what_the_metadata_says() {
        let user = User {
            email: Some("a@example.com".to_owned()),
            given_name: Some("Alice".to_owned()),
            family_name: Some("Liddell".to_owned()),
            ..User::new(Id::from_bytes([1; 16]), "alice".to_owned(), 0)
        };
        for (scope, claims) in SCOPE_CLAIMS {
            let told = serde_json::to_value(of_person(&user, &[*scope].map(str::to_owned).into_iter().collect()));
            let told = told.expect("JSON");
            let mut names: Vec<&str> = told.as_object().expect("an object").keys().map(String::as_str).collect();
            names.retain(|name| *name != "sub" || *scope == "openid");
            names.sort_unstable();
            let mut wanted = claims.to_vec();
            wanted.sort_unstable();
            assert_eq!(names, wanted, "{scope}");
        }
    }
}
