//! `/livez` and `/readyz`.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::App;
use crate::route::{ErrorFormat, Route, handlers};

/// For those who run the server and for load balancers.
pub static ROUTES: &[Route] = &[
    Route::file("/livez", handlers![get livez]).errors(ErrorFormat::Json),
    Route::file("/readyz", handlers![get readyz]).errors(ErrorFormat::Json),
];

/// The database has so long to answer before balancers are told.
const PATIENCE: Duration = Duration::from_millis(1500);

/// `GET /livez`: the process answers. Never asks the database.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /readyz`: requests are welcome: not stopping, the clock is right, and the database answers.
pub async fn readyz(app: web::Data<App>) -> HttpResponse {
    if let Some(obstacle) = app.readiness.obstacle() {
        return HttpResponse::ServiceUnavailable().json(json!({"status": obstacle}));
    }
    // Asked again and again, the database is asked a few times a second; while writes fail, each time.
    let answers = async { matches!(tokio::time::timeout(PATIENCE, app.db.probe()).await, Ok(Ok(()))) };
    let answers = if app.db.is_failing() { answers.await } else { app.database_answers.get_with((), answers).await };
    if answers {
        HttpResponse::Ok().json(json!({"status": "ok"}))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({"status": "database unavailable"}))
    }
}
