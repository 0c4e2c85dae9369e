//! The server as a whole: built in one place, on any address, by main and by tests alike.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{middleware, routes};
use crate::app::App;
use crate::jobs;

const METRICS_UPKEEP: Duration = Duration::from_secs(1);

/// Serves until it is told to stop.
pub async fn run(
    app: App,
    listener: TcpListener,
    metrics: Option<(TcpListener, PrometheusHandle)>,
) -> std::io::Result<()> {
    // Before anybody can be answered: who is seen to be ready may be told to stop, and without this would just die.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = &app.config.server;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if server.workers == 0 { cores } else { server.workers };
    let data = web::Data::new(app.clone());
    let factory = move || {
        ActixApp::new().app_data(data.clone()).wrap(from_fn(middleware::serve)).configure(routes::configure(&data))
    };
    let main = HttpServer::new(factory)
        .workers(workers)
        .max_connections(server.max_connections)
        .keep_alive(Duration::from_secs(15))
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .shutdown_timeout(server.shutdown_timeout_seconds)
        .disable_signals()
        .listen(listener)?
        .run();
    jobs::start(&app);
    if let Some((listener, handle)) = metrics {
        serve_metrics(listener, handle)?;
    }
    let stopping = actix_web::rt::spawn(stop_on_signal(app.clone(), main.handle(), signals));
    let outcome = main.await;
    stopping.abort();
    jobs::finish(&app).await;
    outcome
}

/// SIGTERM and SIGINT: first the balancers are told, then no new connection is taken, then what is under way ends. A
/// second signal ends it at once.
async fn stop_on_signal(app: App, server: ServerHandle, (mut term, mut int): (Signal, Signal)) {
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    tracing::info!("stopping");
    app.readiness.draining.store(true, Ordering::Relaxed);
    let delay = Duration::from_secs(app.config.server.shutdown_delay_seconds);
    let graceful = async {
        tokio::time::sleep(delay).await;
        server.stop(true).await;
    };
    tokio::select! {
        () = graceful => {}
        _ = term.recv() => server.stop(false).await,
        _ = int.recv() => server.stop(false).await,
    }
}

/// `/metrics` has a listener of its own, so that no proxy ever publishes it by accident.
fn serve_metrics(listener: TcpListener, handle: PrometheusHandle) -> std::io::Result<()> {
    let recorded = handle.clone();
    actix_web::rt::spawn(async move {
        // Every observation is kept as it is until it is counted into its bucket; nobody need ever ask for the page.
        loop {
            tokio::time::sleep(METRICS_UPKEEP).await;
            recorded.run_upkeep();
        }
    });
    let server = HttpServer::new(move || {
        let handle = handle.clone();
        let page = move || {
            let text = handle.render();
            async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text) }
        };
        ActixApp::new().route("/metrics", web::get().to(page))
    });
    let running = server.workers(1).disable_signals().listen(listener)?.run();
    actix_web::rt::spawn(running);
    Ok(())
}

/// Connections that the kernel keeps until they are accepted, as far as `net.core.somaxconn` allows. What exceeds it comes
/// back after a second at the earliest, so that a burst must fit.
const BACKLOG: i32 = 4096;

/// A listening socket.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
