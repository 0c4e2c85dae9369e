//! A mock as a server: the routes of production and its own, inside the mock's layer.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, PayloadConfig, ServiceConfig, delete, get, post, put, resource};
use actix_web::{App as ActixApp, HttpServer};
use socket2::SockRef;

use super::{middleware, routes};
use crate::mock::{self, House, Line, control, layer, persona, token};

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
        .on_connect(|stream, data| {
            // A rule may want to close it.
            if let Some(stream) = stream.downcast_ref::<TcpStream>()
                && let Ok(socket) = SockRef::from(stream).try_clone()
            {
                data.insert(Line(socket));
            }
        })
        .keep_alive(Duration::from_secs(15))
        .client_request_timeout(Duration::from_secs(5))
        .shutdown_timeout(1)
        .listen(listener)?
        .run()
        .await
}

/// Everything below `/mock`.
fn configure(routes: &mut ServiceConfig) {
    use control::{clock, journal, profile, reset, rules, runs, snapshots};
    routes
        .app_data(PayloadConfig::new(layer::MAX_BODY))
        .service(resource("/mock").route(get().to(mock::about)))
        .service(resource("/mock/login").route(post().to(persona::login)))
        .service(resource("/mock/token").route(post().to(token::post)))
        .service(resource("/mock/clock").route(get().to(clock::get)).route(put().to(clock::put)))
        .service(
            resource("/mock/rules")
                .route(get().to(rules::get))
                .route(put().to(rules::put))
                .route(post().to(rules::post))
                .route(delete().to(rules::clear)),
        )
        .service(resource("/mock/rules/{id}").route(delete().to(rules::delete)))
        .service(
            resource("/mock/profile")
                .route(get().to(profile::get))
                .route(put().to(profile::put))
                .route(delete().to(profile::delete)),
        )
        .service(resource("/mock/journal").route(get().to(journal::get)).route(delete().to(journal::clear)))
        .service(resource("/mock/journal/{sequence}").route(get().to(journal::one)))
        .service(resource("/mock/reset").route(post().to(reset::post)))
        .service(resource("/mock/snapshots").route(get().to(snapshots::get)))
        .service(
            resource("/mock/snapshots/{name}").route(put().to(snapshots::put)).route(delete().to(snapshots::delete)),
        )
        .service(resource("/mock/snapshots/{name}/restore").route(post().to(snapshots::restore)))
        .service(resource("/mock/runs").route(get().to(runs::get)))
        .service(resource("/mock/runs/{run}").route(delete().to(runs::delete)));
}
