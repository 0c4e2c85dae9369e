//! Bodies in chunks that nobody reads to their end. actix reads on, and away, for as long as chunks come; a connection is
//! closed instead, if the body is still there when the answer is. So the answer takes the body with it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse};
use futures_core::Stream;

/// One body in two hands: the handler's, which reads it, and the answer's.
#[derive(Clone)]
pub struct Kept(Rc<RefCell<Payload>>);

impl Kept {
    /// Keeps hold of a body in chunks. One whose length was told needs no such care.
    pub fn of(req: &mut ServiceRequest) -> Option<Self> {
        req.headers().contains_key(TRANSFER_ENCODING).then(|| {
            let kept = Self(Rc::new(RefCell::new(req.take_payload())));
            req.set_payload(Payload::Stream { payload: Box::pin(kept.clone()) });
            kept
        })
    }

    /// Gives it to the answer: to its head, and to its body, which is dropped when it has been sent.
    pub fn leave_with(self, mut answer: HttpResponse) -> HttpResponse {
        answer.extensions_mut().insert(self.clone());
        answer.map_body(|_, body| BoxBody::new(WithUnread { body, _unread: self }))
    }
}

struct WithUnread {
    body: BoxBody,
    _unread: Kept,
}

impl MessageBody for WithUnread {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

impl Stream for Kept {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}
