//! Other people's proxies, run with the configuration from `examples/`, and an app behind them that tells what reached it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::guard;

/// An app that answers every request with what it was sent, as JSON. It ends with the process.
pub struct Echo {
    pub port: u16,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
        Self { port }
    }
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut line = String::new();
    let Ok(1..) = reader.read_line(&mut line) else { return };
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Map::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        let values = headers.entry(name.to_ascii_lowercase()).or_insert_with(|| json!([]));
        values.as_array_mut().expect("a list").push(Value::from(value.trim()));
    }
    let body = json!({"method": method, "path": path, "headers": headers}).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let body_sent = if method == "HEAD" { "" } else { body.as_str() };
    let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body_sent}", body.len());
}

/// A proxy in front of an [`Echo`].
pub struct Gateway {
    /// Where it listens.
    pub port: u16,
    child: Child,
    dir: PathBuf,
}

impl Gateway {
    /// nginx with `examples/nginx/latchway.conf`; only the ports and the app's origin are others.
    pub fn nginx(dir: &Path, port: u16, latchway: u16, app: u16) -> Self {
        Self::nginx_for(dir, port, latchway, app, &["localhost"])
    }

    /// The same with the example's server block once for each of several hosts.
    pub fn nginx_for(dir: &Path, port: u16, latchway: u16, app: u16, hosts: &[&str]) -> Self {
        let dir = dir.join(format!("nginx-{port}"));
        std::fs::create_dir_all(&dir).expect("a directory");
        let site = example("nginx/latchway.conf", &[("8080", latchway), ("9000", app), ("8088", port)]);
        let (shared, block) = site.split_at(site.find("\nserver {").expect("the server block of the example"));
        let block_for = |host: &&str| {
            let at = block.replace("https://app.example", &format!("http://{host}:{port}"));
            at.replace("Host              app.example", &format!("Host {host}:{port}")).replace("app.example", host)
        };
        let site = shared.to_owned() + &hosts.iter().map(block_for).collect::<String>();
        std::fs::write(dir.join("latchway.conf"), site).expect("a file");
        let place = dir.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {place}/{kind}; "))
            .collect();
        let main = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log info; \
             events {{ worker_connections 256; }} \
             http {{ access_log off; {temporary} include {place}/latchway.conf; }}"
        );
        std::fs::write(dir.join("nginx.conf"), main).expect("a file");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&dir).arg("-e").arg(dir.join("error.log")).arg("-c").arg(dir.join("nginx.conf"));
        Self::spawn(command, port, dir)
    }

    /// Caddy with `examples/caddy/Caddyfile`; only the address and the ports are others.
    pub fn caddy(dir: &Path, port: u16, latchway: u16, app: u16) -> Self {
        let dir = dir.join(format!("caddy-{port}"));
        std::fs::create_dir_all(&dir).expect("a directory");
        let site = example("caddy/Caddyfile", &[("8080", latchway), ("9000", app)]);
        assert!(site.contains("\napp.example {"), "the site of the example");
        let site = site.replace("\napp.example {", &format!("\nhttp://localhost:{port} {{"));
        let file = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}");
        std::fs::write(dir.join("Caddyfile"), file).expect("a file");
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.join("Caddyfile"));
        command.env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("XDG_CONFIG_HOME", &dir);
        Self::spawn(command, port, dir)
    }

    fn spawn(mut command: Command, port: u16, dir: PathBuf) -> Self {
        let log = std::fs::File::create(dir.join("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        let child = command.spawn().expect("the proxy starts: `scripts/test` installs it");
        guard::started(child.id());
        let mut gateway = Self { port, child, dir };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = gateway.child.try_wait().expect("its status");
            let late = begin.elapsed() > Duration::from_secs(30);
            assert!(ended.is_none() && !late, "the proxy does not listen: {}", gateway.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        read("log") + &read("error.log")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        guard::ended(self.child.id());
    }
}

/// An example as it stands, with other ports on 127.0.0.1.
fn example(path: &str, ports: &[(&str, u16)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path);
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (from, to) in ports {
        let from = format!("127.0.0.1:{from}");
        assert!(text.contains(&from), "{from} in {}", path.display());
        text = text.replace(&from, &format!("127.0.0.1:{to}"));
    }
    text
}
