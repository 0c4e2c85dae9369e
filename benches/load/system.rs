//! The servers under test, each a process of its own on its own core.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::flow::{Credentials, REDIRECT_URI};
use crate::http::{Client, request};
use crate::process;

/// What is where on this machine.
#[derive(Clone)]
pub struct Site {
    pub latchway: PathBuf,
    /// Another build of Latchway to measure beside it.
    pub other: Option<PathBuf>,
    pub peer: PathBuf,
    pub node: PathBuf,
    /// For databases and logs.
    pub work: PathBuf,
    /// The URLs of two empty PostgreSQL databases, the second for the other build, and the process id of their postmaster.
    pub postgres: Option<(String, String, u32)>,
    /// The core that servers are pinned to, if there are two.
    pub core: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ceiling,
    Sqlite,
    Postgres,
    /// The other build on SQLite.
    OtherSqlite,
    /// The other build on PostgreSQL.
    OtherPostgres,
    Peer,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ceiling => "ceiling",
            Self::Sqlite => "Latchway, SQLite",
            Self::Postgres => "Latchway, PostgreSQL",
            Self::OtherSqlite => "other, SQLite",
            Self::OtherPostgres => "other, PostgreSQL",
            Self::Peer => "oidc-provider",
        }
    }

    pub fn is_on_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::OtherPostgres)
    }

    pub fn is_other(self) -> bool {
        matches!(self, Self::OtherSqlite | Self::OtherPostgres)
    }
}

/// A running server and the clients that it knows.
pub struct System {
    pub kind: Kind,
    pub port: u16,
    pub service: Credentials,
    pub web: Credentials,
    pub api: Credentials,
    pub child: Running,
    pub postmaster: Option<u32>,
}

pub const API: &str = "https://api.example";
/// The peer does not introspect its JWTs; for this API it issues opaque tokens.
pub const OPAQUE_API: &str = "https://api.example/opaque";
pub const PASSWORD: &str = "a long password of nobody";
pub const PEOPLE: usize = 16;

impl System {
    pub async fn start(site: &Site, kind: Kind) -> Result<Self> {
        match kind {
            Kind::Ceiling => ceiling(site).await,
            Kind::Peer => peer(site).await,
            Kind::Sqlite | Kind::Postgres | Kind::OtherSqlite | Kind::OtherPostgres => {
                let server = Latchway::new(site, kind, kind.name())?;
                let (service, web, api) = server.register()?;
                let child = server.start()?;
                wait_until_ready(server.port, Duration::from_secs(20)).await?;
                let postmaster = site.postgres.as_ref().map(|(.., pid)| *pid).filter(|_| kind.is_on_postgres());
                Ok(Self { kind, port: server.port, service, web, api, child, postmaster })
            }
        }
    }

    /// CPU seconds of the server, and of its database where that is a process of its own.
    pub fn cpu(&self) -> (f64, f64) {
        (process::cpu_seconds(self.child.pid()), self.postmaster.map_or(0.0, process::cpu_seconds_with_children))
    }
}

/// A child process, ended when it is dropped.
pub struct Running(Child);

impl Running {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// SIGTERM, and SIGKILL to one that does not listen.
    pub fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..300 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            self.stop();
        }
    }
}

/// The program, on the servers' core.
fn pinned(site: &Site, program: &std::path::Path) -> Command {
    match site.core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn spawn(site: &Site, mut command: Command, name: &str) -> Result<Running> {
    let log = File::create(site.work.join(format!("{}.log", name.replace([' ', ','], "-"))))?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
    Ok(Running(child.with_context(|| format!("starting {name}"))?))
}

async fn ceiling(site: &Site) -> Result<System> {
    let port = free_port()?;
    let mut command = pinned(site, &std::env::current_exe()?);
    command.arg("ceiling").arg(port.to_string());
    let child = spawn(site, command, "ceiling")?;
    wait_until_ready(port, Duration::from_secs(10)).await?;
    let any = Credentials { id: "lw_0199f0a47a5e7cc1a2c46a9d1a6d9d10".to_owned(), secret: "x".repeat(43) };
    let (service, web, api) = (any.clone(), any.clone(), any);
    Ok(System { kind: Kind::Ceiling, port, service, web, api, child, postmaster: None })
}

async fn peer(site: &Site) -> Result<System> {
    let port = free_port()?;
    let credentials = |id: &str| Credentials { id: id.to_owned(), secret: id.repeat(43)[..43].to_owned() };
    let (service, web, api) = (credentials("service"), credentials("web"), credentials("api"));
    let entry = |client: &Credentials| json!({"client_id": client.id, "client_secret": client.secret});
    let mut clients = json!({"service": entry(&service), "web": entry(&web), "api": entry(&api)});
    clients["web"]["redirect_uri"] = json!(REDIRECT_URI);
    let file = site.work.join("peer-clients.json");
    std::fs::write(&file, clients.to_string())?;
    let mut command = pinned(site, &site.node);
    command.arg("server.mjs").arg(port.to_string()).arg(file).current_dir(&site.peer).env("NODE_ENV", "production");
    let child = spawn(site, command, "peer")?;
    wait_until_ready(port, Duration::from_secs(30)).await?;
    Ok(System { kind: Kind::Peer, port, service, web, api, child, postmaster: None })
}

/// Latchway with a database of its own, running or not.
pub struct Latchway {
    site: Site,
    program: PathBuf,
    name: String,
    pub port: u16,
    env: Vec<(String, String)>,
}

impl Latchway {
    pub fn new(site: &Site, kind: Kind, name: &str) -> Result<Self> {
        let (port, metrics) = (free_port()?, free_port()?);
        let url = match (kind, &site.postgres) {
            (Kind::Postgres, Some((url, ..))) => url.clone(),
            (Kind::OtherPostgres, Some((_, url, _))) => url.clone(),
            (Kind::Postgres | Kind::OtherPostgres, None) => bail!("no PostgreSQL was given"),
            _ => format!("sqlite://{}", site.work.join(format!("{}.db", name.replace([' ', ','], "-"))).display()),
        };
        let set = |key: &str, value: &str| (format!("LATCHWAY__{key}"), value.to_owned());
        let env = vec![
            set("SERVER__ISSUER", &format!("http://127.0.0.1:{port}")),
            set("SERVER__LISTEN", &format!("127.0.0.1:{port}")),
            set("SERVER__METRICS_LISTEN", &format!("127.0.0.1:{metrics}")),
            set("SERVER__WORKERS", "1"),
            set("SERVER__SHUTDOWN_DELAY_SECONDS", "0"),
            set("DATABASE__URL", &url),
            set("KEYS__ENCRYPTION_KEY", "bGF0Y2h3YXktYmVuY2gta2V5LW9mLTMyLWJ5dGVzISE"),
            // All requests come from one address here, and most from one client: limits that cost what they cost and that
            // nobody meets.
            set("LIMITS__AUTHORIZE_PER_ADDRESS_PER_MINUTE", "1000000000"),
            set("LIMITS__AUTHORIZE_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__PAGES_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__TOKEN_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__TOKEN_PER_CLIENT", "1000000000/1m"),
            set("LIMITS__INTROSPECT_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__INTROSPECT_PER_CLIENT", "1000000000/1m"),
            set("LIMITS__REVOKE_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__REVOKE_PER_CLIENT", "1000000000/1m"),
            set("LIMITS__USERINFO_PER_ADDRESS", "1000000000/1m"),
            set("LIMITS__API_PER_ADDRESS", "1000000000/1m"),
        ];
        let program = match &site.other {
            Some(other) if kind.is_other() => other.clone(),
            _ => site.latchway.clone(),
        };
        Ok(Self { site: site.clone(), program, name: name.to_owned(), port, env })
    }

    /// Takes the issuer of a server at another port.
    pub fn issue_at(&mut self, port: u16) {
        self.env.push(("LATCHWAY__SERVER__ISSUER".to_owned(), format!("http://127.0.0.1:{port}")));
    }

    fn command(&self) -> Command {
        let mut command = pinned(&self.site, &self.program);
        command.envs(self.env.iter().map(|(name, value)| (name, value))).current_dir(&self.site.work);
        command
    }

    pub fn start(&self) -> Result<Running> {
        let mut command = self.command();
        command.arg("serve");
        spawn(&self.site, command, &self.name)
    }

    fn cli(&self, args: &[&str], input: &str) -> Result<Value> {
        let mut command = self.command();
        command.args(args).arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().context("its stdin")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("latchway {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("an answer in JSON")
    }

    /// Makes the tables, the three clients and the people.
    pub fn register(&self) -> Result<(Credentials, Credentials, Credentials)> {
        self.cli(&["migrate"], "")?;
        let both = ["--audience", API, "--audience", OPAQUE_API];
        let client = |args: &[&str]| -> Result<Credentials> {
            let answer = self.cli(&[&["client", "create"], args, &both].concat(), "")?;
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            Ok(Credentials { id: text("client_id"), secret: text("client_secret") })
        };
        let service = client(&["--name", "Service", "--grant", "client_credentials", "--scope", "orders"])?;
        let grants = ["--grant", "authorization_code", "--grant", "refresh_token"];
        let about = ["--name", "Web", "--redirect-uri", REDIRECT_URI, "--scope", "openid orders"];
        let web = client(&[&about[..], &grants, &["--id-token-alg", "ES256"]].concat())?;
        // Older builds know one list for what a client may ask for and what it is.
        let api = client(&["--name", "API", "--resource", API, "--resource", OPAQUE_API])
            .or_else(|_| client(&["--name", "API"]))?;
        for n in 0..PEOPLE {
            let (name, email) = (person(n), format!("{}@example.com", person(n)));
            self.cli(&["user", "create", "--username", &name, "--email", &email, "--password-stdin"], PASSWORD)?;
        }
        Ok((service, web, api))
    }
}

pub fn person(n: usize) -> String {
    format!("person{}", n % PEOPLE)
}

/// Returns how long it took until `/readyz` answered 200.
pub async fn wait_until_ready(port: u16, limit: Duration) -> Result<Duration> {
    let begin = Instant::now();
    let ask = request("GET", "/readyz", port, "", None);
    while begin.elapsed() < limit {
        if let Ok(mut http) = Client::connect(port).await
            && let Ok(answer) = http.send(&ask).await
            && answer.status == 200
        {
            return Ok(begin.elapsed());
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    bail!("nothing is ready at port {port} after {limit:?}: see the logs")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
