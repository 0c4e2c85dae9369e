//! What a fault is done to: nodes on one database, a balancer before them, a proxy behind them, and the clients and
//! people that they know.

mod balancer;
mod database;
mod node;
mod proxy;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

pub use balancer::Balancer;
pub use database::{Database, Kind};
pub use node::{Node, free_port};
pub use proxy::{Moment, Proxy, Weather};

use crate::api::Api;
use crate::http::Http;
use crate::ledger::Ledger;
use crate::rng::Rng;

/// What is where on this machine, and how much of it to use.
#[derive(Clone, Debug)]
pub struct Site {
    pub latchway: PathBuf,
    /// For databases and logs.
    pub work: PathBuf,
    /// The directory of PostgreSQL's socket.
    pub postgres: Option<PathBuf>,
    pub seed: u64,
    /// So many tokens of a kind are asked about at each node, chosen anew by the seed.
    pub asked: usize,
}

impl Site {
    /// Whether times are promises: they are those of the release build.
    pub fn is_timed(&self) -> bool {
        self.latchway.parent().is_some_and(|dir| dir.ends_with("release"))
    }
}

/// What differs from the defaults: limits so high that nobody meets them by accident, lives so long that nothing ends by
/// itself.
const CONFIG: &[(&str, &str)] = &[
    ("database.pool_size", "4"),
    ("keys.encryption_key", "bGF0Y2h3YXktdG9ydHVyZS1rZXktMzItYnl0ZXMhISE"),
    ("limits.authorize_per_address", "0"),
    ("limits.authorize_per_address_per_minute", "1000000"),
    ("limits.client_auth_failures", "1000000"),
    ("limits.introspect_misses_per_minute", "1000000"),
    ("limits.device_per_address", "0"),
    ("limits.device_per_client", "0"),
    ("limits.introspect_per_address", "0"),
    ("limits.introspect_per_client", "0"),
    ("limits.login_brake_after", "1000000"),
    ("limits.login_failures_per_account", "1000000"),
    ("limits.login_failures_per_address", "1000000"),
    ("limits.pages_per_address", "0"),
    ("limits.revoke_per_address", "0"),
    ("limits.revoke_per_client", "0"),
    ("limits.token_per_address", "0"),
    ("limits.token_per_client", "0"),
    ("limits.userinfo_per_address", "0"),
    ("log.format", "json"),
    ("log.level", "latchway=debug,info"),
    ("passwords.memory_kib", "8192"),
    ("server.shutdown_delay_seconds", "1"),
    ("server.shutdown_timeout_seconds", "10"),
    ("server.workers", "1"),
    ("tokens.access_token_seconds", "3600"),
    ("tokens.code_seconds", "600"),
];

/// What to build.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub name: &'static str,
    pub nodes: usize,
    /// Several nodes need one; a single one may have it.
    pub balanced: bool,
    /// PostgreSQL through the proxy.
    pub proxied: bool,
    pub config: Vec<(&'static str, String)>,
}

/// A confidential app.
#[derive(Clone, Debug)]
pub struct App {
    pub id: String,
    pub secret: String,
}

/// Somebody.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub password: String,
}

pub const REDIRECT_URI: &str = "https://app.example/cb";
pub const RESOURCE: &str = "https://api.example";
pub const SCOPE: &str = "openid profile orders";

pub struct World {
    pub database: Database,
    pub nodes: Vec<Node>,
    pub balancer: Option<Balancer>,
    pub proxy: Option<Proxy>,
    pub ledger: Arc<Ledger>,
    pub http: Arc<Http>,
    pub rng: Rng,
    /// See [`Site`].
    pub asked: usize,
    /// Runs commands past balancer and proxy; never started as a server.
    tool: Arc<Node>,
    made: AtomicU32,
    /// Commands that were run, for the audit trail's sum.
    pub commands: AtomicU64,
}

impl World {
    /// An empty database, not even migrated, and a tool that can be started as a node.
    pub async fn empty(site: &Site, kind: Kind, name: &'static str) -> Result<Arc<Self>> {
        Self::build(site, kind, &Plan { name, ..Plan::default() }, false).await
    }

    /// Builds and starts it, and waits until all is ready.
    pub async fn start(site: &Site, kind: Kind, plan: &Plan) -> Result<Arc<Self>> {
        Self::build(site, kind, plan, true).await
    }

    async fn build(site: &Site, kind: Kind, plan: &Plan, migrated: bool) -> Result<Arc<Self>> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let dir = site.work.join(format!("{number}-{}-{}", plan.name, kind.name()));
        std::fs::create_dir_all(&dir)?;
        let database = Database::create(kind, &dir, site.postgres.as_deref()).await?;
        let proxy = match database.socket() {
            Some(socket) if plan.proxied => Some(Proxy::start(socket).await?),
            _ => None,
        };
        let mut config: BTreeMap<String, String> =
            CONFIG.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        config.extend(plan.config.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        config.insert("database.url".to_owned(), database.url());
        let front = if plan.balanced { Some(free_port()?) } else { None };
        if let Some(port) = front {
            config.insert("server.issuer".to_owned(), format!("http://127.0.0.1:{port}"));
        }
        let tool = Arc::new(Node::new("tool", site.latchway.clone(), dir.clone(), &config)?);
        if let Some(proxy) = &proxy {
            config.insert("database.url".to_owned(), database.url_at(proxy.port));
        }
        let node = |n| Node::new(&format!("node-{n}"), site.latchway.clone(), dir.clone(), &config);
        let nodes: Vec<Node> = (0..plan.nodes).map(node).collect::<Result<_>>()?;
        let migrate = tool.clone();
        if migrated {
            tokio::task::spawn_blocking(move || migrate.cli(&["migrate"], "")).await??;
        }
        for node in &nodes {
            node.start()?;
        }
        for node in &nodes {
            node.ready(Duration::from_secs(60)).await?;
        }
        let balancer = match front {
            Some(port) => Some(Balancer::start(port, nodes.iter().map(|node| node.port).collect()).await?),
            None => None,
        };
        let world = Self {
            database,
            nodes,
            balancer,
            proxy,
            ledger: Arc::default(),
            http: Arc::default(),
            rng: Rng::new(site.seed, &format!("{} {}", plan.name, kind.name())),
            asked: site.asked,
            tool,
            made: AtomicU32::new(0),
            commands: AtomicU64::new(0),
        };
        world.wait_for_nodes(plan.nodes).await?;
        Ok(Arc::new(world))
    }

    /// Waits until the balancer takes so many nodes for ready.
    pub async fn wait_for_nodes(&self, count: usize) -> Result<()> {
        let Some(balancer) = &self.balancer else { return Ok(()) };
        for _ in 0..1000 {
            if balancer.ready() >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the balancer sees {} of {count} nodes", balancer.ready())
    }

    /// Where clients send their requests.
    pub fn front(&self) -> u16 {
        let first = self.nodes.first().map_or(0, |node| node.port);
        self.balancer.as_ref().map_or(first, |balancer| balancer.port)
    }

    /// What clients and browsers say to the front.
    pub fn api(&self) -> Api {
        self.api_at(self.front())
    }

    /// What they say to one port, as if it were the front.
    pub fn api_at(&self, port: u16) -> Api {
        Api { http: self.http.clone(), port, issuer_port: self.front(), ledger: self.ledger.clone() }
    }

    /// Runs a command on the database and returns what it printed.
    pub async fn cli(&self, args: &[&str], input: &str) -> Result<Value> {
        let (tool, args) = (self.tool.clone(), args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
        let input = input.to_owned();
        let work = move || tool.cli(&args.iter().map(String::as_str).collect::<Vec<_>>(), &input);
        let answer = tokio::task::spawn_blocking(work).await??;
        self.commands.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }

    /// For faults that start commands themselves.
    pub fn tool(&self) -> &Node {
        &self.tool
    }

    /// A new app with every grant.
    pub async fn app(&self) -> Result<App> {
        let name = format!("App {}", self.made.fetch_add(1, Ordering::Relaxed));
        let args = [
            &["client", "create", "--name", &name, "--redirect-uri", REDIRECT_URI, "--scope", SCOPE][..],
            &["--grant", "authorization_code", "--grant", "refresh_token", "--grant", "client_credentials"],
            &["--grant", "device_code"],
            &["--audience", RESOURCE, "--id-token-alg", "ES256"],
            // Single use is what is tested: whatever is taken twice after anything of it was used is a fault.
            &["--refresh", "strict"],
        ];
        let answer = self.cli(&args.concat(), "").await?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned).context("a client");
        let app = App { id: text("client_id")?, secret: text("client_secret")? };
        self.ledger.secret(&app.secret);
        Ok(app)
    }

    /// Somebody new.
    pub async fn person(&self) -> Result<Person> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let mut rng = self.rng.clone();
        let password = format!("pw{number}-{}", Rng::new(rng.below(u64::MAX), &number.to_string()).text());
        let name = format!("person{number}");
        let email = format!("{name}@people.example");
        let args = ["user", "create", "--username", &name, "--email", &email, "--password-stdin"];
        self.cli(&args, &password).await?;
        self.ledger.secret(&password);
        Ok(Person { name, password })
    }

    /// Stops the nodes and takes the database away.
    pub async fn end(self: Arc<Self>) {
        for node in &self.nodes {
            node.signal("CONT");
            node.kill();
        }
        if let Database::Postgres { socket, name } = &self.database {
            let admin = Database::Postgres { socket: socket.clone(), name: "postgres".to_owned() };
            let _ = admin.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}
