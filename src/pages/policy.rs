//! The Content-Security-Policy of our pages: nothing but what they need, and nothing inline.

use url::Url;

/// For a page of ours. `return_to` is the redirect URI that a form of it may lead to: browsers hold a form's redirects
/// against `form-action` too.
pub fn page(return_to: Option<&str>) -> String {
    let target = return_to.map(|uri| format!(" {}", source(uri))).unwrap_or_default();
    format!("{}; style-src 'self'; img-src 'self'; form-action 'self'{target}", base())
}

/// For a page that posts itself to a client.
pub fn form_post(action: &str, nonce: &str) -> String {
    format!("{}; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'; form-action {}", base(), source(action))
}

/// For the playground, which is a program in the browser.
pub fn playground() -> String {
    format!("{}; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'", base())
}

/// For what is no page.
pub const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

fn base() -> &'static str {
    NOTHING
}

/// A redirect URI as a CSP source: its origin, or its private scheme.
fn source(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => "'none'".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_home_or_to_its_client() {
        assert!(page(Some("https://app.example/cb?x=1")).ends_with("form-action 'self' https://app.example"));
        assert!(page(Some("http://127.0.0.1:4000/cb")).ends_with("form-action 'self' http://127.0.0.1:4000"));
        assert!(page(Some("com.example.app:/cb")).ends_with("form-action 'self' com.example.app:"));
        assert!(page(None).ends_with("form-action 'self'"));
        assert!(form_post("https://app.example/cb", "n").ends_with("form-action https://app.example"));
    }
}
