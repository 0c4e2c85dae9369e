//! One server process, and the command line on the same configuration.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http::{Http, request};

/// A node, running or not.
pub struct Node {
    pub port: u16,
    pub metrics_port: u16,
    pub log: PathBuf,
    binary: PathBuf,
    dir: PathBuf,
    env: BTreeMap<String, String>,
    child: Mutex<Option<Child>>,
}

impl Node {
    pub fn new(name: &str, binary: PathBuf, dir: PathBuf, config: &BTreeMap<String, String>) -> Result<Self> {
        let (port, metrics_port) = (free_port()?, free_port()?);
        let mut env: BTreeMap<String, String> =
            std::env::vars().filter(|(name, _)| ["HOME", "LANG", "PATH", "TMPDIR"].contains(&name.as_str())).collect();
        env.extend(config.iter().map(|(key, value)| (variable(key), value.clone())));
        env.insert(variable("server.listen"), format!("127.0.0.1:{port}"));
        env.insert(variable("server.metrics_listen"), format!("127.0.0.1:{metrics_port}"));
        let issuer = format!("http://127.0.0.1:{port}");
        env.entry(variable("server.issuer")).or_insert(issuer);
        let log = dir.join(format!("{name}.log"));
        Ok(Self { port, metrics_port, log, binary, dir, env, child: Mutex::default() })
    }

    /// Starts the process; it is not ready yet.
    pub fn start(&self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command();
        command.arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        *self.child() = Some(command.spawn().context("starting latchway")?);
        Ok(())
    }

    /// Waits for `/readyz` to say 200 and tells how long that took.
    pub async fn ready(&self, limit: Duration) -> Result<Duration> {
        let (begin, http) = (Instant::now(), Http::default());
        let ask = request("GET", "/readyz", self.port, "Connection: close\r\n", None);
        while begin.elapsed() < limit {
            if http.send(self.port, &ask, Duration::from_secs(3)).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(begin.elapsed());
            }
            if let Some(status) = self.ended() {
                bail!("latchway ended with {status} before it was ready: {}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("latchway is not ready after {limit:?}: {}", self.last_words())
    }

    pub async fn start_ready(&self) -> Result<Duration> {
        self.start()?;
        self.ready(Duration::from_secs(30)).await
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        if let Some(child) = self.child().as_ref() {
            let _ = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
        }
    }

    /// The status with which the process ended; none while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// SIGTERM, then waits for the end.
    pub async fn stop(&self, limit: Duration) -> Result<(ExitStatus, Duration)> {
        let begin = Instant::now();
        self.signal("TERM");
        while begin.elapsed() < limit {
            if let Some(status) = self.ended() {
                *self.child() = None;
                return Ok((status, begin.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.kill();
        bail!("latchway did not end in {limit:?} after SIGTERM")
    }

    /// Runs a command on the same data; `--json` is added. What it printed, or what it complained of.
    pub fn cli(&self, args: &[&str], input: &str) -> Result<Value> {
        let mut command = self.command();
        command.args(args).arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let _ = child.stdin.take().context("its input")?.write_all(input.as_bytes());
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("latchway {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("an answer in JSON")
    }

    /// A command that is started and left running.
    pub fn spawn_cli(&self, args: &[&str]) -> Result<Child> {
        let log = File::create(self.dir.join("command.log"))?;
        let mut command = self.command();
        Ok(command.args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(&self.env).current_dir(&self.dir);
        command
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.signal("CONT");
        self.kill();
    }
}

/// `tokens.code_seconds` as its environment variable.
fn variable(key: &str) -> String {
    format!("LATCHWAY__{}", key.replace('.', "__").to_uppercase())
}

/// A port that nobody uses at this moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
