//! Claims as parameters of a handler, whatever its framework.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use crate::claims::Claims;
use crate::guard::Authenticated;
use crate::refusal::{Refusal, Refused};
use crate::request::RequestHead;
use crate::require::Requirement;
use crate::server::ResourceServer;

/// For a route that is open to all, and shows more to those it knows: `None` if no credentials came. Bad ones are refused,
/// and so are good ones of which nobody can tell at the moment.
#[derive(Debug, Clone)]
pub struct MaybeClaims(pub Option<Arc<Claims>>);

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

impl<P: Policy> Authorized<P> {
    pub(crate) fn of(caller: Authenticated) -> Result<Self, Rejection> {
        caller.server.check(&P::requirement(), &caller.claims)?;
        Ok(Self { claims: caller.claims, policy: PhantomData })
    }
}

/// Why a handler with claims among its parameters is not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejection {
    Refused(Refused),
    /// The app was configured neither with `ResourceServer::routes` nor with `ResourceServer::layer`: 500.
    NotConfigured,
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::NotConfigured => f.write_str("the server is not configured"),
        }
    }
}

impl std::error::Error for Rejection {}

/// Where a handler's caller is found: with the guard around it, or by the server that the app was configured with.
pub(crate) struct Sources<'a> {
    pub known: Option<Authenticated>,
    pub server: Option<&'a ResourceServer>,
}

impl Sources<'_> {
    /// The caller; `None` if the request carries no credentials.
    pub async fn caller(&self, head: RequestHead<'_>) -> Result<Option<Authenticated>, Rejection> {
        if let Some(known) = &self.known {
            return Ok(Some(known.clone()));
        }
        Ok(Authenticated::of(None, self.server()?, head).await?)
    }

    /// The caller, without whom the handler is not run.
    pub async fn required(&self, head: RequestHead<'_>) -> Result<Authenticated, Rejection> {
        match self.caller(head).await? {
            Some(caller) => Ok(caller),
            None => Err(self.server()?.refused(Refusal::Missing).into()),
        }
    }

    fn server(&self) -> Result<&ResourceServer, Rejection> {
        self.server.ok_or_else(|| {
            tracing::error!(
                "a handler wants claims, and the app was configured neither with ResourceServer::routes nor with ResourceServer::layer"
            );
            Rejection::NotConfigured
        })
    }
}
