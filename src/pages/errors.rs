//! The texts of the error pages: what happened, and what to do next.

use super::view::{ErrorPage, Layout, wait};
use crate::protocol::endpoints;

/// Why there is a page instead of what was asked for.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The app is unknown, disabled or deleted: the same page for the three.
    UnknownClient,
    /// The redirect URI is missing or not registered; the answer must not go there.
    BadRedirect,
    /// Another defect of an authorization request that cannot be sent back to the app.
    BadRequest,
    /// The waiting request is too old, finished, or belongs to another browser.
    Expired,
    /// The login was answered before.
    Finished,
    /// The browser sent no cookie.
    CookiesMissing,
    /// The form's anti-forgery value did not fit, or another site sent it.
    Csrf,
    /// The set-up link is used or unknown.
    SetupLinkDead,
    /// No right to this.
    Forbidden,
    /// No such page.
    NotFound,
    /// The page does not take this method.
    MethodNotAllowed,
    /// Too much was sent.
    TooLarge,
    /// Not the media type of a form.
    UnsupportedMediaType,
    /// Too many requests; wait this many seconds.
    TooManyRequests { seconds: u64 },
    /// Our mistake.
    Internal,
    /// No capacity now; wait this many seconds.
    Unavailable { seconds: u64 },
}

impl Fault {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownClient | Self::BadRedirect | Self::BadRequest | Self::Expired | Self::CookiesMissing => 400,
            Self::Csrf | Self::Forbidden | Self::Finished => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::SetupLinkDead => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests { .. } => 429,
            Self::Internal => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// The page. `developer` is the error code with a sentence for the app's developer.
    pub fn page(&self, layout: Layout, request_id: &str, developer: Option<(String, String)>) -> ErrorPage {
        let (title, message) = self.words();
        ErrorPage {
            layout,
            status: self.status(),
            title: title.to_owned(),
            message: message.to_owned(),
            next: self.next(),
            back: None,
            action: self.action().map(|(label, path)| (label.to_owned(), path.to_owned())),
            developer,
            facts: Vec::new(),
            request_id: request_id.to_owned(),
        }
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownClient => {
                ("This app is not known here", "An app sent you to log in, but it is not registered with this server.")
            }
            Self::BadRedirect => (
                "This app’s return address does not fit",
                "The app wants you sent to an address that it has not registered. To keep you safe, we stop here.",
            ),
            Self::BadRequest => ("This login link does not work", "The app sent a request that we cannot read."),
            Self::Expired => (
                "This page is out of date",
                "You waited too long, or this login was finished in another tab or browser.",
            ),
            Self::Finished => (
                "This login has already been finished",
                "It was finished from this page before, or in another tab. Nothing more has to be done here.",
            ),
            Self::CookiesMissing => (
                "Your browser sent no cookie",
                "We need one cookie to know that this browser began the login. It holds nothing about you.",
            ),
            Self::Csrf => (
                "We could not check where this form came from",
                "Nothing was changed. This happens when a page was open for long, or when another site sent the form.",
            ),
            Self::SetupLinkDead => (
                "This set-up link no longer works",
                "A set-up link works once. This one was used, or a newer one exists.",
            ),
            Self::Forbidden => ("You cannot open this page", "Your account has no right to see it."),
            Self::NotFound => ("There is no page here", "The address may be mistyped, or the page has moved."),
            Self::MethodNotAllowed => {
                ("This page cannot be used like that", "The address exists, but not for this kind of request.")
            }
            Self::TooLarge => ("That was too much", "The form or the address is larger than we accept."),
            Self::UnsupportedMediaType => {
                ("We could not read that form", "It came in a format that this page does not take.")
            }
            Self::TooManyRequests { .. } => {
                ("Too many requests", "Many requests came from your network in a short time, so we slow down.")
            }
            Self::Internal => ("Something went wrong on our side", "It is not your fault. We have written it down."),
            Self::Unavailable { .. } => {
                ("We are very busy just now", "The server cannot take your request at the moment.")
            }
        }
    }

    fn next(&self) -> Vec<String> {
        let lines: &[&str] = match self {
            Self::UnknownClient | Self::BadRedirect | Self::BadRequest => &[
                "Close this page and start again from the app.",
                "If it happens again, tell the people who run the app, and give them the details below.",
            ],
            Self::Expired => &["Go back to the app and start again. It takes only a moment."],
            Self::Finished => &["Go back to the app. If it does not know you yet, log in from there again."],
            Self::CookiesMissing => &[
                "Allow cookies for this site in your browser’s settings.",
                "If you use a private window, try a normal one.",
                "Then go back to the app and start again.",
            ],
            Self::Csrf => &["Go back to where you began and try again, or go on from your account."],
            Self::SetupLinkDead => &[
                "If you have set up your account, log in with it.",
                "If not, restart the server: it prints a new link while there is no administrator.",
            ],
            Self::Forbidden => &["If you need it, ask an administrator of this server."],
            Self::NotFound | Self::MethodNotAllowed => &["Check the address, or go on from the start page."],
            Self::TooLarge | Self::UnsupportedMediaType => {
                &["Go back and try again with less, or start again from the app."]
            }
            Self::TooManyRequests { seconds } | Self::Unavailable { seconds } => {
                return vec![format!("Wait {}, then try again.", wait(*seconds))];
            }
            Self::Internal => {
                &["Try again in a minute.", "If it happens again, tell an administrator the reference below."]
            }
        };
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    fn action(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::SetupLinkDead => Some(("Log in", endpoints::LOGIN)),
            Self::Forbidden | Self::Expired | Self::Finished | Self::Csrf => {
                Some(("Go to your account", endpoints::ACCOUNT))
            }
            Self::NotFound | Self::MethodNotAllowed => Some(("Go to the start page", "/")),
            _ => None,
        }
    }
}
