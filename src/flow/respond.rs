use super::{ResponseMode, Target};
use crate::protocol::OAuthError;

/// An answer to an authorization request, on its way through the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a page of ours or, with the parameters in its query, to the client.
    Redirect { location: String, cookies: Vec<String> },
    /// A page that posts itself to the client.
    FormPost { client_name: String, action: String, fields: Vec<(String, String)>, cookies: Vec<String> },
}

impl Answer {
    /// To a path of ours.
    pub fn local(path: impl Into<String>) -> Self {
        Self::Redirect { location: path.into(), cookies: Vec::new() }
    }

    #[must_use]
    pub fn with_cookie(mut self, cookie: String) -> Self {
        match &mut self {
            Self::Redirect { cookies, .. } | Self::FormPost { cookies, .. } => cookies.push(cookie),
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
            Answer::Redirect { location: format!("{}{separator}{query}", target.redirect_uri), cookies: Vec::new() }
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
        let Answer::Redirect { location, .. } = succeed(&target, "c", "https://id.example") else {
            panic!("a redirect")
        };
        assert_eq!(location, "https://app.example/cb?a=b&code=c&state=x+y%26%C3%BC&iss=https%3A%2F%2Fid.example");
    }
}
