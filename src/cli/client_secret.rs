//! Client secrets: made here, shown once, stored as a hash.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};

use super::tool::Tool;
use crate::domain::{AssertionAudience, AuthMethod, Client, MethodCheck};
use crate::support::{random_token, sha256};

/// Makes a client authenticate by another method. What belongs to the method before is dropped; the new secret is returned
/// where there was none.
pub fn change_method(tool: &Tool, client: &mut Client, method: AuthMethod) -> Option<SecretString> {
    client.auth_method = method;
    if method != AuthMethod::PrivateKeyJwt {
        client.jwks = None;
        client.assertion_audience = AssertionAudience::Issuer;
    }
    if !client.has_secret() {
        client.secret_hash = None;
        client.previous_secret = None;
        client.method_check = MethodCheck::Lenient;
        return None;
    }
    if client.secret_hash.is_some() {
        return None;
    }
    let secret = random_token(&tool.rng);
    client.secret_hash = Some(hash(&secret));
    Some(secret)
}

pub fn write_secret(path: &Path, secret: &SecretString) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file =
        file.with_context(|| format!("cannot make {}; the secret is stored, so rotate it once more", path.display()))?;
    file.write_all(secret.expose_secret().as_bytes())
        .with_context(|| format!("cannot write {}; the secret is stored, so rotate it once more", path.display()))
}

pub fn hash(secret: &SecretString) -> Vec<u8> {
    sha256(secret.expose_secret().as_bytes()).to_vec()
}
