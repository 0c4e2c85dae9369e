//! A mock as a server: the routes of production and its own, inside the mock's layer.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web;
use actix_web::{App as ActixApp, HttpServer};
use socket2::SockRef;

use super::{middleware, routes};
use crate::mock::{House, Line, layer};

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
            .configure(routes::configure(main.mode))
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
