//! The real binary as a child process, and its command line.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::database::{Database, Db};
use super::faults::Faults;
use super::guard;
use super::proxy::Proxy;

/// What seals the signing keys of servers under test.
pub const ENCRYPTION_KEY: &str = "bGF0Y2h3YXktdGVzdHMta2V5LW9mLTMyLWJ5dGVzISE";

/// What differs from the defaults in tests: limits so high that tests cannot meet them by accident.
const CONFIG: &[(&str, &str)] = &[
    ("database.migrate_on_start", "true"),
    ("database.pool_size", "4"),
    ("device.max_requests", "1000000"),
    ("keys.encryption_key", ENCRYPTION_KEY),
    ("limits.authorize_per_address", "0"),
    ("limits.authorize_per_address_per_minute", "1000000"),
    ("limits.audited_refusals_per_address", "0"),
    ("limits.client_auth_failures", "1000000"),
    ("limits.introspect_misses_per_minute", "1000000"),
    ("limits.api_key_failures_per_address", "0"),
    ("limits.api_per_address", "0"),
    ("limits.device_per_address", "0"),
    ("limits.device_per_client", "0"),
    ("limits.introspect_per_address", "0"),
    ("limits.introspect_per_client", "0"),
    ("limits.link_failures_per_address", "0"),
    ("limits.login_brake_after", "1000000"),
    ("limits.login_failures_per_account", "1000000"),
    ("limits.login_failures_per_address", "1000000"),
    ("limits.pages_per_address", "0"),
    ("limits.revoke_per_address", "0"),
    ("limits.revoke_per_client", "0"),
    ("limits.token_per_address", "0"),
    ("limits.token_per_client", "0"),
    ("limits.unknown_client_failures_per_address", "0"),
    ("limits.user_code_failures", "0"),
    ("limits.userinfo_per_address", "0"),
    ("log.format", "json"),
    ("log.level", "latchway=debug,info"),
    // The cheapest that the server accepts: how strong hashes are is asked by tests that set it.
    ("passwords.iterations", "1"),
    ("passwords.memory_kib", "8192"),
    ("server.shutdown_delay_seconds", "0"),
    ("server.workers", "2"),
];

/// A running Latchway with its own directory and database. Dropping it stops it.
pub struct Server {
    pub issuer: String,
    pub database: Database,
    pub dir: PathBuf,
    env: BTreeMap<String, String>,
    serve: Vec<String>,
    /// For the server alone, and not for the command line beside it.
    serve_env: BTreeMap<String, String>,
    port: u16,
    metrics_port: u16,
    child: Mutex<Option<Child>>,
    log: Arc<Mutex<String>>,
    /// The node whose database this one shares cleans up.
    is_first: bool,
}

/// A command that ended with another status than 0.
#[derive(Debug)]
pub struct CliFailure {
    /// What it wrote to stdout and stderr.
    pub output: String,
}

impl Server {
    /// The server that all ordinary tests on this database share, started by the first of them.
    pub fn shared(db: Db) -> &'static Self {
        static SQLITE: OnceLock<Server> = OnceLock::new();
        static POSTGRES: OnceLock<Server> = OnceLock::new();
        match db {
            Db::Sqlite => SQLITE.get_or_init(|| Self::start(db, &[])),
            Db::Postgres => POSTGRES.get_or_init(|| Self::start(db, &[])),
        }
    }

    /// A server with configuration of its own: `[("tokens.code_seconds", "1")]`.
    pub fn start(db: Db, config: &[(&str, &str)]) -> Self {
        let server = Self::prepare(db, config, &[]);
        server.spawn();
        server
    }

    /// `serve --dev`, as a newcomer runs it.
    pub fn start_dev(db: Db) -> Self {
        let server = Self::prepare(db, &[], &["--dev"]);
        server.spawn();
        server
    }

    /// A server with configuration of its own and the means to give it bad days.
    pub fn with_faults(db: Db, config: &[(&str, &str)]) -> (Self, Faults) {
        let (server, faults) = Self::prepared_with_faults(db, config);
        server.spawn();
        (server, faults)
    }

    /// The same, not started yet.
    pub fn prepared_with_faults(db: Db, config: &[(&str, &str)]) -> (Self, Faults) {
        let mut server = Self::prepare(db, config, &[]);
        let faults = Faults::new(&server.dir);
        server.serve_env.extend(faults.environment());
        (server, faults)
    }

    /// A server on PostgreSQL whose way to the database can be cut.
    pub fn behind_proxy(config: &[(&str, &str)]) -> (Self, Proxy) {
        let mut server = Self::prepare(Db::Postgres, config, &[]);
        let proxy = Proxy::new(&server.database);
        server.serve_env.insert(variable("database.url"), proxy.url.clone());
        server.spawn();
        (server, proxy)
    }

    /// The same, with so much time for each round trip; not started yet.
    pub fn behind_slow_proxy(config: &[(&str, &str)], round_trip: Duration) -> (Self, Proxy) {
        let mut server = Self::prepare(Db::Postgres, config, &[]);
        let proxy = Proxy::new(&server.database);
        proxy.set_round_trip(round_trip);
        server.serve_env.insert(variable("database.url"), proxy.url.clone());
        (server, proxy)
    }

    /// `serve` with more flags.
    #[must_use]
    pub fn with_flags(mut self, flags: &[&str]) -> Self {
        self.serve.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// An environment of its own beside the configuration, or a variable less.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => _ = self.env.insert(name.to_owned(), value.to_owned()),
            None => _ = self.env.remove(name),
        }
        self
    }

    /// A server that was not started yet.
    pub fn prepared(db: Db, config: &[(&str, &str)]) -> Self {
        Self::prepare(db, config, &[])
    }

    /// The processor time that the process has used, in ticks of 10 ms. However busy the machine is, it is the process's own.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("Linux tells");
        let after_name = stat.rsplit_once(") ").expect("a name in parentheses").1;
        let field =
            |at: usize| -> u64 { after_name.split(' ').nth(at).and_then(|n| n.parse().ok()).expect("a number") };
        field(11) + field(12)
    }

    /// The most memory that the process ever had, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn prepare(db: Db, config: &[(&str, &str)], flags: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("lw-").tempdir_in(scratch()).expect("a directory");
        let dir = dir.keep();
        guard::remove_at_end(&dir);
        // `serve --dev` begins as on a new machine: with nothing.
        let database = if flags.is_empty() { Database::migrated(db, &dir) } else { Database::create(db, &dir) };
        let (port, metrics) = (free_port(), free_port());
        let issuer = format!("http://127.0.0.1:{port}");

        let mut env: BTreeMap<String, String> = std::env::vars()
            .filter(|(name, _)| ["HOME", "LANG", "LLVM_PROFILE_FILE", "PATH", "TMPDIR"].contains(&name.as_str()))
            .collect();
        let mut set = |key: &str, value: &str| env.insert(variable(key), value.to_owned());
        set("server.listen", &format!("127.0.0.1:{port}"));
        set("server.metrics_listen", &format!("127.0.0.1:{metrics}"));
        set("database.url", database.url());
        for (key, value) in CONFIG {
            set(key, value);
        }
        let mut serve = vec!["serve".to_owned()];
        if flags.is_empty() {
            set("server.issuer", &issuer);
        } else {
            env.remove(&variable("keys.encryption_key"));
            serve.extend(flags.iter().map(|&flag| flag.to_owned()));
            // Where the command line, which runs in the same folder, looks by itself.
            serve.extend(["--data".to_owned(), dir.join("data").display().to_string()]);
        }
        for (key, value) in config {
            env.insert(variable(key), (*value).to_owned());
        }
        env.insert("RUST_BACKTRACE".to_owned(), "1".to_owned());
        let (child, log) = (Mutex::default(), Arc::default());
        let serve_env = BTreeMap::new();
        Self { issuer, database, dir, env, serve, serve_env, port, metrics_port: metrics, child, log, is_first: true }
    }

    /// Another node: a process of its own on the same database, with the same configuration and issuer. Its `issuer` is
    /// where it listens, so that `Client::at` speaks to it.
    pub fn another_node(&self) -> Self {
        let node = self.node(&[]);
        node.spawn();
        node
    }

    /// The same server, not started, with other configuration: for when this one is stopped.
    pub fn changed(&self, config: &[(&str, &str)]) -> Self {
        let mut changed = self.node(config);
        (changed.port, changed.metrics_port, changed.issuer) = (self.port, self.metrics_port, self.issuer.clone());
        for (name, port) in [("server.listen", self.port), ("server.metrics_listen", self.metrics_port)] {
            changed.env.insert(variable(name), format!("127.0.0.1:{port}"));
        }
        changed
    }

    /// Another node that was not started yet, with configuration of its own.
    pub fn node(&self, config: &[(&str, &str)]) -> Self {
        let (port, metrics) = (free_port(), free_port());
        let mut env = self.env.clone();
        env.insert(variable("server.listen"), format!("127.0.0.1:{port}"));
        env.insert(variable("server.metrics_listen"), format!("127.0.0.1:{metrics}"));
        env.extend(config.iter().map(|(key, value)| (variable(key), (*value).to_owned())));
        Self {
            issuer: format!("http://127.0.0.1:{port}"),
            database: self.database.clone(),
            dir: self.dir.clone(),
            env,
            serve: self.serve.clone(),
            serve_env: self.serve_env.clone(),
            port,
            metrics_port: metrics,
            child: Mutex::default(),
            log: Arc::default(),
            is_first: false,
        }
    }

    /// Starts the process and waits until it is ready.
    pub fn spawn(&self) {
        self.spawn_writing_to(Stdio::piped(), Stdio::piped());
    }

    /// The same with its standard output and standard error elsewhere than in [`Server::log`].
    pub fn spawn_writing_to(&self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
        self.launch_writing_to(stdout, stderr);
        let begin = Instant::now();
        while !self.ready() {
            if let Some(status) = self.exit() {
                panic!("latchway ended with {status} before it was ready:\n{}", self.log());
            }
            assert!(begin.elapsed() < Duration::from_secs(40), "latchway is not ready:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Starts the process, and expects that it ends by itself, with what it wrote.
    #[track_caller]
    pub fn refuses_to_start(&self) -> String {
        let before = self.log().len();
        self.launch();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.exit() {
                break status;
            }
            let log = self.log();
            if begin.elapsed() > Duration::from_secs(40) || self.ready() {
                self.stop();
                panic!("it started, or does not end:\n{log}");
            }
            sleep(Duration::from_millis(20));
        };
        assert!(!status.success(), "it ended as if all were well");
        self.log()[before..].to_owned()
    }

    /// The status of a process that has ended.
    fn exit(&self) -> Option<std::process::ExitStatus> {
        let mut child = self.child();
        let status = child.as_mut()?.try_wait().expect("its status")?;
        guard::ended(child.take()?.id());
        // What it wrote last is on its way.
        sleep(Duration::from_millis(50));
        Some(status)
    }

    /// Starts the process, whatever becomes of it.
    pub fn launch(&self) {
        self.launch_writing_to(Stdio::piped(), Stdio::piped());
    }

    fn launch_writing_to(&self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
        let mut child = self
            .command()
            .args(&self.serve)
            .envs(&self.serve_env)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the built latchway");
        guard::started(child.id());
        if let Some(stdout) = child.stdout.take() {
            self.collect(stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            self.collect(stderr);
        }
        *self.child() = Some(child);
    }

    /// SIGTERM, and SIGKILL to one that does not listen. False if that was needed.
    pub fn stop(&self) -> bool {
        self.child().is_none() || self.stop_within(Duration::from_secs(10)).is_some()
    }

    /// SIGTERM, and how the process ended; `None` if SIGKILL was needed.
    pub fn stop_within(&self, longest: Duration) -> Option<ExitStatus> {
        let mut child = self.child().take().expect("a running server");
        // One that has ended by itself gets none.
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
        let begin = Instant::now();
        let mut ended = None;
        while ended.is_none() && begin.elapsed() < longest {
            ended = child.try_wait().ok().flatten();
            sleep(Duration::from_millis(5));
        }
        if ended.is_none() {
            let _ = child.kill();
        }
        let _ = child.wait();
        guard::ended(child.id());
        ended
    }

    /// Sends a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// SIGKILL, as a crash.
    pub fn crash(&self) {
        let mut child = self.child().take().expect("a running server");
        child.kill().expect("the crash");
        child.wait().expect("its end");
        guard::ended(child.id());
    }

    /// The process that runs now.
    pub fn pid(&self) -> u32 {
        self.child().as_ref().expect("a running server").id()
    }

    pub fn is_alive(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// All that the process wrote to stdout and stderr until now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the process has written something, and returns all that it wrote.
    pub fn logged(&self, what: &str) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log();
            if log.contains(what) {
                return log;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{what:?} is not in the log:\n{log}");
            sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Where Prometheus looks.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics_port)
    }

    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// What a command prints with `--json`. Panics if it fails.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> Value {
        self.try_cli(args, "").unwrap_or_else(|failure| panic!("latchway {}: {failure:?}", args.join(" ")))
    }

    pub fn try_cli(&self, args: &[&str], stdin: &str) -> Result<Value, CliFailure> {
        self.run_cli(self.command(), args, stdin)
    }

    /// The same by a clock that is off by so many seconds.
    #[track_caller]
    pub fn cli_at(&self, faults: &Faults, seconds: i64, args: &[&str]) -> Value {
        faults.clock_is_off(seconds);
        let mut command = self.command();
        command.envs(faults.environment());
        let printed = self.run_cli(command, args, "");
        faults.clear();
        printed.unwrap_or_else(|failure| panic!("latchway {}: {failure:?}", args.join(" ")))
    }

    /// The same, where it may fail.
    pub fn try_cli_at(&self, faults: &Faults, seconds: i64, args: &[&str]) -> Result<Value, CliFailure> {
        faults.clock_is_off(seconds);
        let mut command = self.command();
        command.envs(faults.environment());
        let printed = self.run_cli(command, args, "");
        faults.clear();
        printed
    }

    /// What a command prints for people, and whether it succeeded.
    pub fn words(&self, args: &[&str]) -> (bool, String) {
        let output = self.command().args(args).stdin(Stdio::null()).output().expect("the built latchway");
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    fn run_cli(&self, mut command: Command, args: &[&str], stdin: &str) -> Result<Value, CliFailure> {
        command.args(args).arg("--json");
        if let [noun, verb, ..] = args
            && ["client delete", "user delete", "keys retire"].contains(&format!("{noun} {verb}").as_str())
            && !args.contains(&"--yes")
        {
            command.arg("--yes");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built latchway");
        // A command that fails before it reads leaves a closed pipe behind: its status says so better.
        let _ = child.stdin.take().expect("its stdin").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("its output");
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if !output.status.success() {
            return Err(CliFailure { output: stdout + &stderr });
        }
        Ok(serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {stdout}{stderr}")))
    }

    /// A command at a terminal, where each prompt is answered with the next line. Its status and all that the terminal showed.
    pub fn at_terminal(&self, args: &[&str], answers: &[&str]) -> (i32, String) {
        let python = std::env::var_os("LATCHWAY_TEST_PYTHON").expect("LATCHWAY_TEST_PYTHON, which scripts/test sets");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/terminal.py");
        let mut command = Command::new(python);
        command.arg(script).arg(env!("CARGO_BIN_EXE_latchway")).args(args);
        command.env_clear().envs(&self.env).env("ANSWERS", answers.join("\n")).current_dir(&self.dir);
        let output = command.stdin(Stdio::null()).output().expect("the interpreter starts");
        let status = output.status.code().unwrap_or(-1);
        (status, text(&output.stdout) + &text(&output.stderr))
    }

    /// A command that goes on by itself, to be waited for or killed.
    pub fn background(&self, args: &[&str]) -> Child {
        let mut command = self.command();
        command.args(args).arg("--json").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the built latchway");
        guard::started(child.id());
        child
    }

    /// The same, with what it prints to be read as it comes.
    pub fn printing(&self, args: &[&str]) -> Child {
        let mut command = self.command();
        command.args(args).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let child = command.spawn().expect("the built latchway");
        guard::started(child.id());
        child
    }

    /// The command line as a process that was not started yet.
    pub fn command_line(&self, args: &[&str]) -> Command {
        let mut command = self.command();
        command.args(args).stdin(Stdio::null());
        command
    }

    /// A command on the same data, with its environment and nothing else.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchway"));
        command.env_clear().envs(&self.env).current_dir(&self.dir);
        command
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, mut stream: impl Read + Send + 'static) {
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                log.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text(&buffer[..length]));
            }
        });
    }

    fn ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return false };
        let request = format!("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        let mut answer = String::new();
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if !self.is_first {
            return;
        }
        if !std::thread::panicking() {
            self.database.drop_it();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// `tokens.code_seconds` as its environment variable.
fn variable(key: &str) -> String {
    format!("LATCHWAY__{}", key.to_uppercase().replace('.', "__"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A port below the range from which the kernel takes those of outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 100).expect("below 100") * 100;
    loop {
        let port = 20_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where tests keep their databases and other files. `scripts/test` names a directory in memory, where fsync costs nothing:
/// these tests end processes, never the machine.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        std::env::var_os("LATCHWAY_TEST_SCRATCH").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
    })
}

/// The directory for build results, where screenshots go too.
pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp has a parent")
}
