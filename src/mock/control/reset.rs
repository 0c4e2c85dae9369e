//! `POST /mock/reset`

use actix_web::{HttpResponse, web};

use super::reading::done;
use super::snapshots::refusal;
use crate::mock::house::{House, World};

/// The world as at its start: people, data, rules, time, journal.
pub async fn post(house: web::Data<House>, world: web::Data<World>) -> HttpResponse {
    match world.reset(&house).await {
        Ok(()) => done(),
        Err(error) => refusal(&error),
    }
}
