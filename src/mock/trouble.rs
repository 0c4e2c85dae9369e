//! What stands between the layer and whoever serves a request: the trouble that rules make, and the journal.

use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{Error, HttpMessage, HttpResponse};
use socket2::Socket;

use super::house::{House, World};
use super::journal::{Entry, Told};
use super::place::Place;
use super::rules::{Broken, Effect, Paced, Then};
use super::seen::Seen;
use super::{answer, cors};
use crate::protocol::endpoints;

/// The connection of a request, in its data, to be closed under it.
pub struct Line(pub Socket);

/// Serves a request by `serve`, unless a rule has something else in mind, and writes it down. `origin` is the page of this
/// machine that may read the answer.
///
/// # Errors
/// What `serve` answers where the request is gone.
pub async fn around(
    house: &House,
    world: &World,
    seen: &Seen,
    origin: Option<HeaderValue>,
    req: ServiceRequest,
    serve: impl AsyncFnOnce(ServiceRequest) -> Result<ServiceResponse<BoxBody>, Error>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if seen.place == Place::Control {
        return unwritten(origin.as_ref(), serve(req).await);
    }
    let mut record = Record::new(world, seen, origin);
    let mut taken = world.rules.take(seen);
    let effect = taken.effect.take().unwrap_or(Effect { delay: None, then: Then::Pass, slow_body: None });
    record.entry.troubled(taken);
    if let Some(delay) = effect.delay {
        tokio::time::sleep(delay).await;
    }
    if effect.then == Then::Drop {
        return Ok(hang_up(record, req));
    }
    if effect.then == Then::RotateKeys
        && let Err(error) = world.rotate_keys(house).await
    {
        tracing::error!(%error, "the keys of a mock could not be rotated");
    }
    let served = match effect.then.answer(seen, &issuer(house, seen)) {
        Some(response) => {
            record.entry.matched = Some("a rule".to_owned());
            Ok(req.into_response(response))
        }
        None => serve(req).await,
    };
    match served {
        Ok(response) => {
            let (request, response) = response.into_parts();
            let told = request.extensions_mut().remove::<Told>();
            record.told(told, request.match_pattern(), seen);
            let response = record.write(response, &effect).await;
            Ok(ServiceResponse::new(request, response))
        }
        Err(error) => {
            let response = record.write(error.error_response(), &effect).await;
            Err(InternalError::from_response("answered by the middleware", response).into())
        }
    }
}

/// Writes down what the layer answers itself.
pub async fn noted(
    world: &World,
    seen: &Seen,
    origin: Option<HeaderValue>,
    matched: &str,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let mut record = Record::new(world, seen, origin);
    record.entry.matched = Some(matched.to_owned());
    let (request, response) = response.into_parts();
    let response = record.write(response, &Effect { delay: None, then: Then::Pass, slow_body: None }).await;
    ServiceResponse::new(request, response)
}

/// Whoever drives the mock is not what it is about, nor is the furniture of its pages.
fn is_written_down(seen: &Seen) -> bool {
    seen.place != Place::Control && !seen.path.starts_with("/static/") && seen.path != endpoints::FAVICON
}

fn share(origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if let Some(origin) = origin {
        cors::apply(origin.clone(), headers);
    }
}

fn unwritten(
    origin: Option<&HeaderValue>,
    served: Result<ServiceResponse<BoxBody>, Error>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match served {
        Ok(mut response) => {
            share(origin, response.headers_mut());
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            share(origin, response.headers_mut());
            Err(InternalError::from_response("answered by the middleware", response).into())
        }
    }
}

/// The identifier of the issuer that was asked.
fn issuer(house: &House, seen: &Seen) -> String {
    let asked = cors::asked_origin(&seen.headers).unwrap_or_else(|| house.base.clone());
    match &seen.place {
        Place::Issuer { prefix } if !prefix.is_empty() => format!("{asked}/{prefix}"),
        _ => asked,
    }
}

/// An entry that is being written.
struct Record<'a> {
    entry: Entry,
    is_kept: bool,
    began: Instant,
    world: &'a World,
    origin: Option<HeaderValue>,
}

impl<'a> Record<'a> {
    fn new(world: &'a World, seen: &Seen, origin: Option<HeaderValue>) -> Self {
        let entry = Entry::of(seen, world.clock.now_millis());
        Self { entry, is_kept: is_written_down(seen), began: Instant::now(), world, origin }
    }

    fn told(&mut self, told: Option<Told>, pattern: Option<String>, seen: &Seen) {
        if let Some(told) = told {
            self.entry.told(told);
        }
        if self.entry.matched.is_none() {
            self.entry.matched = pattern.map(|pattern| format!("{} {pattern}", seen.method));
        }
    }

    fn end(mut self) {
        self.entry.took(self.began.elapsed());
        if self.is_kept {
            self.world.journal.record(self.entry);
        }
    }

    /// Ends the entry with an answer, and makes of that what is sent.
    async fn write(mut self, mut response: HttpResponse, effect: &Effect) -> HttpResponse {
        share(self.origin.as_ref(), response.headers_mut());
        let is_empty = matches!(response.body().size(), BodySize::None);
        let (head, body) = response.into_parts();
        let Ok(body) = to_bytes(body).await else {
            return answer::refused(500, "the body of the answer could not be read");
        };
        self.entry.answered(head.status(), head.headers(), &body);
        self.end();
        let body = match (&effect.then, effect.slow_body) {
            _ if is_empty => BoxBody::new(()),
            (Then::DropMidBody, _) => BoxBody::new(Broken::new(&body)),
            (_, Some(bytes_per_second)) => BoxBody::new(Paced::new(body, bytes_per_second)),
            _ => BoxBody::new(body),
        };
        head.set_body(body)
    }
}

/// Closes the connection, after which nothing of the answer arrives.
fn hang_up(mut record: Record<'_>, req: ServiceRequest) -> ServiceResponse<BoxBody> {
    if let Some(line) = req.conn_data::<Line>() {
        let _ = line.0.shutdown(std::net::Shutdown::Both);
    }
    record.entry.matched = Some("a rule".to_owned());
    record.entry.refused = Some("dropped: the connection was closed without an answer".to_owned());
    record.end();
    req.into_response(HttpResponse::InternalServerError().force_close().finish())
}
