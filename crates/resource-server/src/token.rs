//! A JWT access token (RFC 9068), up to its signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::json::Object;
use crate::jwk::VerifyingKey;

/// Why a token is refused, in words that its client may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid(pub &'static str);

/// Longer ones are not looked at.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;
const MAX_HEADER: usize = 1024;

/// A token as it was presented: its header was read, and nothing in it is believed.
pub(crate) struct Token<'a> {
    pub kid: String,
    algorithm: Algorithm,
    /// Header and claims, as they were signed.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    pub fn read(token: &'a str) -> Result<Self, Invalid> {
        const NO_JWT: Invalid = Invalid("the access token is malformed");
        if token.len() > MAX_TOKEN {
            return Err(Invalid("the access token is too long"));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(NO_JWT)?;
        let (header, claims) = message.split_once('.').ok_or(NO_JWT)?;
        if header.len() > MAX_HEADER || claims.contains('.') {
            return Err(NO_JWT);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| NO_JWT)?;
        let header = Object::parse(&header).map_err(|_| NO_JWT)?;
        // What else could stand there either asks for a key from elsewhere (jwk, jku, x5u, x5c), or changes how the token is to
        // be read (crit, b64, zip; RFC 7515 §4.1.11), or is never sent by the issuer.
        if header.names().any(|name| !["typ", "alg", "kid"].contains(&name)) {
            return Err(Invalid("the access token has a header other than typ, alg and kid"));
        }
        let text = |name: &str| header.required::<String>(name).map_err(|_| NO_JWT);
        if !is_access_token(&text("typ")?) {
            return Err(Invalid("the token is of another type than at+jwt"));
        }
        let algorithm = Algorithm::parse(&text("alg")?).ok_or(Invalid("the access token has an unknown algorithm"))?;
        Ok(Self { kid: text("kid")?, algorithm, message, claims, signature })
    }

    /// The claims, if the key signed them by its own algorithm.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Vec<u8>, Invalid> {
        const FORGED: Invalid = Invalid("the signature of the access token is not the issuer's");
        if self.algorithm != key.algorithm {
            return Err(FORGED);
        }
        let verified =
            jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), &key.key, key.algorithm.wire());
        if !verified.unwrap_or(false) {
            return Err(FORGED);
        }
        URL_SAFE_NO_PAD.decode(self.claims).map_err(|_| Invalid("the access token is malformed"))
    }
}

/// RFC 9068 §4; RFC 7515 §4.1.9: media types have no case, and `application/` may be left out.
fn is_access_token(typ: &str) -> bool {
    let prefix = "application/";
    let bare = match typ.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &typ[prefix.len()..],
        _ => typ,
    };
    bare.eq_ignore_ascii_case("at+jwt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_header(header: &str) -> Result<String, Invalid> {
        let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
        Token::read(&token).map(|token| token.kid)
    }

    #[test]
    fn the_type_is_an_access_token() {
        for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            let header = format!(r#"{{"typ":"{good}","alg":"ES256","kid":"a"}}"#);
            assert_eq!(with_header(&header), Ok("a".to_owned()), "{good}");
        }
        for bad in
            ["JWT", "at+jwt ", "logout+jwt", "dpop+jwt", "", "text/at+jwt", "application/", "applicationé/at+jwt"]
        {
            let header = format!(r#"{{"typ":"{bad}","alg":"ES256","kid":"a"}}"#);
            assert!(with_header(&header).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_says_three_things_once() {
        for bad in [
            r#"{"alg":"ES256","kid":"a"}"#,
            r#"{"typ":"at+jwt","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"ES256"}"#,
            r#"{"typ":"at+jwt","alg":"none","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"HS256","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"es256","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":["ES256"],"kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":null}"#,
            r#"{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","crit":[]}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","b64":false}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","zip":"DEF"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","jku":"https://evil.example"}"#,
            r#"["typ"]"#,
        ] {
            assert!(with_header(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_has_three_parts_and_a_length() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"at+jwt","alg":"ES256","kid":"a"}"#);
        assert!(Token::read(&format!("{header}.e30.AA")).is_ok());
        for bad in
            [header.clone(), format!("{header}.e30"), format!("{header}.e30.AA.AA.AA"), format!("{header}=.e30.AA")]
        {
            assert!(Token::read(&bad).is_err(), "{bad}");
        }
        assert!(Token::read(&format!("{header}.{}.AA", "A".repeat(MAX_TOKEN))).is_err());
        assert!(Token::read(&".".repeat(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[\\PC.]{0,200}") {
            let _ = Token::read(&text);
        }
    }
}
