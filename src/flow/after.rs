use url::form_urlencoded::Serializer;

use crate::protocol::Params;
use crate::support::Seconds;

/// Where somebody goes on after a login that no app asked for. A path is built from one of these, never taken from a
/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The account page for API keys, which wants to know again who this is.
    ApiKeys,
}

/// What makes or renews a credential needs a login that is no older, in seconds.
pub const STEP_UP_SECONDS: Seconds = 300;

impl After {
    /// Reads the fields of a URL or a form; `None` where there are none or they lead nowhere.
    pub fn read(params: &Params) -> Option<Self> {
        match params.get("after")? {
            "api-keys" => Some(Self::ApiKeys),
            _ => None,
        }
    }

    /// The fields that [`After::read`] reads.
    pub fn fields(&self) -> Vec<(String, String)> {
        match self {
            Self::ApiKeys => vec![("after".to_owned(), "api-keys".to_owned())],
        }
    }

    /// The login page that leads there.
    pub fn login(&self) -> String {
        let query: String = Serializer::new(String::new()).extend_pairs(self.fields()).finish();
        format!("/login?{query}")
    }

    /// The path there.
    pub fn path(&self) -> String {
        match self {
            Self::ApiKeys => "/account/api-keys".to_owned(),
        }
    }

    /// How old a login may be there, in seconds; `None` if that does not matter.
    pub fn max_age(&self) -> Option<Seconds> {
        match self {
            Self::ApiKeys => Some(STEP_UP_SECONDS),
        }
    }

    /// Where it leads off this server in the end, if it does: a browser holds a form's redirects against the page's policy.
    pub fn leads_to(&self) -> Option<&str> {
        match self {
            Self::ApiKeys => None,
        }
    }

    /// Whether a login of that time will do.
    pub fn accepts(&self, auth_time: Seconds, now: Seconds) -> bool {
        self.max_age().is_none_or(|limit| now.saturating_sub(auth_time) <= limit)
    }
}
