//! Where a person goes on after a login that no app asked for.

use url::form_urlencoded::Serializer;

use super::Answer;
use crate::app::App;
use crate::domain::origin_of;
use crate::protocol::{Params, endpoints};
use crate::support::Seconds;

/// Where somebody goes on after a login that no app asked for. A path is built from one of these, never taken from a
/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The account page for API keys, which wants to know again who this is.
    ApiKeys,
    /// The page that shows what a device asks for, after its code was typed. The entry holds the code, sealed: see
    /// [`super::CodeEntry`].
    Device { entry: String },
    /// Back to an app behind forward authentication, which looks at all of this itself.
    Gate { return_to: String, state: String, max_age: Option<Seconds> },
}

/// What makes or renews a credential needs a login that is no older, in seconds.
pub const STEP_UP_SECONDS: Seconds = 300;
/// What a gate can demand at least: a login takes its time, and must not be asked for again at its end.
const SHORTEST_MAX_AGE: Seconds = 15;

/// Longer ones are none of ours.
const MAX_ENTRY: usize = 128;

/// Whether a browser may be led to an origin: to ours, or to an app's that the operator named.
pub fn is_known_app(app: &App, origin: &str) -> bool {
    app.is_own_origin(origin) || app.config.gatekeeper.allowed_origins.iter().any(|allowed| allowed == origin)
}

impl After {
    /// Reads the fields of a URL or a form; `None` where there are none, or they lead to no place that we know.
    pub fn read(app: &App, params: &Params) -> Option<Self> {
        let is_known = |address: &str| origin_of(address).is_some_and(|origin| is_known_app(app, origin));
        Self::fields_of(params).filter(|after| after.leads_to().is_none_or(is_known))
    }

    fn fields_of(params: &Params) -> Option<Self> {
        match params.get("after")? {
            "api-keys" => Some(Self::ApiKeys),
            "device" => Self::read_device(params),
            "gate" => Self::read_gate(params),
            _ => None,
        }
    }

    /// Reads the fields of the device page's own URL.
    pub fn read_device(params: &Params) -> Option<Self> {
        let entry = params.get("entry").filter(|entry| !entry.is_empty() && entry.len() <= MAX_ENTRY)?;
        Some(Self::Device { entry: entry.to_owned() })
    }

    /// Reads the fields of a gate's own URL.
    pub fn read_gate(params: &Params) -> Option<Self> {
        let max_age = match params.get("max_age") {
            Some(text) => Some(text.parse().ok().filter(|seconds: &Seconds| *seconds >= 0)?),
            None => None,
        };
        let field = |name: &str| params.get(name).map(str::to_owned);
        Some(Self::Gate { return_to: field("return_to")?, state: field("state")?, max_age })
    }

    /// The fields that [`After::read`] reads.
    pub fn fields(&self) -> Vec<(String, String)> {
        let word = match self {
            Self::ApiKeys => "api-keys",
            Self::Device { .. } => "device",
            Self::Gate { .. } => "gate",
        };
        let mut fields = vec![("after".to_owned(), word.to_owned())];
        fields.extend(self.own_fields());
        fields
    }

    fn own_fields(&self) -> Vec<(String, String)> {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Self::ApiKeys => Vec::new(),
            Self::Device { entry } => vec![field("entry", entry)],
            Self::Gate { return_to, state, max_age } => {
                let mut fields = vec![field("return_to", return_to), field("state", state)];
                fields.extend(max_age.map(|seconds| field("max_age", &seconds.to_string())));
                fields
            }
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
            Self::ApiKeys => endpoints::ACCOUNT_API_KEYS.to_owned(),
            Self::Device { .. } => self.with_fields(endpoints::DEVICE),
            Self::Gate { .. } => self.with_fields(endpoints::FORWARD_AUTH_LOGIN),
        }
    }

    /// The way there after a form was sent. What leads to another origin in the end goes on by a page: browsers hold every
    /// redirect that follows a form against the `form-action` of the form's page, those of other servers included.
    pub fn answer(&self) -> Answer {
        match self.leads_to() {
            None => Answer::local(self.path()),
            Some(address) => Answer::onward(self.path(), host_of(address)),
        }
    }

    fn with_fields(&self, path: &str) -> String {
        let query: String = Serializer::new(String::new()).extend_pairs(self.own_fields()).finish();
        format!("{path}?{query}")
    }

    /// Where it leads off this server in the end, if it does.
    pub fn leads_to(&self) -> Option<&str> {
        match self {
            Self::ApiKeys | Self::Device { .. } => None,
            Self::Gate { return_to, .. } => Some(return_to),
        }
    }

    /// How old a login may be there, in seconds; `None` if that does not matter.
    fn max_age(&self) -> Option<Seconds> {
        match self {
            Self::ApiKeys => Some(STEP_UP_SECONDS),
            Self::Device { .. } => None,
            Self::Gate { max_age, .. } => max_age.map(|seconds| seconds.max(SHORTEST_MAX_AGE)),
        }
    }

    /// Whether a login of that time will do.
    pub fn accepts(&self, auth_time: Seconds, now: Seconds) -> bool {
        self.max_age().is_none_or(|limit| now.saturating_sub(auth_time) <= limit)
    }
}

/// Where a gate leads, in the words of the address bar.
pub fn host_of(address: &str) -> Option<&str> {
    let origin = origin_of(address)?;
    Some(origin.split_once("://").map_or(origin, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let state = "s".repeat(43);
        let return_to = "https://app.example/a?b=c&after=api-keys#".to_owned();
        for after in [
            After::ApiKeys,
            After::Device { entry: "e".repeat(80) },
            After::Gate { return_to: return_to.clone(), state: state.clone(), max_age: None },
            After::Gate { return_to, state, max_age: Some(60) },
        ] {
            let login = after.login();
            let query = login.split_once('?').map(|(_, query)| query).unwrap_or_default();
            let params = Params::parse(query.as_bytes()).expect("a query");
            assert_eq!(After::fields_of(&params), Some(after.clone()));
            assert!(after.path().starts_with(&['/'][..]) && !after.path().starts_with("//"));
        }
    }
}
