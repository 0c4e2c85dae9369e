//! `[keys]`

use secrecy::SecretString;

use super::section;
use crate::config::keys::Rule::Secret;
use crate::config::keys::{DAY, HOUR, SIGNING_ALGS, number};

section! {
    /// Signing keys.
    Keys = "keys" {
        /// 32 random bytes in base64 or base64url: encrypts the private signing keys in the database. Required except under --dev,
        /// and the same on every node. Make one with `openssl rand -base64 32`; better given as LATCHWAY__KEYS__ENCRYPTION_KEY_FILE.
        #[serde(serialize_with = "crate::config::print::secret")]
        encryption_key: Option<SecretString> = none, Secret;
        /// The key before that one, while it is being changed: what it sealed still opens. See "Changing the encryption key" in
        /// docs/reliability.md.
        #[serde(serialize_with = "crate::config::print::secret")]
        previous_encryption_key: Option<SecretString> = none, Secret;
        /// Algorithm that signs access tokens: ES256, EdDSA, RS256 or PS256.
        access_token_alg: String = "ES256", SIGNING_ALGS;
        /// Algorithm that signs ID tokens for clients that registered none: ES256, EdDSA, RS256 or PS256.
        id_token_alg: String = "RS256", SIGNING_ALGS;
        /// Seconds for which a new key stands in the JWKS before it signs; also how long the JWKS may be cached.
        prepublish_seconds: u64 = 86400, number(1, 30 * DAY);
        /// Seconds between two looks for key changes made by other nodes.
        reload_seconds: u64 = 1, number(1, HOUR);
    }
}
