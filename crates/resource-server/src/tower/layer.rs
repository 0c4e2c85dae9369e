//! The guard as a layer.

use std::future::Future;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::response::refused;
use crate::guard::{Authenticated, Guard};
use crate::request::RequestHead;

impl<S> Layer<S> for Guard {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { guard: self.clone(), inner }
    }
}

/// A service behind a [`Guard`]. A refused request gets its answer from the guard, whatever the body type of the service, so
/// that the service may be one of axum, of tonic, or of hyper itself.
#[derive(Debug, Clone)]
pub struct GuardService<S> {
    guard: Guard,
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for GuardService<S>
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
{
    type Response = Response<Either<Out, Full<Bytes>>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let guard = self.guard.clone();
        // The one that is ready, and not its clone, which has not been asked (tower's documentation of Service).
        let unasked = self.inner.clone();
        let mut inner = replace(&mut self.inner, unasked);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let known = parts.extensions.get::<Authenticated>().cloned();
            match guard.admit(known, RequestHead::from(&parts)).await {
                Ok(caller) => {
                    parts.extensions.insert(caller);
                    Ok(inner.call(Request::from_parts(parts, body)).await?.map(Either::Left))
                }
                Err(refusal) => Ok(refused(&refusal).map(Either::Right)),
            }
        })
    }
}
