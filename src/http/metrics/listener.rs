//! The listener of `/metrics`, apart from the public one.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App as ActixApp, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;

use super::table::register;
use crate::app::App;
use crate::jobs;

const UPKEEP: Duration = Duration::from_secs(1);

/// `/metrics` has a listener of its own, so that no proxy ever publishes it by accident.
///
/// # Errors
/// If the socket cannot be served.
pub fn serve(app: &App, listener: TcpListener, handle: PrometheusHandle) -> std::io::Result<()> {
    register();
    let process = Arc::new(Collector::default());
    process.describe();
    let recorded = handle.clone();
    actix_web::rt::spawn(async move {
        // Every observation is kept as it is until it is counted into its bucket; nobody need ever ask for the page.
        loop {
            tokio::time::sleep(UPKEEP).await;
            recorded.run_upkeep();
        }
    });
    let app = app.clone();
    let server = HttpServer::new(move || {
        let (app, handle, process) = (app.clone(), handle.clone(), process.clone());
        let page = move || {
            jobs::observe_load(&app);
            process.collect();
            let text = handle.render();
            async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text) }
        };
        let route = web::resource("/metrics").route(web::get().to(page.clone())).route(web::head().to(page));
        ActixApp::new().service(route)
    });
    let running = server.workers(1).disable_signals().listen(listener)?.run();
    actix_web::rt::spawn(running);
    Ok(())
}
