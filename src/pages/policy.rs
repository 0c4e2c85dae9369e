//! The Content-Security-Policy of our pages: nothing but what they need, and nothing inline.

/// For a page of ours. A form of ours leads to our own origin and to no other, not even by a redirect, because browsers hold
/// each redirect that follows a form against `form-action`, those of other servers included. `http/respond.rs` keeps it so.
pub fn page() -> String {
    format!("{NOTHING}; style-src 'self'; img-src 'self'; form-action 'self'")
}

/// For a page of ours with one script of ours, which the nonce names: nothing else that this server sends becomes one.
pub fn page_with_script(nonce: &str) -> String {
    format!("{}; script-src 'nonce-{nonce}'", page())
}

/// For a page that posts itself to a client. It has no `form-action`: the client may redirect on to wherever it wants, and
/// CSP has no grammar for `http://[::1]` at all. The one form on it is made of the registered redirect URI.
pub fn form_post(nonce: &str) -> String {
    format!("{NOTHING}; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'")
}

/// For the playground, which is a program in the browser.
pub fn playground() -> String {
    format!("{NOTHING}; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'")
}

/// For what is no page.
pub const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_ours_lead_to_our_own_origin() {
        assert!(page().ends_with("; form-action 'self'"));
        assert!(playground().ends_with("; form-action 'self'"));
        // Where it is absent no directive falls back to it: `default-src` does not cover forms.
        assert!(!form_post("n").contains("form-action"));
    }
}
