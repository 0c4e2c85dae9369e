//! What stands around the real server: worlds, places, and what pages of this machine may do.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use futures_core::Stream as _;

use super::defaults::RUN_PARAMETER;
use super::house::{House, World};
use super::place::Place;
use super::seen::Seen;
use super::world_error::WorldError;
use super::{answer, backend, cors, guests, persona, rewrite, trouble};
use crate::protocol::endpoints;

/// Larger bodies are refused, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// Which run of tests a request belongs to.
const RUN: &str = "x-mock-run";

/// The outermost middleware of a mock.
pub async fn serve(
    house: web::Data<House>,
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !cors::is_local_host(req.headers()) {
        // A name of elsewhere that somebody points here (DNS rebinding) would make their page one of ours.
        return Ok(req
            .into_response(answer::refused(421, "a mock is asked by a name of this machine: localhost or 127.0.0.1")));
    }
    let Some(body) = read(&mut req).await else {
        return Ok(req.into_response(answer::refused(413, "the body is larger than 1 MiB")));
    };
    // A page of another host can send requests that carry nothing of ours; they must not take up places either.
    let make = if cors::is_foreign(req.headers()) { Make::Never } else { Make::Missing };
    let world = match world(&house, &req, make).await {
        Ok(world) => world,
        Err(error) => return Ok(req.into_response(answer::world(&error))),
    };
    rewrite::drop_parameter(&mut req, RUN_PARAMETER);
    let path = req.uri().path().to_owned();
    let (place, path) = house.place(&world, &path);
    let seen = Seen::of(&req, body, place, path);
    let origin = cors::local_origin(req.headers());
    if let Some(preflight) = cors::preflight(&seen.method, &seen.headers) {
        let response = req.into_response(preflight);
        return Ok(trouble::noted(&world, &seen, origin, "a preflight of CORS", response).await);
    }
    trouble::around(&house, &world, &seen, origin, req, async |req| answered(&house, &world, &seen, req, next).await)
        .await
}

async fn answered(
    house: &House,
    world: &Arc<World>,
    seen: &Seen,
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let prefix = match &seen.place {
        Place::Api => return Ok(backend::serve(house, world, seen, req).await),
        Place::Control if cors::is_foreign(&seen.headers) => {
            return Ok(req.into_response(answer::refused(403, "a page of another host cannot drive this mock")));
        }
        Place::Control => "",
        Place::Issuer { prefix } => prefix.as_str(),
    };
    // A person who is led here by an app is let in; what a page loads is not.
    if cors::is_foreign(&seen.headers) && !cors::is_navigation(&seen.headers) && !world.has_issuer(prefix) {
        return Ok(req.into_response(answer::world(&WorldError::Foreign)));
    }
    let issuer = match world.issuer(house, prefix).await {
        Ok(issuer) => issuer,
        Err(error) => return Ok(req.into_response(answer::world(&WorldError::Make(error)))),
    };
    if !prefix.is_empty() {
        rewrite::enter(&mut req, prefix, &seen.path);
    }
    let asked = cors::asked_origin(&seen.headers).unwrap_or_else(|| house.base.clone());
    let app = match issuer.at(&house.settings, &asked).await {
        Ok(app) => app,
        Err(error) => return Ok(req.into_response(answer::world(&WorldError::Make(error)))),
    };
    if let Err(error) = guests::welcome(&app, &house.settings, seen).await {
        return Ok(req.into_response(answer::refused(500, &error.to_string())));
    }
    let cookie = match persona::enter(&app, seen, &mut req).await {
        Ok(cookie) => cookie,
        Err(fault) => {
            return Ok(req.into_response(answer::refused(500, &format!("nobody could be logged in: {fault}"))));
        }
    };
    let mut data = Extensions::new();
    data.insert(app.clone());
    data.insert(web::Data::from(world.clone()));
    req.add_data_container(Rc::new(data));
    let response = match next.call(req).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let response = if seen.path == endpoints::API_DOCS { rewrite::with_banner(response).await } else { response };
    let response = persona::leave(&app, &house.settings, seen, cookie, response).await;
    let response = world.own_claims.tell(seen, response).await;
    Ok(if prefix.is_empty() { response } else { rewrite::leave(response, prefix).await })
}

/// Whether a run, or an issuer, is made when it is first named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Make {
    Missing,
    Never,
}

async fn world(house: &House, req: &ServiceRequest, make: Make) -> Result<Arc<World>, WorldError> {
    let name = match req.headers().get(RUN) {
        None => {
            let query = req.uri().query().unwrap_or_default();
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            let named = pairs.find(|(name, _)| name == RUN_PARAMETER).map(|(_, run)| run.into_owned());
            named.unwrap_or_default()
        }
        Some(name) => name.to_str().map_err(|_| WorldError::Name)?.to_owned(),
    };
    match make {
        Make::Missing => house.world(&name).await,
        Make::Never => house.known_world(&name).await.ok_or(WorldError::Foreign),
    }
}

/// The whole body, which stays where it was for whoever reads it next. `None` if it is too large or ends early.
async fn read(req: &mut ServiceRequest) -> Option<web::Bytes> {
    let mut payload = req.take_payload();
    let mut body = web::BytesMut::new();
    while let Some(piece) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        let piece = piece.ok()?;
        if body.len() + piece.len() > MAX_BODY {
            return None;
        }
        body.extend_from_slice(&piece);
    }
    let body = body.freeze();
    req.set_payload(Payload::from(body.clone()));
    Some(body)
}
