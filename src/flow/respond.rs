//! An answer to a browser: a page that goes on, a redirect, or the form of `form_post`.

use serde::{Deserialize, Serialize};

use super::{ResponseMode, Target};
use crate::protocol::OAuthError;

/// An answer to a request of a browser. It can be stored, so that a form that comes twice is answered alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To a page of ours.
    Local { path: String, cookies: Vec<String> },
    /// To another origin, at once or by a path of ours; with an authorization response its parameters are in the query. The
    /// path that answers decides whether that is a redirect or a page that goes on by itself (`http/respond.rs`).
    Onward { location: String, name: Option<String>, cookies: Vec<String> },
    /// A page that posts itself to the client.
    FormPost { client_name: String, action: String, fields: Vec<(String, String)>, cookies: Vec<String> },
}

impl Answer {
    /// To a path of ours.
    pub fn local(path: impl Into<String>) -> Self {
        Self::Local { path: path.into(), cookies: Vec::new() }
    }

    /// To another origin, which people know by this name.
    pub fn onward(location: impl Into<String>, name: Option<&str>) -> Self {
        Self::Onward { location: location.into(), name: name.map(str::to_owned), cookies: Vec::new() }
    }

    #[must_use]
    pub fn with_cookie(self, cookie: String) -> Self {
        self.with_cookies(vec![cookie])
    }

    #[must_use]
    pub fn with_cookies(mut self, more: Vec<String>) -> Self {
        match &mut self {
            Self::Local { cookies, .. } | Self::Onward { cookies, .. } | Self::FormPost { cookies, .. } => {
                cookies.extend(more);
            }
        }
        self
    }
}

/// RFC 6749 §4.1.2
pub fn succeed(target: &Target, code: &str, issuer: &str) -> Answer {
    send(target, vec![("code".to_owned(), code.to_owned())], issuer)
}

/// RFC 6749 §4.1.2.1
pub fn refuse(target: &Target, error: &OAuthError, issuer: &str) -> Answer {
    let fields = vec![
        ("error".to_owned(), error.code.as_str().to_owned()),
        ("error_description".to_owned(), error.wire_description()),
    ];
    send(target, fields, issuer)
}

fn send(target: &Target, mut fields: Vec<(String, String)>, issuer: &str) -> Answer {
    if let Some(state) = &target.state {
        fields.push(("state".to_owned(), state.clone()));
    }
    // RFC 9207 §2: on success and on error
    fields.push(("iss".to_owned(), issuer.to_owned()));
    match target.mode {
        ResponseMode::FormPost => Answer::FormPost {
            client_name: target.client_name.clone(),
            action: target.redirect_uri.clone(),
            fields,
            cookies: Vec::new(),
        },
        ResponseMode::Query => {
            let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let separator = match target.redirect_uri.split_once('?') {
                None => "?",
                Some((_, "")) => "",
                Some(_) => "&",
            };
            Answer::onward(format!("{}{separator}{query}", target.redirect_uri), Some(&target.client_name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_query_is_kept() {
        let target = Target {
            client_name: "App".to_owned(),
            redirect_uri: "https://app.example/cb?a=b".to_owned(),
            state: Some("x y&\u{fc}".to_owned()),
            mode: ResponseMode::Query,
        };
        let Answer::Onward { location, .. } = succeed(&target, "c", "https://id.example") else { panic!("onward") };
        assert_eq!(location, "https://app.example/cb?a=b&code=c&state=x+y%26%C3%BC&iss=https%3A%2F%2Fid.example");
    }

    #[test]
    fn a_stored_answer_is_the_same() {
        for answer in [
            Answer::local("/consent?transaction=x").with_cookie("a=b".to_owned()),
            Answer::onward("com.example.app:/cb?code=c", Some("App")),
        ] {
            let stored = serde_json::to_string(&answer).expect("JSON");
            assert_eq!(serde_json::from_str::<Answer>(&stored).expect("an answer"), answer);
        }
    }
}
