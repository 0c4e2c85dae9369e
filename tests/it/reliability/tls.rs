//! The way to PostgreSQL, secured: a cluster of its own that listens on this machine with a certificate.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::*;

const PASSWORD: &str = "only-for-this-test";

/// Ends with the test.
struct Cluster {
    server: Child,
    port: u16,
    home: tempfile::TempDir,
    bin: PathBuf,
}

impl Cluster {
    /// A server whose certificate, for `localhost` and nothing else, is signed by `ca.pem`. `other.pem` signed nothing.
    fn start() -> Self {
        let bin = PathBuf::from(std::env::var("LATCHWAY_TEST_POSTGRES_BIN").expect("run scripts/test"));
        let home = tempfile::Builder::new().prefix("latchway-tls.").tempdir().expect("a directory");
        let path = |name: &str| home.path().join(name).display().to_string();
        for name in ["ca", "other"] {
            let (key, pem) = (path(&format!("{name}.key")), path(&format!("{name}.pem")));
            openssl(
                &["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"],
                &["-subj", &format!("/CN=Test authority {name}"), "-keyout", &key, "-out", &pem],
            );
        }
        openssl(
            &["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            &[
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                &path("server.key"),
                "-out",
                &path("server.csr"),
            ],
        );
        openssl(
            &["x509", "-req", "-days", "2", "-copy_extensions", "copy", "-CAcreateserial"],
            &[
                "-in",
                &path("server.csr"),
                "-CA",
                &path("ca.pem"),
                "-CAkey",
                &path("ca.key"),
                "-out",
                &path("server.pem"),
            ],
        );
        std::fs::write(path("password"), PASSWORD).expect("a file");
        own(home.path());
        let run = |program: &str, args: &[&str]| {
            let program = bin.join(program).display().to_string();
            let mut command = as_postgres(&program);
            command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let data = path("data");
        let made = run(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "latchway",
                "--auth=scram-sha-256",
                "--pwfile",
                &path("password"),
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
        )
        .status();
        assert!(made.expect("initdb runs").success());
        let port = free_port();
        let server = run("postgres", &["-D", &data, "-k", &path(""), "-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "ssl=on"])
            .args(["-c", &format!("ssl_cert_file={}", path("server.pem"))])
            .args(["-c", &format!("ssl_key_file={}", path("server.key"))])
            .spawn()
            .expect("PostgreSQL starts");
        started(server.id());
        let cluster = Self { server, port, home, bin };
        let begin = Instant::now();
        while !cluster.is_ready() {
            assert!(begin.elapsed() < Duration::from_secs(30), "PostgreSQL is not ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    fn is_ready(&self) -> bool {
        let args = ["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()];
        Command::new(self.bin.join("pg_isready")).args(args).status().expect("pg_isready runs").success()
    }

    fn url(&self, host: &str, options: &str) -> String {
        format!("postgres://latchway:{PASSWORD}@{host}:{}/postgres{options}", self.port)
    }

    fn file(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// How many of the server's connections are encrypted, and how many are not.
    fn connections(&self) -> (usize, usize) {
        let query =
            "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'latchway'";
        let psql = Command::new(self.bin.join("psql")).args(["-Atc", query, &self.url("127.0.0.1", "")]).output();
        let text = String::from_utf8(psql.expect("psql runs").stdout).expect("text");
        (text.lines().filter(|line| *line == "t").count(), text.lines().filter(|line| *line == "f").count())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A fast shutdown; what it did not do by then, the directory's end does.
        let _ = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        ended(self.server.id());
    }
}

fn openssl(words: &[&str], more: &[&str]) {
    let made = Command::new("openssl").args(words).args(more).output().expect("openssl runs");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

/// PostgreSQL does not run as root.
fn as_postgres(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    command
}

fn own(directory: &Path) {
    let key = directory.join("server.key");
    let private = Command::new("chmod").arg("600").arg(&key).status().expect("chmod runs");
    assert!(private.success());
    if is_root() {
        let given = Command::new("chown").arg("-R").arg("postgres").arg(directory).status().expect("chown runs");
        assert!(given.success());
    }
}

/// Fails if the certificate or its name is not looked at, if what is asked to be encrypted is not, or if this machine's own
/// PostgreSQL, which shows a certificate that nobody signed, cannot be used without a word about it.
async fn the_way_to_postgres_is_secured() {
    let cluster = Cluster::start();
    let full = format!("?sslmode=verify-full&sslrootcert={}", cluster.file("ca.pem"));
    let server = Server::prepared(Db::Postgres, &[("database.url", &cluster.url("localhost", &full))]);
    server.spawn();
    let client = Spec::confidential().create(&server);
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    assert_eq!(client.introspect(&token).await.json()["active"], true);
    let (encrypted, plain) = cluster.connections();
    assert!(encrypted > 0 && plain == 0, "{encrypted} encrypted, {plain} plain");
    server.stop();

    let migrate = |host: &str, options: &str| {
        server.node(&[("database.url", &cluster.url(host, options))]).try_cli(&["migrate"], "")
    };
    let other = format!("?sslrootcert={}", cluster.file("other.pem"));
    for (host, options, reason) in [
        ("localhost", "?sslmode=require", "sslrootcert=FILE"),
        ("localhost", "?sslmode=prefer", "sslrootcert=FILE"),
        ("localhost", &other, "sslrootcert=FILE"),
        ("127.0.0.1", &full, "must have a name that is in it"),
        ("localhost", "?sslrootcert=/there/is/none", "sslrootcert /there/is/none"),
    ] {
        let said = migrate(host, options).expect_err("a way that is not safe").output;
        assert!(said.contains(reason), "{host}{options}: {said}");
        assert!(!said.contains(PASSWORD), "the password is told: {said}");
    }
    migrate("localhost", "").expect("this machine's own");
}

mod postgres {
    use super::*;

    #[test]
    fn the_way_to_postgres_is_secured() {
        run(Db::Postgres, |_: Db| super::the_way_to_postgres_is_secured());
    }
}
