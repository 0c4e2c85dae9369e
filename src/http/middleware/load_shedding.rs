//! A place among `[server] max_requests`, by the priority of the route.

use actix_web::http::StatusCode;
use metrics::counter;

use super::errors::{EarlyAnswer, of_status};
use crate::app::{App, RequestInfo};
use crate::defense::Slot;

/// A place, or the answer if there is none for this priority.
pub fn enter(app: &App, info: RequestInfo) -> Result<Slot<'_>, EarlyAnswer> {
    app.admission.enter(info.route.priority, info.address).ok_or_else(|| {
        counter!("latchway_requests_shed_total").increment(1);
        Box::new(of_status(app, info, StatusCode::SERVICE_UNAVAILABLE))
    })
}
