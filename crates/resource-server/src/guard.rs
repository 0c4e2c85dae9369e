//! A requirement and the server that checks it, as all middleware asks it.

use std::sync::Arc;

use crate::claims::Claims;
use crate::refusal::{Refusal, Refused};
use crate::request::RequestHead;
use crate::require::{Requirement, all_of};
use crate::server::ResourceServer;

/// Lets through whoever meets a requirement. Made by [`ResourceServer::require`].
///
/// With the feature `actix` it is a middleware: give it to `wrap` of a scope, a resource or a whole app. With the feature
/// `tower` it is a `Layer`: give it to `route_layer` or `layer` of a router. Without a framework, [`Guard::decide`] says what
/// to do with a request.
///
/// It refuses preflights of CORS like everything else without credentials, so a middleware that answers them stands
/// outside of it.
#[derive(Debug, Clone)]
pub struct Guard {
    server: ResourceServer,
    requirement: Arc<Requirement>,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It may pass, and this is who makes it.
    Allowed(Arc<Claims>),
    /// It may not, and this is the answer to send.
    Refused(Refused),
}

impl ResourceServer {
    /// A middleware that lets whoever meets the requirement through, with [`Claims`] attached to the request.
    pub fn require(&self, requirement: Requirement) -> Guard {
        Guard { server: self.clone(), requirement: Arc::new(requirement) }
    }

    /// A middleware that lets everybody through who has good credentials for this API, whatever they allow.
    pub fn authenticated(&self) -> Guard {
        self.require(all_of([]))
    }
}

impl Guard {
    /// Whether a request may pass: for an app without one of the frameworks that have a feature.
    pub async fn decide<'a>(&self, request: impl Into<RequestHead<'a>>) -> Decision {
        match self.admit(None, request.into()).await {
            Ok(authenticated) => Decision::Allowed(authenticated.claims),
            Err(refused) => Decision::Refused(refused),
        }
    }

    /// The caller, if the requirement is met. `known` is what a guard around this one has found out.
    pub(crate) async fn admit(
        &self,
        known: Option<Authenticated>,
        head: RequestHead<'_>,
    ) -> Result<Authenticated, Refused> {
        let authenticated = Authenticated::of(known, &self.server, head).await?;
        let authenticated = authenticated.ok_or_else(|| self.server.refused(Refusal::Missing))?;
        self.server.check(&self.requirement, &authenticated.claims)?;
        Ok(authenticated)
    }
}

/// What is known of a request's caller, and who found it out: what is good enough for one API may not be for another.
#[derive(Clone)]
pub(crate) struct Authenticated {
    pub server: ResourceServer,
    pub claims: Arc<Claims>,
}

impl Authenticated {
    /// What this server found out already, or finds out now.
    pub async fn of(
        known: Option<Self>,
        server: &ResourceServer,
        head: RequestHead<'_>,
    ) -> Result<Option<Self>, Refused> {
        if let Some(known) = known.filter(|known| known.server.is(server)) {
            return Ok(Some(known));
        }
        Ok(server.authenticate(head).await?.map(|claims| Self { server: server.clone(), claims }))
    }
}
