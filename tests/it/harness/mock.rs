//! `latchway mock` as a child process.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::Value;

use super::{Answer, Browser, guard, http, random, scratch};

/// A running mock. Dropping it ends it.
pub struct Mock {
    /// Scheme, host and port; the main issuer, too.
    pub base: String,
    /// What it told of itself at its start.
    pub told: Value,
    /// Where `mock.toml` and its files are.
    pub dir: PathBuf,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Mock {
    /// A mock of this `mock.toml`.
    pub fn start(config: &str) -> Self {
        Self::with(config, &[], &[])
    }

    /// The same with files beside it, by name and content, and more flags.
    pub fn with(config: &str, files: &[(&str, &str)], flags: &[&str]) -> Self {
        Self::try_start(config, files, flags, &[]).unwrap_or_else(|log| panic!("the mock does not start:\n{log}"))
    }

    /// The same with variables in its environment; `Err` is what it wrote when it ended instead.
    pub fn try_start(
        config: &str,
        files: &[(&str, &str)],
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, String> {
        let dir = scratch().join(format!("latchway-mock-{}", random(9)));
        std::fs::create_dir_all(&dir).expect("a folder");
        for (name, content) in files.iter().chain(&[("mock.toml", config)]) {
            std::fs::write(dir.join(name), content).expect("a file");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchway"));
        command.args(["mock", "--json", "--config"]).arg(dir.join("mock.toml"));
        if !config.contains("listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(flags).env_clear().envs(environment.iter().copied()).current_dir(&dir);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a mock");
        guard::started(child.id());
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its stdout"));
        output.read_line(&mut line).expect("what it tells");
        let (log, mut errors) = (Arc::new(Mutex::new(String::new())), child.stderr.take().expect("its stderr"));
        let Ok(told) = serde_json::from_str::<Value>(&line) else {
            let _ = child.wait();
            guard::ended(child.id());
            errors.read_to_string(&mut line).expect("its complaint");
            return Err(line);
        };
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&(line + "\n"));
            }
        });
        let base = told["base"].as_str().expect("an address").to_owned();
        Ok(Self { base, told, dir, child, log })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        http().request(method.parse().expect("a method"), self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("Content-Type", "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    /// A token by `POST /mock/token`.
    pub async fn token(&self, wanted: &Value) -> String {
        let answer = self.send("POST", "/mock/token", wanted).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("access_token")
    }

    pub fn browser(&self) -> Browser {
        Browser::at(&self.base)
    }

    /// All that it wrote to standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Memory of the process that is in use, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux tells");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let begin = Instant::now();
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        while begin.elapsed() < Duration::from_secs(3) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        guard::ended(self.child.id());
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
