//! The middleware.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};

use crate::claims::Claims;
use crate::refusal::{Refusal, Refused};
use crate::require::Requirement;
use crate::server::ResourceServer;

/// Lets through whoever meets a requirement. Made by [`ResourceServer::require`]; give it to `wrap` of a scope, a resource or
/// a whole app.
///
/// It refuses preflights of CORS like everything else without credentials, so a middleware that answers them stands
/// outside of it.
#[derive(Debug, Clone)]
pub struct Guard {
    server: ResourceServer,
    requirement: Arc<Requirement>,
}

impl Guard {
    pub(crate) fn new(server: ResourceServer, requirement: Requirement) -> Self {
        Self { server, requirement: Arc::new(requirement) }
    }

    async fn admit(&self, req: &HttpRequest) -> Result<(), Refused> {
        let claims = Authenticated::of(req, &self.server).await?;
        let claims = claims.ok_or_else(|| self.server.refused(Refusal::Missing))?;
        self.server.check(&self.requirement, &claims)
    }
}

/// What is known of a request's caller, and who found it out: what is good enough for one API may not be for another.
#[derive(Clone)]
pub(crate) struct Authenticated {
    pub server: ResourceServer,
    pub claims: Arc<Claims>,
}

impl Authenticated {
    /// What was found out already, or is found out now and attached to the request.
    pub async fn of(req: &HttpRequest, server: &ResourceServer) -> Result<Option<Arc<Claims>>, Refused> {
        if let Some(known) = Self::known(req).filter(|known| known.server.is(server)) {
            return Ok(Some(known.claims));
        }
        let claims = server.authenticate(req).await?;
        if let Some(claims) = &claims {
            req.extensions_mut().insert(Self { server: server.clone(), claims: Arc::clone(claims) });
        }
        Ok(claims)
    }

    pub fn known(req: &HttpRequest) -> Option<Self> {
        req.extensions().get::<Self>().cloned()
    }
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
            match guard.admit(req.request()).await {
                Ok(()) => Ok(service.call(req).await?.map_into_left_body()),
                // An answer and no error, so that what stands around it (CORS, compression) treats it as one.
                Err(refused) => Ok(req.into_response(refused.error_response()).map_into_right_body()),
            }
        })
    }
}
