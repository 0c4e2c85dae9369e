//! A mock as a server: the routes of production and its own, inside the mock's layer.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::{self, PayloadConfig, ServiceConfig, get, post, resource};
use actix_web::{App as ActixApp, HttpServer};

use super::{middleware, routes};
use crate::mock::{self, House, layer, persona, token};

/// Serves until it is told to stop.
///
/// # Errors
/// If the socket cannot be served.
pub async fn run(
    house: web::Data<House>,
    main: web::Data<crate::app::App>,
    listener: TcpListener,
) -> std::io::Result<()> {
    let factory = move || {
        ActixApp::new()
            .app_data(house.clone())
            .app_data(main.clone())
            .wrap(from_fn(middleware::serve))
            .wrap(from_fn(layer::serve))
            .configure(configure)
            .configure(routes::configure(&main))
    };
    HttpServer::new(factory)
        .workers(2)
        .keep_alive(Duration::from_secs(15))
        .client_request_timeout(Duration::from_secs(5))
        .shutdown_timeout(1)
        .listen(listener)?
        .run()
        .await
}

/// Everything below `/mock`.
fn configure(routes: &mut ServiceConfig) {
    routes
        .app_data(PayloadConfig::new(layer::MAX_BODY))
        .service(resource("/mock").route(get().to(mock::about)))
        .service(resource("/mock/login").route(post().to(persona::login)))
        .service(resource("/mock/token").route(post().to(token::post)));
}
