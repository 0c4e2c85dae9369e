//! `/mock/runs`: the worlds of parallel test runs.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::reading::{done, shown};
use crate::mock::answer::refused;
use crate::mock::house::House;
use crate::mock::journal::moment;

/// `GET /mock/runs`
pub async fn get(house: web::Data<House>) -> HttpResponse {
    let worlds = house.known_worlds().await;
    let all: Vec<_> = worlds
        .iter()
        .map(|world| {
            let now = moment(world.clock.now_millis());
            json!({"run": world.run, "requests": world.journal.last(), "now": now, "frozen": world.clock.is_frozen()})
        })
        .collect();
    shown(&json!({"runs": all}))
}

/// `DELETE /mock/runs/{run}`: its world ends, and begins anew if somebody names it again.
pub async fn delete(house: web::Data<House>, run: web::Path<String>) -> HttpResponse {
    if house.end_world(&run).await { done() } else { refused(404, &format!("there is no run {run}")) }
}
