//! What every request goes through and every answer carries. [`serve`] has the steps in the order in which they happen, each
//! in a file of its own.
//!
//! ```text
//! context        the id, the caller's address, the row of the route table
//! early          connections, sizes, hosts: what is refused without any work
//! host           which names of this machine are asked, and the one that development mode shows pages at
//! rate_limit     the limits of an address
//! cors           preflights, and what other origins may read
//! readiness      whether the time and the keys are known
//! body           the whole body, within its limit
//! load_shedding  a place among the requests under way
//! deadline       the handler, within its time
//! errors         bodies of errors
//! headers        security headers, connections that are not kept
//! observe        metrics and the log
//! ```

mod address;
mod body;
mod context;
mod cors;
mod deadline;
mod early;
mod errors;
mod headers;
mod host;
mod load_shedding;
mod observe;
mod rate_limit;
mod readiness;
mod unread;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use self::context::Exchange;
use self::errors::EarlyAnswer;
use crate::app::App;
use crate::defense::Slot;
use crate::request::{self, Noted};

/// The one middleware. Every answer leaves through [`finish`], whichever step gives it.
pub async fn serve(
    app: web::Data<App>,
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut exchange = Exchange::begin(&app, &mut req);
    let (answer, noted) = request::with_notes(async {
        match admit(&app, &mut req, &mut exchange).await {
            Err(answer) => Ok(req.into_response(*answer)),
            // Held until the answer is there: what is counted is work.
            Ok(_slot) => deadline::call(&app, req, next, exchange.info).await,
        }
    })
    .await;
    match answer {
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(request, finish(&app, exchange, response, noted)))
        }
        // The request is gone: the router wants it to itself, so no copy was kept.
        Err(response) => {
            let response = finish(&app, exchange, response, noted);
            Err(InternalError::from_response("answered by the middleware", response).into())
        }
    }
}

/// What a request goes through before a handler sees it. What takes no work comes first, then the limits, then the body, and
/// at last the place among the requests under way. `Err` is the answer.
async fn admit<'a>(app: &'a App, req: &mut ServiceRequest, exchange: &mut Exchange) -> Result<Slot<'a>, EarlyAnswer> {
    early::check(app, req, exchange.info)?;
    rate_limit::check(app, req, exchange).await?;
    cors::check(app, &mut exchange.cors).await?;
    readiness::check(app, exchange.info)?;
    body::check(app, req, exchange.info).await?;
    load_shedding::enter(app, exchange.info)
}

/// The one way out: every answer gets its headers, is counted and is logged.
fn finish(app: &App, exchange: Exchange, mut response: HttpResponse, noted: Noted) -> HttpResponse {
    let Exchange { started, info, method, cors, unread, left, keeps_alive } = exchange;
    if let Some(unread) = unread {
        response = unread.leave_with(response);
    }
    headers::add(app, info, keeps_alive, &mut response);
    rate_limit::tell(left.as_ref(), response.headers_mut());
    cors.apply(response.headers_mut());
    observe::record(info, &method, started.elapsed(), &mut response, noted);
    response
}
