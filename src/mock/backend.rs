//! The way from the layer to the mocked API.

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

use serde_json::json;

use super::answer;
use super::house::{House, World};
use super::journal::Told;
use super::seen::Seen;
use latchway_mock_api::Call;

/// Answers a request to the mocked API.
pub async fn serve(house: &House, world: &World, seen: &Seen, req: ServiceRequest) -> ServiceResponse<BoxBody> {
    let header = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|text| text.split_once(' ')).map(|(_, token)| token.trim());
    let server = match world.resource_server(house, token) {
        Ok(server) => server,
        Err(error) => return req.into_response(answer::refused(500, &error.to_string())),
    };
    let issuers = world.issuers();
    let name_of = |subject: &str| {
        let mut people = issuers.iter().flat_map(|issuer| &issuer.app.personas);
        people.find(|persona| persona.user_id.to_string() == subject).map(|persona| persona.username.clone())
    };
    let state = world.api_state();
    let call = Call { seen, state: &state, server: &server, now: world.clock.now(), name_of: &name_of };
    let served = house.api.serve(call).await;
    let claims = served.claims.map(|claims| {
        json!({
            "sub": claims.sub,
            "client_id": claims.client_id,
            "scope": claims.scope,
            "roles": claims.roles,
            "aud": claims.aud,
            "exp": claims.exp,
        })
    });
    let told = Told { matched: served.matched, near: served.near, refused: served.refused, claims };
    req.extensions_mut().insert(told);
    let mut response = served.response;
    // An answer of one moment, of one world.
    let headers = response.headers_mut();
    if !headers.contains_key("cache-control") {
        headers.insert(actix_web::http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    req.into_response(response)
}
