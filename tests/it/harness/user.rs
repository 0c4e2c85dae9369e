//! People.

use super::{Server, random};

#[derive(Debug, Clone)]
pub struct User {
    pub id: String,
    pub username: String,
    pub email: String,
    pub password: String,
}

impl User {
    /// Somebody new, with a name that no other test has.
    pub fn new(server: &Server) -> Self {
        Self::named(server, &format!("user{}", random(6).to_lowercase().replace(['-', '_'], "x")))
    }

    pub fn named(server: &Server, username: &str) -> Self {
        Self::named_with(server, username, &format!("{username}@people.example"))
    }

    /// With an address that does not follow from the name.
    pub fn named_with(server: &Server, username: &str, email: &str) -> Self {
        let (email, password) = (email.to_owned(), format!("correct horse {}", random(6)));
        let args = ["user", "create", "--username", username, "--email", &email, "--password-stdin"];
        let answer = server.try_cli(&args, &password).expect("a user");
        let id = answer["id"].as_str().expect("the id of the user").to_owned();
        Self { id, username: username.to_owned(), email, password }
    }
}
