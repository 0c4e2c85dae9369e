//! Every command of README.md, run as it is written, in the order of the page, on a data folder of its own.
//!
//! What would make it fail: a command that is refused, an answer that is not what the page promises, a server that does
//! not start, or a block that this test does not know how to run. Replaced are only what belongs to the reader's own
//! world: the ports, the address of their PostgreSQL, and `cargo run --release --` by the binary under test.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Database, Db, free_port, started};

struct Page {
    dir: tempfile::TempDir,
    dev_port: u16,
    production_port: u16,
    postgres: String,
    servers: Vec<Child>,
}

#[test]
fn every_command_of_the_readme_works() {
    let readme = include_str!("../../README.md");
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a folder");
    let database = Database::create(Db::Postgres, dir.path());
    std::fs::create_dir_all(dir.path().join("target/release")).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_latchway"), dir.path().join("target/release/latchway")).expect("a link");
    let mut page = Page {
        dir,
        dev_port: free_port(),
        production_port: free_port(),
        postgres: database.url().to_owned(),
        servers: Vec::new(),
    };
    let blocks: Vec<&str> = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 10, "the page has lost its commands");
    let mut outputs = Vec::new();
    for block in blocks {
        // That one runs this test.
        if block.trim() != "scripts/test" {
            outputs.push(page.run(block));
        }
    }
    page.stop();
    let find = |needle: &str| outputs.iter().filter(|output| output.contains(needle)).count();
    assert!(find("\"token_type\":\"Bearer\"") >= 1, "no token was issued: {outputs:?}");
    assert!(find("\"active\":true") == 1, "the token was not active: {outputs:?}");
    assert!(outputs.iter().any(|output| output.trim() == "{\"active\":false}"), "the revoked token was: {outputs:?}");
    assert!(find("authorization_endpoint") == 1 && find("\"kid\"") >= 1);
    database.drop_it();
}

impl Page {
    fn run(&mut self, block: &str) -> String {
        let script = block
            .replace("cargo run --release --", "target/release/latchway")
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.dev_port))
            .replace("127.0.0.1:8443", &format!("127.0.0.1:{}", self.production_port))
            .replace("postgres://latchway:secret@db.example/latchway", &format!("'{}'", self.postgres));
        let lines: Vec<&str> = script.trim_end().lines().collect();
        let (last, before) = lines.split_last().expect("a block with a command");
        // A variable of one block is used in the next: the reader stays in one shell. What is exported for production
        // stays in its own.
        let carried = if script.contains("export LATCHWAY__") {
            "true"
        } else {
            "declare -p TOKEN > vars.sh 2>/dev/null || true"
        };
        let prelude = "set -euo pipefail; PATH=$PWD/target/release:$PATH; [ -f vars.sh ] && . ./vars.sh";
        if last.contains(" serve") {
            let port = if last.contains("--dev") { self.dev_port } else { self.production_port };
            let listen = if last.contains("--listen") { String::new() } else { format!(" --listen 127.0.0.1:{port}") };
            let command = format!("{prelude}\n{}\nexec {last}{listen}", before.join("\n"));
            self.serve(&command, port);
            return String::new();
        }
        let output = self.bash(&format!("{prelude}\n{script}\n{carried}")).output().expect("bash");
        text(&output, block)
    }

    fn bash(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", script]).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("LATCHWAY__SERVER__METRICS_LISTEN", "").env_remove("LATCHWAY_CONFIG");
        command
    }

    fn serve(&mut self, script: &str, port: u16) {
        let log = std::fs::File::create(self.dir.path().join(format!("{port}.log"))).expect("a log");
        let mut command = self.bash(script);
        let child = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("bash");
        started(child.id());
        self.servers.push(child);
        let begin = Instant::now();
        while !is_ready(port) {
            let log = || std::fs::read_to_string(self.dir.path().join(format!("{port}.log"))).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(60), "not ready: {script}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_ready(port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}/readyz");
    Command::new("curl").args(["-sf", "-o", "/dev/null", &url]).status().is_ok_and(|status| status.success())
}

fn text(output: &Output, block: &str) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}:\n{block}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The pages that it points to are there.
#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let readme = include_str!("../../README.md");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let images = readme.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut seen = 0;
    for link in links.chain(images).filter(|link| !link.starts_with("http")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "{link} is not there");
        seen += 1;
    }
    assert!(seen >= 5);
}
