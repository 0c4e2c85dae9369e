//! The handler, within `[server] request_timeout_seconds`.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::errors;
use crate::app::{App, RequestInfo};
use crate::fault::{Fault, Problem};
use crate::http::error::render;

/// What the handler answers, or that it took too long. `Err` is an answer too, for which the request is gone.
pub async fn call(
    app: &App,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    info: RequestInfo,
) -> Result<ServiceResponse<BoxBody>, HttpResponse> {
    let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
    let failed = |fault: &Fault| render(app, info.route.errors, fault, &info.id.to_string());
    match tokio::time::timeout(limit, next.call(req)).await {
        Ok(Ok(response)) => Ok(errors::finish(app, info, response.map_into_boxed_body())),
        Ok(Err(error)) => Err(match error.as_error::<Fault>() {
            Some(fault) => failed(fault),
            None => errors::of_status(app, info, error.as_response_error().status_code()),
        }),
        Err(_) => Err(failed(&Fault::Page(Problem::Timeout, None))),
    }
}
