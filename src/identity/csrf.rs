//! Proof that a form was made by us for this very browser: a hash of the browser's HttpOnly cookie and of what the form
//! is for. Nobody else can know the cookie, so nobody else can make the proof.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::{constant_time_eq, sha256};

/// The value of a form's `csrf` field. `purpose` names the form and, where there is one, the transaction.
pub fn token(cookie: &str, purpose: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(format!("latchway csrf v1\n{}:{cookie}\n{purpose}", cookie.len()).as_bytes()))
}

/// Whether a submitted value is the one that we put into that form. Without a cookie it never is: anybody could make the
/// proof of an empty one.
pub fn is_valid(submitted: Option<&str>, cookie: &str, purpose: &str) -> bool {
    !cookie.is_empty()
        && submitted.is_some_and(|submitted| constant_time_eq(submitted.as_bytes(), token(cookie, purpose).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_browser_or_form_has_another_token() {
        let ours = token("cookie", "login");
        assert!(is_valid(Some(&ours), "cookie", "login"));
        assert!(!is_valid(Some(&ours), "other", "login"));
        assert!(!is_valid(Some(&ours), "cookie", "consent"));
        assert!(!is_valid(Some(""), "cookie", "login"));
        assert!(!is_valid(None, "cookie", "login"));
        assert!(!is_valid(Some(&token("", "login")), "", "login"));
    }
}
