//! Forward authentication: asked directly, and behind real proxies.

mod audiences;
mod direct;
mod handshake;
mod headers;
mod networks;
mod proxies;

use std::net::TcpListener;

use crate::harness::*;

const ENDPOINT: &str = "/api/v1/forward-auth";
/// The audience of what passes besides people and the operator's own apps.
const GATE: &str = "https://apps.example";

/// A server that believes proxies on this machine, and an app at an origin of its own.
struct House {
    server: Server,
    /// Where the app is reached: another host than the server's, as browsers see it.
    origin: String,
}

impl House {
    fn new(db: Db) -> Self {
        Self::with(db, &[])
    }

    fn with(db: Db, config: &[(&str, &str)]) -> Self {
        let origin = format!("http://localhost:{}", free_port());
        Self::at(db, &origin, config)
    }

    fn at(db: Db, origin: &str, config: &[(&str, &str)]) -> Self {
        let own = [
            ("server.trusted_proxies", "127.0.0.1/32,10.0.0.0/8"),
            ("gatekeeper.allowed_origins", origin),
            ("gatekeeper.audience", GATE),
            ("keys.access_token_alg", "ES256"),
        ];
        let server = Server::start(db, &[&own[..], config].concat());
        Self { server, origin: origin.to_owned() }
    }

    /// A question as nginx asks it of a request for a page.
    fn page(&self, query: &str, path: &str) -> reqwest::RequestBuilder {
        self.ask(query).header("Accept", "text/html").header("X-Original-URL", format!("{}{path}", self.origin))
    }

    fn ask(&self, query: &str) -> reqwest::RequestBuilder {
        let url = self.server.url(&format!("{ENDPOINT}{query}"));
        http().get(url).header("X-Original-Method", "GET")
    }
}

/// The headers of a yes, in the order in which the manual lists them.
fn told(answer: &Answer) -> [&str; 6] {
    assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{name} is always there: {answer:?}"));
    [
        header("x-auth-user"),
        header("x-auth-subject"),
        header("x-auth-client"),
        header("x-auth-scope"),
        header("x-auth-roles"),
        header("x-auth-method"),
    ]
}

/// The cookies of a browser, for a question about one of its requests.
fn cookies(browser: &Browser) -> String {
    browser.jar().header("/").expect("cookies")
}

/// A port on which nothing listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
