//! What is known of a request from its head alone.

use std::time::Instant;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

use super::unread::Kept;
use super::{address, cors};
use crate::app::{App, RequestInfo};
use crate::defense::Left;
use crate::http::{connections, routes};
use crate::support::Id;

/// A request on its way through the steps, and what its answer will need.
pub struct Exchange {
    pub started: Instant,
    pub info: RequestInfo,
    /// As it was sent.
    pub method: Method,
    pub cors: cors::Verdict,
    pub unread: Option<Kept>,
    /// What is left of the narrowest limit.
    pub left: Option<Left>,
    /// Whether the connection may wait for the next request.
    pub keeps_alive: bool,
}

impl Exchange {
    pub fn begin(app: &App, req: &mut ServiceRequest) -> Self {
        let started = Instant::now();
        let info = RequestInfo {
            id: Id::new(&app.clock, &app.rng),
            address: address::client_address(req, &app.config.server.trusted_proxies),
            // By the path that the router compares: `/oauth2/%74oken` is `/oauth2/token` here as well.
            route: routes::index(app.mode).resolve(req.match_info().as_str()),
        };
        req.extensions_mut().insert(info);
        let method = req.method().clone();
        let exchange = Self {
            started,
            info,
            cors: cors::Verdict::of(req, info.route),
            unread: Kept::of(req),
            left: None,
            method,
            keeps_alive: connections::keeps_alive(req),
        };
        if exchange.method == Method::HEAD {
            // RFC 9110 §9.3.2: answered as GET is; the connection leaves the body out, as it knows the method that was sent.
            req.head_mut().method = Method::GET;
        }
        exchange
    }
}
