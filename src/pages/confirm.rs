//! The question before what cannot be undone: a page whose form is the one that was sent, and says so.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::render;
use super::view::{Layout, Name};
use crate::fault::Fault;
use crate::protocol::{Params, endpoints};

/// What is asked. Each is one form of the account pages.
#[derive(Clone, Debug)]
pub enum Question {
    /// To take an app's access back.
    RemoveApp { client_id: String, name: Name },
    /// To end all other sessions.
    EndOtherSessions,
    /// To revoke an API key.
    RevokeKey { id: String, name: Name },
}

impl Question {
    /// Where the form goes, which is where it came from.
    fn action(&self) -> &'static str {
        match self {
            Self::RemoveApp { .. } => endpoints::ACCOUNT_REVOKE,
            Self::EndOtherSessions => endpoints::ACCOUNT_REVOKE_OTHER_SESSIONS,
            Self::RevokeKey { .. } => endpoints::ACCOUNT_REVOKE_API_KEY,
        }
    }

    fn back(&self) -> &'static str {
        match self {
            Self::RemoveApp { .. } | Self::EndOtherSessions => endpoints::ACCOUNT,
            Self::RevokeKey { .. } => endpoints::ACCOUNT_API_KEYS,
        }
    }

    fn field(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::RemoveApp { client_id, .. } => Some(("client_id", client_id)),
            Self::RevokeKey { id, .. } => Some(("id", id)),
            Self::EndOtherSessions => None,
        }
    }
}

/// The answer to a destructive form that was not confirmed.
#[derive(Template, Debug)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    pub layout: Layout,
    pub csrf: String,
    pub question: Question,
}

/// Whether the person has seen the question and said yes.
pub fn is_confirmed(form: &Params) -> bool {
    form.get("confirmed") == Some("yes")
}

/// The question as a page.
pub fn ask(layout: Layout, csrf: String, question: Question) -> Result<HttpResponse, Fault> {
    render::page(&ConfirmPage { layout, csrf, question }, StatusCode::OK, None)
}
