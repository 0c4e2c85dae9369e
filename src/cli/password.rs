//! Passwords that an operator sets for a person: read without showing them, and held to the rules of the pages.

use std::io::{IsTerminal, Read};

use secrecy::{ExposeSecret, SecretString};

use super::context::usage;
use super::tool::Tool;
use crate::domain::User;
use crate::identity::{About, Passwords, acceptable};

/// Reads a password from standard input, or asks for it twice at a terminal. Never from a flag, which the process list and
/// the shell's history would show.
pub fn read(from_stdin: bool) -> anyhow::Result<SecretString> {
    let password = if from_stdin {
        piped()?
    } else if std::io::stdin().is_terminal() {
        asked()?
    } else {
        let why = "there is no terminal to ask for the password; add --password-stdin and give it on standard input";
        return Err(usage(why));
    };
    if password.expose_secret().is_empty() {
        return Err(usage("the password is empty"));
    }
    if password.expose_secret().chars().any(char::is_control) {
        return Err(usage("the password has a control character, which no login form could send"));
    }
    Ok(password)
}

/// All of standard input; a line break at its end does not count.
fn piped() -> anyhow::Result<SecretString> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().take(64 * 1024).read_to_string(&mut text)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(password.strip_suffix('\r').unwrap_or(password)))
}

fn asked() -> anyhow::Result<SecretString> {
    let first = SecretString::from(rpassword::prompt_password("Password: ")?);
    let again = SecretString::from(rpassword::prompt_password("The same again: ")?);
    if first.expose_secret() == again.expose_secret() {
        Ok(first)
    } else {
        Err(usage("the two passwords are not the same; nothing was changed"))
    }
}

/// The hash of a password that this person may have.
pub fn hash(tool: &Tool, user: &User, password: SecretString) -> anyhow::Result<String> {
    let names = [&user.name, &user.given_name, &user.family_name];
    let names: Vec<&str> = names.into_iter().filter_map(|name| name.as_deref()).collect();
    let about = About {
        username: &user.username,
        email: user.email.as_deref(),
        names: &names,
        service: &tool.config.server.name,
    };
    acceptable(password.expose_secret(), &about, tool.config.passwords.min_length).map_err(usage)?;
    let passwords = Passwords::new(&tool.config.passwords, tool.rng.clone())?;
    Ok(tool.runtime.block_on(passwords.hash(password))?)
}
