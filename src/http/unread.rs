//! Bodies in chunks that nobody reads to their end. actix reads on, and away, for as long as chunks come; a connection is
//! closed instead, if the body is still there when the answer is. So the answer takes the body with it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::dev::{Extensions, Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
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

    /// Gives it to the answer, which is dropped when it has been sent.
    pub fn leave_with(self, answer: &mut Extensions) {
        answer.insert(self);
    }
}

impl Stream for Kept {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}
