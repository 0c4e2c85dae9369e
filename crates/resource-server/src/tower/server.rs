//! What an app is wrapped in, so that its extractors find the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::response::response;
use crate::metadata::MetadataDocument;
use crate::server::ResourceServer;

impl ResourceServer {
    /// What a router of axum has to be wrapped in (`Router::layer`): extractors find the server then, and the RFC 9728
    /// metadata are served if there are any.
    pub fn layer(&self) -> ServerLayer {
        ServerLayer { server: self.clone() }
    }
}

/// Made by [`ResourceServer::layer`].
#[derive(Debug, Clone)]
pub struct ServerLayer {
    server: ResourceServer,
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService { server: self.server.clone(), inner }
    }
}

/// A service whose requests have their [`ResourceServer`] with them.
#[derive(Debug, Clone)]
pub struct ServerService<S> {
    server: ResourceServer,
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for ServerService<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
{
    type Response = Response<Either<Out, Full<Bytes>>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        let asks = [Method::GET, Method::HEAD].contains(request.method());
        if let Some(document) =
            self.server.metadata().filter(|document| asks && document.path() == request.uri().path())
        {
            let document = Arc::clone(document);
            return Box::pin(async move { Ok(published(&document).map(Either::Right)) });
        }
        request.extensions_mut().insert(self.server.clone());
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(Either::Left)) })
    }
}

fn published(document: &MetadataDocument) -> Response<Full<Bytes>> {
    let headers = document.headers().map(|(name, value)| (name, value.to_owned()));
    response(StatusCode::OK, headers, document.body().to_owned())
}
