//! Entities as enums of stages. No IO.

mod api_key;
mod attempts;
pub mod chain;
mod client;
mod client_keys;
mod client_policy;
mod client_validation;
mod device;
mod gate;
mod grant;
mod redirect;
mod scope;
mod user;
mod user_code;
mod username;

pub use api_key::{ApiKey, ApiKeyStage, InvalidApiKey, KeyOwner, LastUse};
pub use attempts::{Attempts, Lease, Place, ThrottleKind};
pub use client::{
    Algorithm, ApplicationType, AuthMethod, Client, ClientStatus, GrantType, Party, validate_resource, validate_uri,
};
pub use client_keys::{ASSERTION_ALGORITHMS, may_verify};
pub use client_policy::{AssertionAudience, ConsentPolicy, IdTokenClaims, MethodCheck, PkcePolicy, RefreshPolicy};
pub use client_validation::ClientValidation;
pub use device::{DeviceCode, DeviceStage};
pub use gate::{Gate, GateStage, origin_of};
pub use grant::{
    AccessToken, Code, CodeStage, Grant, GrantOrigin, GrantStage, RefreshStage, RefreshToken, Renewal, USE_GRAIN,
};
pub use latchway_oauth_types::{InvalidScope, Scopes};
pub use redirect::{InvalidRedirectUri, RedirectUri, leads_to_a_device};
pub use scope::{API_KEYS, NOT_FOR_KEYS, OFFLINE_ACCESS, OPENID, ROLES};
pub use user::{Role, Session, SessionStage, User, UserStatus};
pub use user_code::UserCode;
pub use username::{USERNAME_RULE, normalize_email, normalize_username};

/// A stored row that contradicts itself, or holds a word that this version does not know.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the {table} row {key} makes no sense: {why}")]
pub struct InvalidRow {
    pub table: &'static str,
    pub key: String,
    pub why: String,
}

/// An enum whose variants have one word each, in the database, on the wire and on the command line.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every variant, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::domain::unknown_word(other, &[$($word),+])),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// Why a text is none of the words that are known, with the nearest of them where one is near.
pub(crate) fn unknown_word(text: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(text, word), word))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = near.map(|(_, word)| format!("; did you mean {word}?")).unwrap_or_default();
    format!("{text:?} is none of {}{hint}", known.join(", "))
}
