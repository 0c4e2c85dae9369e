//! The middleware.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};

use crate::guard::{Authenticated, Guard};
use crate::refusal::Refused;
use crate::request::RequestHead;

/// What a guard around this place has found out.
pub(super) fn known(req: &HttpRequest) -> Option<Authenticated> {
    req.extensions().get::<Authenticated>().cloned()
}

/// For the guards and extractors further in.
pub(super) fn remember(req: &HttpRequest, caller: &Authenticated) {
    req.extensions_mut().insert(caller.clone());
}

async fn admit(guard: &Guard, req: &HttpRequest) -> Result<(), Refused> {
    let caller = guard.admit(known(req), RequestHead::from(req)).await?;
    remember(req, &caller);
    Ok(())
}

impl<S, B> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Guarded { guard: Rc::new(self.clone()), service: Rc::new(service) }))
    }
}

/// A service behind a [`Guard`].
#[derive(Debug)]
pub struct Guarded<S> {
    guard: Rc<Guard>,
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, req: ServiceRequest) -> Self::Future {
        let (guard, service) = (Rc::clone(&self.guard), Rc::clone(&self.service));
        Box::pin(async move {
            match admit(&guard, req.request()).await {
                Ok(()) => Ok(service.call(req).await?.map_into_left_body()),
                // An answer and no error, so that what stands around it (CORS, compression) treats it as one.
                Err(refused) => Ok(req.into_response(refused.error_response()).map_into_right_body()),
            }
        })
    }
}
