//! `/mock/rules`: trouble, set by hand.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::reading::{done, either, json as read, shown};
use crate::mock::house::World;
use crate::mock::rules::settings::RuleSettings;

/// `GET /mock/rules`
pub async fn get(world: web::Data<World>) -> HttpResponse {
    list(&world)
}

fn list(world: &World) -> HttpResponse {
    let (own, profile) = world.rules.list();
    let profile = profile.map(|(name, rules)| json!({"name": name, "rules": rules}));
    shown(&json!({"rules": own, "profile": profile}))
}

/// `PUT /mock/rules`: a list in the place of all that were set.
pub async fn put(world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    either(read::<Vec<RuleSettings>>(&body).and_then(|settings| {
        world.rules.replace(&settings)?;
        Ok(list(&world))
    }))
}

/// `POST /mock/rules`: one more.
pub async fn post(world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    either(read::<RuleSettings>(&body).and_then(|settings| {
        let added = world.rules.add(&settings)?;
        Ok(HttpResponse::Created().json(added))
    }))
}

/// `DELETE /mock/rules`
pub async fn clear(world: web::Data<World>) -> HttpResponse {
    world.rules.clear();
    done()
}

/// `DELETE /mock/rules/{id}`
pub async fn delete(world: web::Data<World>, id: web::Path<String>) -> HttpResponse {
    either(world.rules.remove(&id).map(|()| done()).map_err(Into::into))
}
