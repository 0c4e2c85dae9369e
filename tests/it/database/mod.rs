//! What an operator's drill found about databases, time, keys and rights: each test is named after its finding.

mod connections;
mod files;
mod pins;
mod pooler;
mod rights;
mod time;

use std::time::{Duration, Instant};

use crate::harness::*;

const CC: &[(&str, &str)] = &[("grant_type", "client_credentials")];

fn machine(server: &Server) -> Client {
    Spec::confidential().grants(&["client_credentials"]).scope("read").create(server)
}

async fn status_of(server: &Server, path: &str) -> u16 {
    Answer::of(http().get(server.url(path))).await.status
}

async fn until_ready_is(server: &Server, status: u16) {
    let begin = Instant::now();
    while status_of(server, "/readyz").await != status {
        assert!(begin.elapsed() < Duration::from_secs(30), "/readyz does not come to {status}:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the process answers at all.
async fn until_alive(server: &Server) {
    let begin = Instant::now();
    while http().get(server.url("/livez")).send().await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(40), "it does not answer:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "no Retry-After: {answer:?}");
    assert!(!answer.body.contains("\"active\""), "{answer:?}");
}

/// A role of the tests' PostgreSQL that is no superuser, and the URL of a database for it. It goes with the test.
struct Role {
    name: String,
    url: String,
    database: Database,
}

impl Role {
    fn new(database: &Database, options: &str) -> Self {
        let name = format!("lw_{}", random(9).to_lowercase().replace(['-', '_'], "x"));
        database.execute(&format!("CREATE ROLE {name} LOGIN {options}"));
        let mut url = url::Url::parse(database.url()).expect("a URL");
        if url.host().is_some() {
            url.set_username(&name).expect("a user");
        }
        // The tests' own URL names its user in the query, as its host is a socket.
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| (key.to_string(), if key == "user" { name.clone() } else { value.to_string() }))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        Self { name, url: url.to_string(), database: database.clone() }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let name = &self.name;
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'");
        self.database.execute(&end);
        self.database
            .execute(&format!("REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}"));
    }
}
