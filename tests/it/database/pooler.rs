//! A6, B-089: a connection pooler that lends connections for transactions.

use std::process::{Child, Command, Stdio};

use super::*;

/// pgbouncer in front of the tests' PostgreSQL. Ends with the test.
struct Pooler {
    process: Child,
    url: String,
    _home: tempfile::TempDir,
}

impl Pooler {
    fn start(database: &Database, mode: &str, more: &str) -> Self {
        let direct: tokio_postgres::Config = database.url().parse().expect("a URL");
        let Some(tokio_postgres::config::Host::Unix(socket)) = direct.get_hosts().first() else { panic!("a socket") };
        let (user, name) = (direct.get_user().expect("a user"), direct.get_dbname().expect("a name"));
        let home = tempfile::Builder::new().prefix("latchway-pooler.").tempdir().expect("a directory");
        let port = free_port();
        let backend = direct.get_ports().first().copied().unwrap_or(5432);
        let ini = home.path().join("pgbouncer.ini");
        let users = home.path().join("users.txt");
        std::fs::write(&users, format!("\"{user}\" \"\"\n")).expect("a file");
        // In session mode each connection is lent for as long as it stands.
        let size = if mode == "session" { 20 } else { 4 };
        let text = format!(
            "[databases]\n{name} = host={} port={backend}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {size}\n{more}\n",
            socket.display(),
            users.display()
        );
        std::fs::write(&ini, text).expect("a file");
        let is_root = Command::new("id").arg("-u").output().expect("id runs").stdout == b"0\n";
        let mut command = if is_root {
            // pgbouncer does not run as root.
            let given = Command::new("chown").arg("-R").arg("postgres").arg(home.path()).status().expect("chown runs");
            assert!(given.success());
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "pgbouncer"]);
            command
        } else {
            Command::new("pgbouncer")
        };
        let process =
            command.arg(&ini).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pgbouncer: run scripts/test");
        started(process.id());
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "pgbouncer does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, url: format!("postgres://{user}@127.0.0.1:{port}/{name}"), _home: home }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        ended(self.process.id());
    }
}

/// Fails if what one transaction prepared or set is taken for granted in the next, in any mode of a pooler, found out or
/// named.
async fn b089_a06_a_pooler_in_between() {
    for (mode, more, setting) in [
        ("transaction", "", "auto"),
        ("transaction", "ignore_startup_parameters = options", "auto"),
        ("transaction", "", "transaction"),
        ("session", "", "session"),
    ] {
        let server = Server::prepared(Db::Postgres, &[]);
        let pooler = Pooler::start(&server.database, mode, more);
        let config = [("database.url", pooler.url.as_str()), ("database.pooler", setting), ("database.pool_size", "3")];
        // Two processes name their statements alike.
        let nodes = [server.changed(&config), server.node(&config)];
        nodes[0].cli(&["migrate"]);
        nodes.iter().for_each(Server::spawn);
        let (app, user) = (Client::confidential(&nodes[0]), User::new(&nodes[0]));
        let machine = machine(&nodes[0]);
        for _ in 0..4 {
            let request = app.request();
            let code = Browser::new(&nodes[0]).grant(&user, &request).await.code();
            for node in &nodes {
                assert_eq!(status_of(node, "/readyz").await, 200);
                let token = machine.at(node).token(CC).await;
                assert_eq!(token.status, 200, "{mode} {setting}: {token:?}\n{}", node.log());
                assert_eq!(machine.at(node).introspect(&token.text("access_token")).await.json()["active"], true);
            }
            let tokens = app.redeem(&request, &code).await;
            assert_eq!(tokens.status, 200, "{mode} {setting}: {tokens:?}\n{}", nodes[0].log());
        }
        for node in &nodes {
            let log = node.log();
            for fault in ["prepared statement", "the database is gone", "the database failed"] {
                assert!(!log.contains(fault), "{mode} {setting} {more}:\n{log}");
            }
            assert_eq!(node.cli(&["audit", "verify"])["ok"], true);
            assert!(node.stop());
        }
    }
}

mod once {
    use super::*;

    #[test]
    fn b089_a06_a_pooler_in_between() {
        run(Db::Postgres, |_: Db| super::b089_a06_a_pooler_in_between());
    }
}
