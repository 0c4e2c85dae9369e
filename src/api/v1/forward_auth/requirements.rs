//! What a proxy requires of a visitor, read from the query of its question.

use actix_web::HttpRequest;

use super::credential::Method;
use crate::app::App;
use crate::domain::{Role, Scopes};
use crate::protocol::OAuthError;
use crate::request;
use crate::support::Seconds;

/// What a proxy demands of a request, in the query of its question.
#[derive(Debug, Default)]
pub struct Requirements {
    /// All of them.
    pub scope: Scopes,
    pub role: Option<Role>,
    /// The audience that a token or key must have; the gate's own where none is named.
    pub audience: Option<String>,
    /// The kinds of credentials that pass; all where none is named.
    pub methods: Vec<Method>,
    /// The clients whose credentials pass; all where none is named.
    pub clients: Vec<String>,
    /// How long ago the person may have logged in, in seconds.
    pub max_age: Option<Seconds>,
    pub stranger: Stranger,
}

/// How a browser without a login is sent to it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// 401 with the address in a header: nginx understands no other answer.
    #[default]
    IsTold,
    /// 302, which the proxy passes on.
    IsRedirected,
}

const KNOWN: &[&str] = &["scope", "role", "audience", "method", "client", "max_age", "redirect"];

impl Requirements {
    /// Reads the query. What is unknown, malformed or empty is an error: a demand that was mistyped must not be one that
    /// is met by everybody.
    pub fn read(app: &App, req: &HttpRequest) -> Result<Self, OAuthError> {
        let query = request::query(req)?;
        let invalid = |why: &str| OAuthError::invalid_request(why.to_owned());
        if let Some(name) = query.first_unknown(KNOWN) {
            let known = KNOWN.join(", ");
            return Err(invalid(&format!("{name} is no parameter of forward authentication; it takes {known}")));
        }
        if let Some(name) = query.first_repeated(&["role", "audience", "max_age", "redirect"]) {
            return Err(invalid(&format!("{name} is given more than once")));
        }
        if let Some(name) = query.first_empty() {
            return Err(invalid(&format!("{name} is empty")));
        }
        let mut scope = Scopes::default();
        for text in query.all("scope") {
            let more = Scopes::parse(text).map_err(|e| invalid(&e.to_string()))?;
            if more.is_empty() {
                return Err(invalid("scope is empty"));
            }
            scope = scope.union(&more);
        }
        let role = query.get("role").map(|role| role.parse().map_err(|e| invalid(&format!("role: {e}"))));
        let max_age = query.get("max_age").map(|text| match text.parse::<Seconds>() {
            Ok(seconds) if seconds >= 0 && !text.starts_with('+') => Ok(seconds),
            _ => Err(invalid("max_age must be a number of seconds")),
        });
        let stranger = match query.get("redirect") {
            None => Stranger::IsTold,
            Some("302") => Stranger::IsRedirected,
            Some(_) => return Err(invalid("redirect must be 302, or be left out")),
        };
        let methods = query
            .all("method")
            .map(|word| Method::parse(word).ok_or_else(|| invalid("method must be session, bearer or api_key")));
        let audience = query.get("audience").map(str::to_owned);
        if audience.as_deref().is_some_and(|audience| app.is_own_audience(audience)) {
            // Every token with openid has it, of whichever app, for userinfo.
            return Err(invalid("audience must not be the issuer, which is the audience of userinfo; name the app's"));
        }
        Ok(Self {
            scope,
            role: role.transpose()?,
            audience,
            methods: methods.collect::<Result<_, _>>()?,
            clients: query.all("client").map(str::to_owned).collect(),
            max_age: max_age.transpose()?,
            stranger,
        })
    }
}
