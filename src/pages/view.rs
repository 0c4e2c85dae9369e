//! What each page shows: plain data for one template each. No IO, no clock, no request.
//!
//! Askama escapes every value. Names go through [`Name`], links and logos through the guards below, so that a template
//! holds no rule of its own.

use askama::Template;

pub use super::access::{ApiView, ScopeView};
use super::assets;
pub use super::first_steps::FirstSteps;
pub use super::setup_view::{SetupErrors, SetupPage};
pub use super::text::{Name, When, clean, device, wait};

/// What every page has around it.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The name people know this server by.
    pub service_name: String,
    /// Shows the development banner, and the playground on the home page.
    pub dev: bool,
    /// Shows the banner of mock mode.
    pub mock: bool,
    /// Who is signed in, for the header.
    pub signed_in_as: Option<String>,
    /// The host of the issuer, to be compared with the address bar.
    pub issuer_host: String,
    /// Where people find help with logging in; empty if nowhere.
    pub help_url: String,
    /// Where people reach those who run this server: a page, an e-mail address, each empty if there is none.
    pub support_url: String,
    pub support_email: String,
}

impl Layout {
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    pub(crate) fn help(&self) -> Option<&str> {
        web_link(Some(&self.help_url))
    }

    /// The page first: it says more than an address.
    pub(crate) fn support(&self) -> Option<String> {
        let mail = || (!self.support_email.is_empty()).then(|| format!("mailto:{}", self.support_email));
        web_link(Some(&self.support_url)).map(str::to_owned).or_else(mail)
    }

    pub(crate) fn person(&self) -> Option<Name> {
        self.signed_in_as.as_deref().map(Name::from)
    }
}

/// An app as people see it.
#[derive(Clone, Debug)]
pub struct ClientView {
    /// The registered name.
    pub name: Name,
    /// Where its logo is served from on this very origin (`/…`). Anything else is not shown.
    pub logo: Option<String>,
}

impl ClientView {
    /// An app with this name; the logo is a path on this origin.
    pub fn new(name: &str, logo: Option<String>) -> Self {
        Self { name: name.into(), logo }
    }

    pub(super) fn logo_src(&self) -> Option<&str> {
        self.logo.as_deref().filter(|l| l.starts_with('/') && !l.starts_with("//") && !l.contains('\\'))
    }
}

/// `GET /`
#[derive(Template, Debug)]
#[template(path = "home.html")]
pub struct HomePage {
    /// Around the page.
    pub layout: Layout,
    /// In development mode.
    pub first_steps: Option<FirstSteps>,
}

/// `GET /login`
#[derive(Template, Debug)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// Around the page.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The waiting authorization request; empty for a login to one's account.
    pub transaction: String,
    /// The app one logs in for.
    pub client: Option<ClientView>,
    /// Where one goes on if it is not to an app: hidden fields, by name and value.
    pub after: Vec<(String, String)>,
    /// The host that one goes on to then.
    pub destination: Option<Name>,
    /// Whom the form is for.
    pub mode: LoginMode,
    /// Why the last attempt failed.
    pub problem: Option<LoginProblem>,
    /// In mock mode, who logs in by a click.
    pub personas: Vec<PersonaView>,
}

/// Somebody whom mock mode makes up.
#[derive(Clone, Debug)]
pub struct PersonaView {
    pub username: String,
    pub name: Name,
    /// What they are, in a word.
    pub about: Name,
}

/// Whom the login form is for.
#[derive(Clone, Debug)]
pub enum LoginMode {
    /// Anyone; with the `login_hint` or what was typed before, or an empty string.
    Anyone { username: String },
    /// The person of the running session, who confirms it with the password.
    Again { username: String },
}

impl LoginPage {
    fn again(&self) -> bool {
        matches!(self.mode, LoginMode::Again { .. })
    }

    /// A hint that a name could not be is dropped: anyone can write it into a link.
    fn username(&self) -> &str {
        match &self.mode {
            LoginMode::Anyone { username } if clean(username) != *username => "",
            LoginMode::Anyone { username } | LoginMode::Again { username } => username,
        }
    }

    fn wrong(&self) -> bool {
        matches!(self.problem, Some(LoginProblem::WrongCredentials))
    }

    fn pause(&self) -> String {
        match self.problem {
            Some(LoginProblem::TooManyAttempts { seconds }) => wait(seconds),
            _ => "a moment".to_owned(),
        }
    }

    /// In mock mode one logs in by a click, unless something was typed already.
    fn focus_persona(&self) -> bool {
        !self.personas.is_empty() && !self.again() && self.problem.is_none() && self.username().is_empty()
    }

    /// The first empty field has the focus.
    fn focus_password(&self) -> bool {
        !self.username().is_empty()
    }
}

/// Why a login failed. An unknown name and a wrong password are one case on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProblem {
    /// The name, the password or both are wrong, or the account may not log in.
    WrongCredentials,
    /// Wait this long.
    TooManyAttempts { seconds: u64 },
    /// No capacity to check a password just now.
    Busy,
}

/// `GET /consent`
#[derive(Template, Debug)]
#[template(path = "consent.html")]
pub struct ConsentPage {
    /// Around the page.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The waiting authorization request.
    pub transaction: String,
    /// The app that asks.
    pub client: ClientView,
    /// Where the answer goes.
    pub return_to: ReturnTo,
    /// Who is logged in.
    pub user: Name,
    /// The app's website, if registered.
    pub website: Option<String>,
    /// When it was registered.
    pub registered: When,
    /// What the app asks for.
    pub scopes: Vec<ScopeView>,
    /// The APIs it is for; may be empty.
    pub resources: Vec<ApiView>,
    /// Whether the answer is kept.
    pub memory: ConsentMemory,
    /// The app's privacy policy, if registered.
    pub policy_uri: Option<String>,
    /// The app's terms, if registered.
    pub terms_uri: Option<String>,
}

impl ConsentPage {
    fn policy(&self) -> Option<&str> {
        web_link(self.policy_uri.as_deref())
    }

    fn terms(&self) -> Option<&str> {
        web_link(self.terms_uri.as_deref())
    }

    /// Whether it asks for more than it was allowed before.
    fn wants_more(&self) -> bool {
        self.scopes.iter().any(|scope| scope.is_new) || self.resources.iter().any(|api| api.is_new)
    }

    /// The link to the app's website, and its host.
    fn site(&self) -> Option<(&str, &str)> {
        let link = web_link(self.website.as_deref())?;
        let host = link.split_once("://")?.1.split(['/', '?', '#']).next()?;
        Some((link, host))
    }
}

/// Where a person goes after the consent page.
#[derive(Clone, Debug)]
pub enum ReturnTo {
    /// A website, by its host (with the port unless it is the usual one).
    Host(String),
    /// A program on this device (RFC 8252 §7.3), by its loopback host and port.
    ThisDevice(String),
    /// An installed app, by its private-use scheme (RFC 8252 §7.1).
    App(String),
}

/// Whether an approval is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentMemory {
    /// Not asked again for the same access.
    Remembered,
    /// Asked each time, since anyone could pose as this app.
    AskedEachTime,
    /// Asked each time, because the operator wants it so.
    AskedByOperator,
    /// Asked each time, since the app wants to stay connected.
    AskedToStay,
    /// Asked because the app wanted it so.
    AskedByApp,
}

/// Any refusal that is a page. `errors.rs` has the texts.
#[derive(Template, Debug)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Around the page.
    pub layout: Layout,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, in a sentence or two.
    pub message: String,
    /// What to do next; one entry is a sentence, several are a list.
    pub next: Vec<String>,
    /// A place to go on from: label and path.
    pub action: Option<(String, String)>,
    /// The app that the person came from: its name and a page of it.
    pub back: Option<(Name, String)>,
    /// For the app's developer: the error code and a sentence.
    pub developer: Option<(String, String)>,
    /// More for the developer: label and value.
    pub facts: Vec<(&'static str, String)>,
    /// The id under which the log has the rest.
    pub request_id: String,
}

impl ErrorPage {
    fn way_back(&self) -> Option<(&Name, &str)> {
        let (name, url) = self.back.as_ref()?;
        Some((name, web_link(Some(url))?))
    }
}

/// `GET /logout`
#[derive(Template, Debug)]
#[template(path = "logout.html")]
pub struct LogoutPage {
    /// Around the page.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
}

/// After `POST /logout`
#[derive(Template, Debug)]
#[template(path = "logged_out.html")]
pub struct LoggedOutPage {
    /// Around the page.
    pub layout: Layout,
}

/// The answer to a form that leads to another origin in the end: it goes on by itself, without a script.
#[derive(Template, Debug)]
#[template(path = "onward.html")]
pub struct OnwardPage {
    /// Around the page.
    pub layout: Layout,
    /// Where it goes, as people call it.
    pub name: Option<Name>,
    /// The address, or a path of ours that leads there. An absolute one is a registered redirect URI or the address of an app
    /// behind forward authentication.
    pub location: String,
}

/// `response_mode=form_post`: hands the answer over by a form that a script sends, or a person.
#[derive(Template, Debug)]
#[template(path = "form_post.html")]
pub struct FormPostPage {
    /// Around the page.
    pub layout: Layout,
    /// The app that waits for the answer.
    pub client: ClientView,
    /// The redirect URI.
    pub action: String,
    /// The answer's parameters.
    pub fields: Vec<(String, String)>,
    /// The nonce of this response's Content-Security-Policy.
    pub nonce: String,
}

/// `GET /playground` and `GET /playground/callback`, in development mode only.
#[derive(Template, Debug)]
#[template(path = "playground.html")]
pub struct PlaygroundPage {
    /// Around the page.
    pub layout: Layout,
    /// The issuer, as in the metadata.
    pub issuer: String,
    /// The public demo client.
    pub client_id: String,
    /// What it asks for.
    pub scope: String,
    /// `{issuer}/playground/callback`
    pub redirect_uri: String,
    /// The demo API, which introspects.
    pub api_client_id: String,
    /// Its secret: public in development mode, on this machine alone.
    pub api_client_secret: String,
    /// The demo API's resource indicator; may be empty.
    pub resource: String,
}

/// A registered link, if it leads to the web and nowhere else.
pub(super) fn web_link(link: Option<&str>) -> Option<&str> {
    link.filter(|l| l.starts_with("https://") || l.starts_with("http://"))
}
