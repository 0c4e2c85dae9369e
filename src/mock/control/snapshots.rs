//! `/mock/snapshots`: a world kept, and brought back.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::reading::{done, shown};
use crate::mock::answer::refused;
use crate::mock::house::{House, World};
use crate::mock::journal::moment;
use crate::mock::state::StateError;

/// `GET /mock/snapshots`
pub async fn get(world: web::Data<World>) -> HttpResponse {
    let all: Vec<_> = world.kept().iter().map(|(name, taken_at)| described(name, *taken_at)).collect();
    shown(&json!({"snapshots": all}))
}

/// `PUT /mock/snapshots/{name}`
pub async fn put(world: web::Data<World>, name: web::Path<String>) -> HttpResponse {
    match world.keep(&name).await {
        Ok(taken_at) => shown(&described(&name, taken_at)),
        Err(error) => refusal(&error),
    }
}

/// `POST /mock/snapshots/{name}/restore`
pub async fn restore(house: web::Data<House>, world: web::Data<World>, name: web::Path<String>) -> HttpResponse {
    match world.bring_back(&house, &name).await {
        Ok(()) => done(),
        Err(error) => refusal(&error),
    }
}

/// `DELETE /mock/snapshots/{name}`
pub async fn delete(world: web::Data<World>, name: web::Path<String>) -> HttpResponse {
    match world.forget(&name) {
        Ok(()) => done(),
        Err(error) => refusal(&error),
    }
}

fn described(name: &str, taken_at: i64) -> Value {
    json!({"name": name, "taken_at": moment(taken_at)})
}

/// Why a world cannot be kept or brought back.
pub(super) fn refusal(error: &StateError) -> HttpResponse {
    let status = match error {
        StateError::Name => 400,
        StateError::Unknown(_) => 404,
        StateError::TooMany => 429,
        StateError::Make(_) | StateError::Rules(_) => {
            tracing::error!(%error, "a world could not be kept or brought back");
            500
        }
    };
    refused(status, &error.to_string())
}
