//! API keys, as the command line makes them.

use super::{Client, Server, User};

#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    /// What its program holds.
    pub text: String,
}

impl Key {
    /// One of a client's, with more arguments for `api-key create`.
    #[track_caller]
    pub fn of_client(server: &Server, client: &Client, scope: &str, flags: &[&str]) -> Self {
        Self::create(server, &[&["--client", &client.id, "--name", "Export", "--scope", scope], flags].concat())
    }

    /// One of a person's, for this server where the flags name no API. Each of the scopes gets words, so that it is one that
    /// people can allow.
    #[track_caller]
    pub fn of_person(server: &Server, user: &User, scope: &str, flags: &[&str]) -> Self {
        scope.split(' ').for_each(|scope| register(server, scope));
        let general = ["--audience", server.issuer.as_str()];
        let audience = if flags.contains(&"--audience") { &[][..] } else { &general };
        let person = ["--user", &user.username, "--name", "Script", "--scope", scope];
        Self::create(server, &[&person, audience, flags].concat())
    }

    #[track_caller]
    fn create(server: &Server, args: &[&str]) -> Self {
        Self::read(&server.cli(&[&["api-key", "create"], args].concat()))
    }

    #[track_caller]
    pub fn read(answer: &serde_json::Value) -> Self {
        let member = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned();
        Self { id: member("id"), text: member("api_key") }
    }
}

/// Gives a scope words.
#[track_caller]
pub fn register(server: &Server, scope: &str) {
    server.cli(&["scope", "set", scope, "--title", &format!("Use {scope}")]);
}
