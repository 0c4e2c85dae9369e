//! What comes after the first start: the playground, an app, a person, the documents.

use crate::app::{App, Mode};
use crate::protocol::endpoints;

/// The list, with the addresses of this server.
#[derive(Clone, Debug)]
pub struct FirstSteps {
    /// As a library needs it.
    pub issuer: String,
    /// In development mode alone.
    pub playground: Option<&'static str>,
}

impl FirstSteps {
    /// For a server in any mode; the caller decides who sees it.
    pub fn of(app: &App) -> Self {
        Self { issuer: app.issuer().to_owned(), playground: (app.mode == Mode::Dev).then_some(endpoints::PLAYGROUND) }
    }
}
