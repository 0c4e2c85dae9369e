//! Claims as parameters of a handler.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::ErrorInternalServerError;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::claims::Claims;
use crate::guard::Authenticated;
use crate::refusal::Refusal;
use crate::require::Requirement;
use crate::server::ResourceServer;

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// Who calls, from the guard, or without one from the server that [`ResourceServer::routes`] left with the app.
async fn claims(req: &HttpRequest) -> Result<Option<Authenticated>, Error> {
    if let Some(known) = Authenticated::known(req) {
        return Ok(Some(known));
    }
    let server = server(req)?;
    Ok(Authenticated::of(req, server).await?.map(|claims| Authenticated { server: server.clone(), claims }))
}

fn server(req: &HttpRequest) -> Result<&ResourceServer, Error> {
    req.app_data::<ResourceServer>().ok_or_else(|| {
        tracing::error!("a handler wants claims, and the app was not configured with ResourceServer::routes");
        ErrorInternalServerError("the server is not configured")
    })
}

async fn required(req: &HttpRequest) -> Result<Authenticated, Error> {
    match claims(req).await? {
        Some(authenticated) => Ok(authenticated),
        None => Err(server(req)?.refused(Refusal::Missing).into()),
    }
}

/// The handler runs with good credentials only. Beware of `Option<Claims>`, for which actix-web takes every refusal as
/// `None`: [`MaybeClaims`] is meant then.
impl FromRequest for Claims {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self::clone(&required(&req).await?.claims)) })
    }
}

/// For a route that is open to all, and shows more to those it knows: `None` if no credentials came. Bad ones are refused,
/// and so are good ones of which nobody can tell at the moment.
#[derive(Debug, Clone)]
pub struct MaybeClaims(pub Option<Arc<Claims>>);

impl FromRequest for MaybeClaims {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self(claims(&req).await?.map(|known| known.claims))) })
    }
}

/// A requirement with a name, for handlers that say by their type who may call them.
///
/// ```
/// use latchway_resource_server::{Authorized, Policy, Requirement, scope};
///
/// struct ReadOrders;
///
/// impl Policy for ReadOrders {
///     fn requirement() -> Requirement {
///         scope("orders:read")
///     }
/// }
///
/// async fn orders(caller: Authorized<ReadOrders>) -> String {
///     format!("the orders of {}", caller.sub)
/// }
/// ```
pub trait Policy: 'static {
    fn requirement() -> Requirement;
}

/// The claims of somebody who meets the policy; the handler runs for nobody else.
#[derive(Debug)]
pub struct Authorized<P> {
    claims: Arc<Claims>,
    policy: PhantomData<P>,
}

impl<P> Deref for Authorized<P> {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl<P: Policy> FromRequest for Authorized<P> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let Authenticated { server, claims } = required(&req).await?;
            server.check(&P::requirement(), &claims)?;
            Ok(Self { claims, policy: PhantomData })
        })
    }
}
