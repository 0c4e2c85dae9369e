//! Whether this node knows what an answer depends on: the time and the keys.

use super::errors::EarlyAnswer;
use crate::app::{App, RequestInfo};
use crate::fault::Fault;
use crate::http::error::render;
use crate::protocol::OAuthError;
use crate::route::Needs;

/// What needs neither is answered, and what only verifies is answered where merely a key for signing is missing. `Err` is the
/// answer of a node that does not know what it needs.
pub fn check(app: &App, info: RequestInfo) -> Result<(), EarlyAnswer> {
    let unknown = match info.route.needs {
        Needs::Nothing => None,
        Needs::PublicKeys => app.time_ignorance(),
        Needs::Everything => app.ignorance(),
    };
    let Some(why) = unknown else { return Ok(()) };
    let fault = Fault::from(OAuthError::unavailable(why));
    Err(Box::new(render(app, info.route.errors, &fault, &info.id.to_string())))
}
