//! The credentials of a client in a request: exactly one method (RFC 6749 §2.3).

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::protocol::{AuthChallenge, OAuthError, Params};
use crate::support::sha256;

/// Who a client says it is, and with what it proves it.
pub struct Credentials {
    pub client_id: String,
    pub presented: Presented,
    /// RFC 6749 §5.2: a client that used the `Authorization` header is answered with its scheme.
    pub challenge: Option<AuthChallenge>,
}

/// The one proof in a request.
pub enum Presented {
    Basic(String),
    Post(String),
    Assertion(String),
    Nothing,
}

/// RFC 7523 §2.2
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const MAX_CLIENT_ID: usize = 200;
const PARAMETERS: &[&str] = &["client_id", "client_secret", "client_assertion", "client_assertion_type"];

impl Credentials {
    /// Reads them; two proofs at once are refused, whatever they are worth (RFC 6749 §2.3).
    pub fn read(headers: &HeaderMap, params: &Params) -> Result<Self, OAuthError> {
        if let Some(name) = params.first_repeated(PARAMETERS) {
            return Err(OAuthError::invalid_request(format!("{name} is given more than once")));
        }
        let named = params.get("client_id");
        let basic = basic(headers)?;
        let challenge = basic.is_some().then_some(AuthChallenge::Basic);
        let secret = params.get("client_secret");
        let assertion = params.get("client_assertion");
        if assertion.is_some() && (basic.is_some() || secret.is_some()) {
            // An assertion would make the secret beside it look checked although only one of the two is.
            let error = OAuthError::invalid_client("an assertion and a secret at once");
            return Err(OAuthError { challenge, ..error });
        }
        if basic.is_some() && secret.is_some() {
            return Err(OAuthError::invalid_request(
                "the client authenticated by the Authorization header and by client_secret; use one of them",
            ));
        }
        let (client_id, presented) = match (basic, secret, assertion) {
            // RFC 6749 §2.3.1: a client omits its secret if that is the empty string.
            (Some((client_id, secret)), _, _) if secret.is_empty() => (client_id, Presented::Nothing),
            (Some((client_id, secret)), _, _) => (client_id, Presented::Basic(secret)),
            (None, Some(secret), _) => (required(named)?, Presented::Post(secret.to_owned())),
            (None, None, Some(assertion)) => {
                (subject(params, named, assertion)?, Presented::Assertion(assertion.to_owned()))
            }
            (None, None, None) if params.has("client_assertion_type") => {
                return Err(OAuthError::invalid_request("client_assertion_type stands without client_assertion"));
            }
            (None, None, None) => (required(named)?, Presented::Nothing),
        };
        if named.is_some_and(|named| named != client_id) {
            return Err(OAuthError::invalid_request("client_id is another one than the client authentication names"));
        }
        if client_id.len() > MAX_CLIENT_ID {
            let error = OAuthError::invalid_client("a client_id of impossible length");
            return Err(OAuthError { challenge, ..error });
        }
        Ok(Self { client_id, presented, challenge })
    }

    /// Two hexadecimal digits of the secret's hash: whether somebody tries many secrets or one again and again shows in
    /// them, and nothing of a secret of 256 bits does.
    pub fn tag(&self) -> Option<String> {
        match &self.presented {
            Presented::Basic(secret) | Presented::Post(secret) => Some(format!("{:02x}", sha256(secret.as_bytes())[0])),
            Presented::Assertion(_) | Presented::Nothing => None,
        }
    }

    pub fn method(&self) -> &'static str {
        match self.presented {
            Presented::Basic(_) => "client_secret_basic",
            Presented::Post(_) => "client_secret_post",
            Presented::Assertion(_) => "private_key_jwt",
            Presented::Nothing => "none",
        }
    }
}

fn required(client_id: Option<&str>) -> Result<String, OAuthError> {
    client_id.map(str::to_owned).ok_or_else(|| OAuthError::invalid_client("no client_id and no client authentication"))
}

/// Whom an assertion claims to speak for.
fn subject(params: &Params, named: Option<&str>, assertion: &str) -> Result<String, OAuthError> {
    if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(OAuthError::invalid_request(format!("client_assertion_type must be {ASSERTION_TYPE}")));
    }
    let subject = super::assertion::claimed_subject(assertion)
        .ok_or_else(|| OAuthError::invalid_client("the assertion names no subject"))?;
    if named.is_some_and(|named| named != subject) {
        return Err(OAuthError::invalid_client("client_id is not the assertion's sub"));
    }
    Ok(subject)
}

/// RFC 6749 §2.3.1: each part is form-urlencoded before the two are joined. A part that is not valid in that encoding is
/// refused; a client that left the encoding out gets through as long as its parts need none.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let refuse = |why: &str| OAuthError::invalid_client(why).with_challenge(AuthChallenge::Basic);
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request("more than one Authorization header"));
    }
    let text = value.to_str().map_err(|_| refuse("an Authorization header that is no text"))?;
    let Some((scheme, encoded)) = text.split_once(' ') else {
        return Err(refuse("an Authorization header without credentials"));
    };
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(refuse("an Authorization header with another scheme than Basic"));
    }
    let decoded =
        STANDARD.decode(encoded.trim_start_matches(' ')).map_err(|_| refuse("Basic credentials that are no base64"))?;
    let decoded = String::from_utf8(decoded).map_err(|_| refuse("Basic credentials that are no UTF-8"))?;
    let (id, secret) = decoded.split_once(':').ok_or_else(|| refuse("Basic credentials without a colon"))?;
    let part = |text: &str| {
        let pair = Params::parse(format!("v={text}").as_bytes()).ok()?;
        let alone = !text.contains('&');
        alone.then(|| pair.get("v").unwrap_or_default().to_owned())
    };
    let (Some(id), Some(secret)) = (part(id), part(secret)) else {
        return Err(refuse("Basic credentials that are not form-urlencoded"));
    };
    if id.is_empty() {
        return Err(refuse("Basic credentials without a client_id"));
    }
    Ok(Some((id, secret)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(decoded: &[u8]) -> Result<Option<(String, String)>, OAuthError> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(decoded))).expect("ascii");
        headers.insert(AUTHORIZATION, value);
        basic(&headers)
    }

    #[test]
    fn parts_are_form_urlencoded() {
        let (id, secret) = read(b"a%3Ab:c%2Bd+e%26%25").expect("valid").expect("present");
        assert_eq!((id.as_str(), secret.as_str()), ("a:b", "c+d e&%"));
        assert_eq!(read(b"a:").expect("valid"), Some(("a".to_owned(), String::new())));
        for bad in [&b"a:%zz"[..], b"a:%", b"a", b":", b":b", b"a:\xff", b"a:b\0", b"a:b&c"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
        }
    }
}
