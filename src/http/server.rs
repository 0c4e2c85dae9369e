//! The server as a whole: built in one place, on any address, by main and by tests alike.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::{connections, metrics, middleware, request_log, routes};
use crate::app::App;
use crate::jobs;

/// What the workers may take beyond `[server] shutdown_timeout_seconds` to say that they have ended.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// Serves until it is told to stop.
pub async fn run(
    app: App,
    listener: TcpListener,
    metrics_listener: Option<(TcpListener, PrometheusHandle)>,
) -> std::io::Result<()> {
    // Before anybody can be answered: who is seen to be ready may be told to stop, and without this would just die.
    let signals = Signals::listen()?;
    let server = &app.config.server;
    let workers = server.worker_threads();
    let data = web::Data::new(app.clone());
    let door = listener.try_clone()?;
    let factory = move || {
        ActixApp::new().app_data(data.clone()).wrap(from_fn(middleware::serve)).configure(routes::configure(data.mode))
    };
    let counting = app.clone();
    let main = HttpServer::new(factory)
        .workers(workers)
        .on_connect(move |stream, data| connections::begin(&counting, stream, data))
        .max_connections(server.max_connections)
        .keep_alive(Duration::from_secs(15))
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .shutdown_timeout(server.shutdown_timeout_seconds)
        .disable_signals()
        .listen(listener)?
        .run();
    let running = jobs::start(&app);
    actix_web::rt::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            request_log::write_rest();
        }
    });
    if let Some((listener, handle)) = metrics_listener {
        metrics::serve(&app, listener, handle)?;
    }
    let handle = main.handle();
    // Once the time to stop is over the server is dropped, which ends workers that did not end by themselves.
    let outcome = tokio::select! {
        outcome = main => outcome,
        () = stop_on_signal(&app, door, handle, signals) => Ok(()),
    };
    jobs::finish(&app, running).await;
    request_log::write_rest();
    outcome
}

/// The signals that this process listens to; without that each of them would end it at once.
struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
    hangup: Signal,
    user: (Signal, Signal),
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user: (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?),
        })
    }

    /// Waits for one that ends the process. The others change nothing: settings are read at the start, and there is no log
    /// file to open again.
    async fn stop(&mut self) {
        loop {
            let ignored = tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.quit.recv() => return,
                _ = self.hangup.recv() => "SIGHUP",
                _ = self.user.0.recv() => "SIGUSR1",
                _ = self.user.1.recv() => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "the signal is ignored: settings are read at the start alone");
        }
    }
}

/// SIGTERM, SIGINT and SIGQUIT: first the balancers are told and answers close their connections, then no new connection is
/// taken, then what is under way ends. Returns once that is done, or once the settings give it no more time; a second signal
/// ends it at once.
async fn stop_on_signal(app: &App, door: TcpListener, server: ServerHandle, mut signals: Signals) {
    signals.stop().await;
    let settings = &app.config.server;
    let (delay, longest) = (settings.shutdown_delay_seconds, settings.shutdown_timeout_seconds);
    tracing::info!(delay_seconds = delay, timeout_seconds = longest, "stopping");
    app.readiness.draining.store(true, Ordering::Relaxed);
    let graceful = async {
        tokio::time::sleep(Duration::from_secs(delay)).await;
        if delay > 0 {
            refuse_new_connections(&door);
            tokio::time::sleep(QUEUED).await;
        }
        // Whatever holds the listener keeps its port open.
        drop(door);
        if timeout(Duration::from_secs(longest) + STOP_MARGIN, server.stop(true)).await.is_err() {
            tracing::warn!("requests that did not end in time are cut off");
        }
    };
    tokio::select! {
        () = graceful => {}
        () = signals.stop() => tracing::warn!("a second signal: requests under way are cut off"),
    }
}

/// How long connections that the kernel has completed, or a worker has queued, get to be served before the listener closes.
const QUEUED: Duration = Duration::from_millis(300);

/// Lets the kernel drop what would begin a connection, while those that it has completed are still accepted. A listener that
/// closes resets the ones in its queue, which a proxy answers with 502 because it has sent its request; a connection that does
/// not come about it makes to another node.
fn refuse_new_connections(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    {
        // BPF_RET | BPF_K with 0 bytes to keep: every packet is dropped.
        let nothing = socket2::SockFilter::new(0x06, 0, 0, 0);
        if let Err(error) = socket2::SockRef::from(listener).attach_filter(&[nothing]) {
            tracing::warn!(%error, "new connections are taken until the listener closes");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
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
