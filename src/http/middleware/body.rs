//! Bodies are read before a request counts as work: who sends slowly waits for itself alone.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::{Bytes, BytesMut};
use futures_core::Stream;

use super::errors::{EarlyAnswer, of_status};
use crate::app::{App, Mode, RequestInfo};

/// A body must have come whole in this time, from the head on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the body and puts it into the place of the payload. `Err` is the answer, with which the connection ends: what was not
/// read of the body is not taken for the next request.
pub async fn check(app: &App, req: &mut ServiceRequest, info: RequestInfo) -> Result<(), EarlyAnswer> {
    read(app, req, info).await.map_err(|status| {
        let mut response = of_status(app, info, status);
        response.head_mut().set_connection_type(ConnectionType::Close);
        Box::new(response)
    })
}

async fn read(app: &App, req: &mut ServiceRequest, info: RequestInfo) -> Result<(), StatusCode> {
    // The mock's own paths take larger bodies, and its only clients are on this machine.
    if app.mode == Mode::Mock || !announces_one(req) {
        return Ok(());
    }
    if matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        // RFC 9110 §9.3.1: it means nothing, and nobody waits for it.
        drop(req.take_payload());
        return Ok(());
    }
    let length = req.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > info.route.body_limit) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let Some(_share) = app.unread_bodies.enter(info.address) else {
        metrics::counter!("latchway_requests_shed_total").increment(1);
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    let patience = PATIENCE.min(Duration::from_secs(app.config.server.request_timeout_seconds));
    let body = tokio::time::timeout(patience, collect(req.take_payload(), info.route.body_limit));
    let body = body.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
    req.set_payload(Payload::Stream { payload: Box::pin(Whole(Some(body))) });
    Ok(())
}

fn announces_one(req: &ServiceRequest) -> bool {
    let headers = req.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, StatusCode> {
    let mut body = BytesMut::new();
    while let Some(part) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if body.len() + part.len() > limit {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// A body that is all there.
struct Whole(Option<Bytes>);

impl Stream for Whole {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().filter(|body| !body.is_empty()).map(Ok))
    }
}
