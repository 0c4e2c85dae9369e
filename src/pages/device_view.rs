//! What the pages of `/device` show.

use askama::Template;

use super::text;
use super::view::{ApiView, ClientView, Layout, Name, ScopeView, wait, web_link};

/// `GET /device`
#[derive(Template, Debug)]
#[template(path = "device.html")]
pub struct DeviceEntryPage {
    /// Around the page.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// What is in the field: what came with the link, or what was typed before.
    pub typed: String,
    /// Why that did not lead on.
    pub problem: Option<EntryProblem>,
}

/// Why a code did not lead on. One that never was and one that is over are one case on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryProblem {
    /// No code looks like that.
    NoCode,
    /// It is none that counts.
    Wrong,
    /// Wait this long.
    TooMany { seconds: u64 },
}

impl DeviceEntryPage {
    fn is_wrong(&self) -> bool {
        matches!(self.problem, Some(EntryProblem::NoCode | EntryProblem::Wrong))
    }

    fn pause(&self) -> String {
        match self.problem {
            Some(EntryProblem::TooMany { seconds }) => wait(seconds),
            _ => "a moment".to_owned(),
        }
    }
}

/// What a device asks for, before a person decides.
#[derive(Template, Debug)]
#[template(path = "device_confirm.html")]
pub struct DeviceConfirmPage {
    /// Around the page.
    pub layout: Layout,
    /// The decision's anti-forgery value.
    pub csrf: String,
    /// That of "not you?".
    pub switch_csrf: String,
    /// The fields that lead back here after another login.
    pub after: Vec<(String, String)>,
    /// As the device shows it.
    pub user_code: String,
    /// The proof that this page was shown.
    pub shown: String,
    /// The app on the device.
    pub client: ClientView,
    /// Who is logged in.
    pub user: Name,
    /// What the app asks for.
    pub scopes: Vec<ScopeView>,
    /// The APIs it is for; may be empty.
    pub resources: Vec<ApiView>,
    /// How long ago the device asked.
    pub asked_seconds_ago: u64,
    /// From where it asked.
    pub asked_from: AskedFrom,
    /// The app's privacy policy, if registered.
    pub policy_uri: Option<String>,
    /// The app's terms, if registered.
    pub terms_uri: Option<String>,
}

/// The address of a device.
#[derive(Clone, Debug)]
pub enum AskedFrom {
    /// In the network of the browser.
    Here(String),
    /// In another network.
    Elsewhere(String),
}

impl DeviceConfirmPage {
    fn asked(&self) -> String {
        if self.asked_seconds_ago < 10 {
            "just now".to_owned()
        } else {
            format!("{} ago", wait(self.asked_seconds_ago))
        }
    }

    fn address(&self) -> String {
        let (AskedFrom::Here(address) | AskedFrom::Elsewhere(address)) = &self.asked_from;
        text::clean(address)
    }

    fn is_elsewhere(&self) -> bool {
        matches!(self.asked_from, AskedFrom::Elsewhere(_))
    }

    fn policy(&self) -> Option<&str> {
        web_link(self.policy_uri.as_deref())
    }

    fn terms(&self) -> Option<&str> {
        web_link(self.terms_uri.as_deref())
    }
}

/// After the decision.
#[derive(Template, Debug)]
#[template(path = "device_done.html")]
pub struct DeviceDonePage {
    /// Around the page.
    pub layout: Layout,
    /// The app that was allowed something; none if it was refused.
    pub allowed: Option<ClientView>,
}
