//! The limits of an address.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use metrics::counter;

use super::context::Exchange;
use super::errors::EarlyAnswer;
use crate::app::App;
use crate::defense::{Left, Passage};
use crate::fault::{Fault, Problem};
use crate::http::error::render;
use crate::http::rate_limit_fields as fields;

/// Counts the request and remembers what is left. `Err` is the answer of a limit that is exceeded.
pub async fn check(app: &App, req: &ServiceRequest, exchange: &mut Exchange) -> Result<(), EarlyAnswer> {
    let info = exchange.info;
    let exceeded = match app.limiter.request(info.route, req.match_info().as_str(), info.address, app.now()) {
        Passage::Open(narrowest) => {
            exchange.left = narrowest;
            return Ok(());
        }
        Passage::Closed(exceeded) => exceeded,
    };
    counter!("latchway_requests_limited_total", "route" => info.route.label).increment(1);
    exchange.cors.recall(app).await;
    let fault = Fault::Page(Problem::TooMany { retry_after: exceeded.retry_after }, None);
    let mut response = render(app, info.route.errors, &fault, &info.id.to_string());
    fields::refused(&exceeded, response.headers_mut());
    Err(Box::new(response))
}

/// What is left, on an answer that says nothing of it yet.
pub fn tell(left: Option<&Left>, headers: &mut HeaderMap) {
    fields::left(left, headers);
}
