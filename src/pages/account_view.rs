//! What the account page shows.

use askama::Template;

use super::view::{ApiView, ClientView, FirstSteps, Layout, Name, ScopeView, When, clean};

/// `GET /account`
#[derive(Template, Debug)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// Around the page.
    pub layout: Layout,
    /// The anti-forgery value of every form on it.
    pub csrf: String,
    /// Who this is.
    pub username: Name,
    /// The e-mail address, if there is one.
    pub email: Option<Name>,
    /// The apps this person allowed.
    pub apps: Vec<AppView>,
    /// Where this person is signed in, the present browser first.
    pub sessions: Vec<SessionView>,
    /// How many more there are than the list shows.
    pub unlisted_sessions: usize,
    /// What has just been done.
    pub flash: Option<Flash>,
    /// After the set-up, for an administrator.
    pub first_steps: Option<FirstSteps>,
}

impl AccountPage {
    fn has_other_sessions(&self) -> bool {
        self.sessions.iter().any(|s| !s.current)
    }

    fn all_sessions(&self) -> usize {
        self.sessions.len() + self.unlisted_sessions
    }
}

/// An app that has access.
#[derive(Clone, Debug)]
pub struct AppView {
    /// For the revoke form.
    pub client_id: String,
    /// The app as people see it.
    pub client: ClientView,
    /// What it may do.
    pub scopes: Vec<ScopeView>,
    /// The APIs it may do it at; may be empty.
    pub resources: Vec<ApiView>,
    /// When access was given.
    pub allowed_at: When,
    /// When a token was last issued, if ever, whatever has become of it since.
    pub last_used: Option<When>,
    /// Whether it holds a refresh token (`offline_access`).
    pub stays_connected: bool,
}

impl AppView {
    /// What it may do, in a line: the first permission that has words, and how many more there are.
    fn summary(&self) -> String {
        let titled = self.scopes.iter().find(|scope| scope.name != "openid" && !scope.title.is_empty());
        let first = titled.or_else(|| self.scopes.iter().find(|scope| !scope.title.is_empty())).or(self.scopes.first());
        let Some(first) = first else { return "Knows that you have an account here".to_owned() };
        let words = clean(if first.title.is_empty() { &first.name } else { &first.title });
        match self.scopes.len() {
            1 => words,
            count => format!("{words} and {} more", count - 1),
        }
    }
}

/// A browser this person is signed in with.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// For the sign-out form: an id for this use, never the cookie's value.
    pub id: String,
    /// What kind of browser (see [`super::text::device`]), or the name of the first-party app.
    pub device: Name,
    /// The address from which this person signed in, if known.
    pub address: Option<String>,
    /// When this person signed in there.
    pub signed_in: When,
    /// When it was last seen, if known.
    pub last_seen: Option<When>,
    /// Whether it is the one this page is shown in.
    pub current: bool,
}

/// What has just been done.
#[derive(Clone, Debug)]
pub enum Flash {
    /// An app's access was removed.
    AppRemoved(Name),
    /// One other session was ended.
    SessionEnded,
    /// All other sessions were ended.
    OthersEnded,
    /// The first administrator's account is ready.
    Welcome,
}
