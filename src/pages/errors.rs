//! The texts of the error pages: what happened, and what to do next.

use super::view::{ErrorPage, Layout, wait};
use crate::fault::Problem;
use crate::protocol::endpoints;

impl Problem {
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
            Self::RedirectUri => (
                "This app’s return address does not fit",
                "The app wants you sent to an address that it has not registered. To keep you safe, we stop here.",
            ),
            Self::MalformedRequest => ("This login link does not work", "The app sent a request that we cannot read."),
            Self::Expired | Self::Answered => (
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
            Self::Forged => (
                "We could not check where this form came from",
                "Nothing was changed. This happens when a page was open for long, or when another site sent the form.",
            ),
            Self::LinkUsed => (
                "This set-up link no longer works",
                "A set-up link works once. This one was used, or a newer one exists.",
            ),
            Self::NotFound => ("There is no page here", "The address may be mistyped, or the page has moved."),
            Self::MethodNotAllowed => {
                ("This page cannot be used like that", "The address exists, but not for this kind of request.")
            }
            Self::TooLarge => ("That was too much", "The form or the address is larger than we accept."),
            Self::UnsupportedMediaType => {
                ("We could not read that form", "It came in a format that this page does not take.")
            }
            Self::TooMany { .. } => {
                ("Too many requests", "Many requests came from your network in a short time, so we slow down.")
            }
            Self::Internal => ("Something went wrong on our side", "It is not your fault. We have written it down."),
            Self::Unavailable { .. } | Self::Timeout => {
                ("We are very busy just now", "The server cannot take your request at the moment.")
            }
        }
    }

    fn next(&self) -> Vec<String> {
        let lines: &[&str] = match self {
            Self::UnknownClient | Self::RedirectUri | Self::MalformedRequest => &[
                "Close this page and start again from the app.",
                "If it happens again, tell the people who run the app, and give them the details below.",
            ],
            Self::Expired | Self::Answered => &["Go back to the app and start again. It takes only a moment."],
            Self::Finished => &["Go back to the app. If it does not know you yet, log in from there again."],
            Self::CookiesMissing => &[
                "Allow cookies for this site in your browser’s settings.",
                "If you use a private window, try a normal one.",
                "Then go back to the app and start again.",
            ],
            Self::Forged => &["Go back to where you began and try again, or go on from your account."],
            Self::LinkUsed => &[
                "If you have set up your account, log in with it.",
                "If not, restart the server: it prints a new link while there is no administrator.",
            ],
            Self::NotFound | Self::MethodNotAllowed => &["Check the address, or go on from the start page."],
            Self::TooLarge | Self::UnsupportedMediaType => {
                &["Go back and try again with less, or start again from the app."]
            }
            Self::TooMany { retry_after } | Self::Unavailable { retry_after } => {
                return vec![format!("Wait {}, then try again.", wait(*retry_after))];
            }
            Self::Timeout => return vec![format!("Wait {}, then try again.", wait(1))],
            Self::Internal => {
                &["Try again in a minute.", "If it happens again, tell an administrator the reference below."]
            }
        };
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    fn action(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LinkUsed => Some(("Log in", endpoints::LOGIN)),
            Self::Expired | Self::Answered | Self::Finished | Self::Forged => {
                Some(("Go to your account", endpoints::ACCOUNT))
            }
            Self::NotFound | Self::MethodNotAllowed => Some(("Go to the start page", "/")),
            _ => None,
        }
    }
}
