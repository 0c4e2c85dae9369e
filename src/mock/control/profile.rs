//! `/mock/profile`: trouble by name.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::reading::{done, either, json as read, shown};
use crate::mock::house::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
}

/// `GET /mock/profile`
pub async fn get(world: web::Data<World>) -> HttpResponse {
    list(&world)
}

fn list(world: &World) -> HttpResponse {
    let all: Vec<_> = world.rules.profiles().map(|(name, about)| json!({"name": name, "about": about})).collect();
    let active = world.rules.list().1.map(|(name, _)| name);
    shown(&json!({"active": active, "profiles": all}))
}

/// `PUT /mock/profile`
pub async fn put(world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    either(read::<Wanted>(&body).and_then(|wanted| {
        world.rules.switch_on(&wanted.name)?;
        Ok(list(&world))
    }))
}

/// `DELETE /mock/profile`
pub async fn delete(world: web::Data<World>) -> HttpResponse {
    world.rules.switch_off();
    done()
}
