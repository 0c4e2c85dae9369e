//! `GET /mock`: what this mock is.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::control;
use super::house::{House, World};

/// `GET /mock`
pub async fn about(house: web::Data<House>, world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(description(&house, &world))
}

/// What there is, for machines.
pub fn description(house: &House, world: &World) -> Value {
    let issuers = world.issuers().into_iter().map(|issuer| {
        let personas = issuer.app.personas.iter().map(|persona| {
            json!({"username": persona.username, "name": persona.name, "role": persona.about, "sub": persona.user_id})
        });
        json!({"issuer": issuer.app.issuer(), "personas": personas.collect::<Vec<_>>()})
    });
    let control =
        control::PATHS.iter().map(|(methods, path, about)| json!({"methods": methods, "path": path, "about": about}));
    json!({
        "base": house.base,
        "run": world.run,
        "seed": house.settings.seed,
        "audience": house.settings.audience(&house.base),
        "routes": house.api.routes(),
        "issuers": issuers.collect::<Vec<_>>(),
        "control": control.collect::<Vec<_>>(),
    })
}
