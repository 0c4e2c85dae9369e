//! `latchway serve`: opens everything, starts the server, waits for signals and ends in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::banner::Banner;
use super::context::{
    Context, cannot_listen, check_schema, db_options, environment, listen_address, open_db_with, usage,
};
use super::process::leave_no_core;
use super::start::{self, Vouched};
use super::{dev, encryption_key, logging, output};
use crate::app::{App, Mode, Parts};
use crate::config::{Config, Dev, Overrides, load};
use crate::domain::Algorithm;
use crate::http::routes::check_limits;
use crate::http::server;
use crate::identity::Passwords;
use crate::jobs;
use crate::keys::Sealer;
use crate::protocol::endpoints;
use crate::storage::{Db, DbOptions, IfMissing, ServerLock, scopes, users};
use crate::support::{Clock, Rng};

const EXAMPLES: &str = "\
Examples:
  latchway serve --dev                       no configuration: SQLite in ./data, keys made, on 127.0.0.1:8080
  latchway serve --dev --listen 127.0.0.1:9000 --data /tmp/latchway
  latchway serve --config /etc/latchway.toml";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// On this machine, for development: makes what is missing, refuses public addresses
    #[arg(long)]
    pub dev: bool,
    /// Address and port to listen on; a port alone is one of this machine
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    /// With SQLite: this machine's clock is right, although the database was last written in its future
    #[arg(long)]
    pub yes_the_clock_is_right: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    logging::run(logging::form_before_config(args.dev), || serve(context, args))
}

fn serve(context: &Context, args: &Args) -> anyhow::Result<()> {
    let dev = if args.dev { Dev::Yes } else { Dev::No };
    let overrides = Overrides { listen: args.listen, ..context.overrides(dev) };
    let mut config = load(&overrides, environment()).map_err(|error| {
        let hint = "\nTo try the server on this machine without any configuration: latchway serve --dev";
        usage(format!("{error}{}", if args.dev { "" } else { hint }))
    })?;
    check_limits(&config.limits.routes).map_err(usage)?;
    if args.dev {
        // No balancer looks at a laptop: whoever presses Ctrl-C wants it to end.
        config.server.shutdown_delay_seconds = 0;
    }
    logging::start(config.log.format, &config.log.level)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if !args.dev {
        leave_no_core();
    }
    let mode = if args.dev { Mode::Dev } else { Mode::Production };
    // Both sockets are taken first: that an address is in use shows before anything else happens.
    let listener = server::bind(config.server.listen)
        .map_err(|error| cannot_listen(config.server.listen, &error, "choose another address with --listen"))?;
    let metrics = match config.server.metrics_address() {
        Some(address) => Some((bind_metrics(address, mode)?, recorder()?)),
        None => None,
    };
    let if_missing = if args.dev { IfMissing::Make } else { IfMissing::Fail };
    let sealer = encryption_key::sealer(context, &config, if_missing)?;
    let clock = Clock::system();
    let start_timeout = Duration::from_secs(config.database.start_timeout_seconds);
    let options = DbOptions { start_timeout, ..db_options(&config, if_missing) };
    let db = open_db_with(&options, clock.clone())?;
    if args.dev || config.database.migrate_on_start {
        let applied = db.migrate()?;
        if applied > 0 {
            tracing::info!(applied, "migrated the database");
        }
    }
    check_schema(&db)?;
    let server_lock = db.lock_for_server()?;
    let vouched = if args.yes_the_clock_is_right { Vouched::Yes } else { Vouched::No };
    actix_web::rt::System::new().block_on(async {
        let app = build(config, mode, Store { db, server_lock }, clock, sealer, vouched).await?;
        let metrics_address = metrics.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        log_start(&app, listener.local_addr().ok(), metrics_address);
        announce(context, &app, metrics_address).await?;
        server::run(app, listener, metrics).await.context("the server failed")
    })
}

/// The database and the sign that it is ours.
struct Store {
    db: Db,
    server_lock: Option<ServerLock>,
}

async fn build(
    config: Config,
    mode: Mode,
    store: Store,
    clock: Clock,
    sealer: Arc<Sealer>,
    vouched: Vouched,
) -> anyhow::Result<App> {
    let Store { db, server_lock } = store;
    let rng = Rng::system();
    let algorithm = |name: &str| name.parse::<Algorithm>().map_err(|e| usage(format!("[keys] {e}")));
    let access_token_alg = algorithm(&config.keys.access_token_alg)?;
    let id_token_alg = algorithm(&config.keys.id_token_alg)?;
    start::check_pins(&db, &config, mode, &sealer).await?;
    let state = start::check_clock(&db, &clock, mode, vouched).await?;
    let ring = start::open_keys(&db, sealer, (&clock, &rng), state).await?;
    let passwords = Passwords::new(&config.passwords, rng.clone())?
        .with_key(&ring.sealer().marks("password parameters", b"").concat());
    passwords.set_in_use(db.read("passwords.parameters", users::password_parameters).await?);
    let playground = match mode {
        Mode::Dev => Some(dev::playground(&db, &config.server.issuer, &clock, &rng).await?),
        Mode::Mock | Mode::Production => None,
    };
    let scopes = db.read("metadata.scopes", scopes::list).await?;
    let app = App::new(Parts {
        config,
        mode,
        db,
        clock,
        rng,
        keys: ring,
        passwords,
        access_token_alg,
        id_token_alg,
        playground,
        personas: Vec::new(),
        server_lock,
        scope_names: scopes.into_iter().map(|scope| scope.name).collect(),
    });
    start::note(&app, state.doubt);
    for told in [jobs::write_down_time(app.clone()).await, jobs::tell_of_node(app.clone()).await] {
        if let Err(error) = told {
            tracing::warn!(error, "the database could not be told of this node; it will be tried again");
        }
    }
    Ok(app)
}

/// What runs here and what it uses, without anything that is secret.
fn log_start(app: &App, listen: Option<SocketAddr>, metrics: Option<SocketAddr>) {
    let (server, keys) = (&app.config.server, &app.config.keys);
    let shown = |address: Option<SocketAddr>| address.map(|address| address.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        node = whoami::hostname().unwrap_or_default(),
        pid = std::process::id(),
        mode = ?app.mode,
        issuer = app.issuer(),
        listen = shown(listen),
        metrics_listen = shown(metrics),
        database = app.db.kind(),
        trusted_proxies = server.trusted_proxies.len(),
        access_token_alg = keys.access_token_alg,
        id_token_alg = keys.id_token_alg,
        log_level = app.config.log.level,
        "latchway serves"
    );
}

/// What a person at a terminal, or a script that asks for `--json`, needs to know. A server that was started by neither says
/// it in the log.
async fn announce(context: &Context, app: &App, metrics: Option<SocketAddr>) -> anyhow::Result<()> {
    let setup = match app.mode {
        Mode::Dev => dev::setup_link(&app.db, app.issuer(), &app.clock, &app.rng).await?,
        Mode::Mock | Mode::Production => None,
    };
    if app.mode == Mode::Production && !context.json {
        return Ok(());
    }
    let playground = app.playground.as_ref().map(|_| app.url(endpoints::PLAYGROUND));
    Banner { issuer: app.issuer(), setup: setup.as_deref(), playground: playground.as_deref(), metrics }.print(context);
    // A server whose banner cannot be written serves all the same.
    let _ = output::finish();
    Ok(())
}

/// In development mode several servers may run on one machine, so that the metrics of the second go to a free port.
fn bind_metrics(address: SocketAddr, mode: Mode) -> anyhow::Result<TcpListener> {
    match server::bind(address) {
        Err(_) if mode == Mode::Dev => {
            server::bind(SocketAddr::new(address.ip(), 0)).context("cannot listen for metrics")
        }
        bound => bound.map_err(|error| {
            let remedy = "[server] metrics_listen chooses another address for the metrics, and \"\" serves none";
            cannot_listen(address, &error, remedy)
        }),
    }
}

fn recorder() -> anyhow::Result<PrometheusHandle> {
    // From half a millisecond to what a deadline allows.
    let buckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
    Ok(PrometheusBuilder::new().set_buckets(&buckets)?.install_recorder()?)
}
