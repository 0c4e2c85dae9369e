//! An issuer that does what a test wants: says anything, counts who asks, goes away and comes back.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchway_resource_server::{Builder, ResourceServer};
use serde_json::{Value, json};

use crate::harness::*;

pub const AUDIENCE: &str = "https://api.example";
const METADATA: &str = "/.well-known/oauth-authorization-server";
pub const JWKS: &str = "/jwks";
pub const INTROSPECT: &str = "/introspect";

/// What is answered to a path.
#[derive(Clone)]
pub struct Says {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Says {
    pub fn json(body: &Value) -> Self {
        Self { status: 200, headers: String::new(), body: body.to_string() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, headers: String::new(), body: String::new() }
    }

    pub fn with(self, header: &str) -> Self {
        Self { headers: format!("{}{header}\r\n", self.headers), ..self }
    }
}

#[derive(Default)]
struct State {
    says: HashMap<String, Says>,
    asked: Vec<(String, String)>,
    away: bool,
    slow: Duration,
}

pub struct Issuer {
    pub url: String,
    pub key: EsKey,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (key, state) = (EsKey::new(), Arc::<Mutex<State>>::default());
        let issuer = Self { url: url.clone(), key, state: Arc::clone(&state) };
        let metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}{JWKS}"), "introspection_endpoint": format!("{url}{INTROSPECT}"),
        });
        issuer.says(METADATA, Says::json(&metadata));
        issuer.says(JWKS, Says::json(&issuer.key.jwks()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        issuer
    }

    pub fn says(&self, path: &str, says: Says) {
        self.state().says.insert(path.to_owned(), says);
    }

    pub fn says_metadata(&self, says: Says) {
        self.says(METADATA, says);
    }

    /// The bodies of all requests to a path so far.
    pub fn asked(&self, path: &str) -> Vec<String> {
        self.state().asked.iter().filter(|(asked, _)| asked == path).map(|(_, body)| body.clone()).collect()
    }

    /// Connections are closed without an answer.
    pub fn goes_away(&self) {
        self.state().away = true;
    }

    pub fn comes_back(&self) {
        self.state().away = false;
    }

    pub fn is_slow(&self, slow: Duration) {
        self.state().slow = slow;
    }

    pub fn api(&self) -> Builder {
        ResourceServer::builder(&self.url, AUDIENCE)
    }

    /// Claims that an API must accept.
    pub fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": [AUDIENCE], "sub": "anna", "client_id": "app", "scope": "orders:read", "jti": "token-1",
            "iat": now(), "exp": now() + 900, "auth_time": now(), "roles": ["user"],
        })
    }

    pub fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid})
    }

    /// A token that an API must accept.
    pub fn token(&self) -> String {
        self.key.sign_with(&self.header(), &self.claims())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request, one answer, and the end of the connection.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let locked = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut head = Vec::new();
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        head.push(line);
    }
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)).map(str::to_owned) else { return };
    let length = |line: &String| line.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse().ok());
    let mut body = vec![0; head.iter().find_map(length).unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    let authorization = head.iter().find(|line| line.to_lowercase().starts_with("authorization: ")).cloned();
    let asked = String::from_utf8_lossy(&body).into_owned() + &authorization.unwrap_or_default();
    let (slow, away) = {
        let mut state = locked();
        state.asked.push((path.clone(), asked));
        (state.slow, state.away)
    };
    std::thread::sleep(slow);
    if away {
        return;
    }
    let Says { status, headers, body } = locked().says.get(&path).cloned().unwrap_or_else(|| Says::status(404));
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}");
    let _ = stream.write_all(answer.as_bytes());
}
