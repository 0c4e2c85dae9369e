//! The key that a token is bound to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchway_core::Digest;
use serde::de::{Deserialize, Deserializer, Error};

/// The key that a token is bound to (`cnf`, RFC 7800 §3.1). A caller with such a token has to prove that it holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirmation {
    /// `jkt`: the SHA-256 thumbprint (RFC 7638) of the key that signs DPoP proofs (RFC 9449 §6.1).
    DpopKey(Digest),
    /// `x5t#S256`: the SHA-256 of the client's TLS certificate in DER (RFC 8705 §3.1).
    Certificate(Digest),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    jkt: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

/// Exactly one member that is known: a binding that is not understood cannot be checked.
impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (made, text): (fn(Digest) -> Self, String) = match Members::deserialize(deserializer)? {
            Members { jkt: Some(text), x5t_s256: None } => (Self::DpopKey, text),
            Members { jkt: None, x5t_s256: Some(text) } => (Self::Certificate, text),
            _ => return Err(D::Error::custom("not one of jkt and x5t#S256")),
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(made).ok_or_else(|| D::Error::custom("no base64url of a SHA-256"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thumbprint_of_a_known_kind() {
        // The examples of RFC 9449 §6.1 and RFC 8705 §3.1; the last character of the latter is no base64url of 32 bytes there.
        let (jkt, certificate) =
            ("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg8");
        let read = |json: &str| serde_json::from_str::<Confirmation>(json).ok();
        assert!(
            matches!(read(&format!(r#"{{"jkt":"{jkt}"}}"#)), Some(Confirmation::DpopKey(digest)) if digest[0] == 0xd1)
        );
        assert!(matches!(read(&format!(r#"{{"x5t#S256":"{certificate}"}}"#)), Some(Confirmation::Certificate(_))));
        for bad in [
            "{}".to_owned(),
            "null".to_owned(),
            format!(r#""{jkt}""#),
            r#"{"jkt":"x"}"#.to_owned(),
            r#"{"jkt":null}"#.to_owned(),
            format!(r#"{{"jkt":"{jkt}="}}"#),
            format!(r#"{{"jkt":"{jkt}AAAA"}}"#),
            format!(r#"{{"jkt":"{jkt}","jkt":"{jkt}"}}"#),
            format!(r#"{{"jkt":"{jkt}","x5t#S256":"{certificate}"}}"#),
            format!(r#"{{"jkt":"{jkt}","kid":"a"}}"#),
            format!(r#"{{"x5t":"{certificate}"}}"#),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
