//! A balancer in front of several nodes: round robin over those whose `/readyz` says 200.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::{Answer, Http, NoAnswer, read_message, request};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(40);

/// Sees each answer before it is forwarded, with the node's place and the request; `true` keeps it from the client.
pub type Hook = Arc<dyn Fn(usize, &[u8], &Answer) -> bool + Send + Sync>;

/// The balancer; it ends with the runtime.
pub struct Balancer {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    nodes: Vec<u16>,
    up: Vec<AtomicBool>,
    next: AtomicUsize,
    hook: Mutex<Option<Hook>>,
    http: Http,
    /// Requests sent on to a node that then gave no answer.
    cut: AtomicU64,
    /// Answers that no client was there for any more.
    closed: AtomicBool,
}

impl Balancer {
    pub async fn start(port: u16, nodes: Vec<u16>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        let listener = socket.listen(4096)?;
        let up = nodes.iter().map(|_| AtomicBool::new(false)).collect();
        let state = State {
            nodes,
            up,
            next: AtomicUsize::new(0),
            hook: Mutex::default(),
            http: Http::default(),
            cut: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        let state = Arc::new(state);
        for place in 0..state.nodes.len() {
            tokio::spawn(look_after(state.clone(), place));
        }
        let accepting = state.clone();
        tokio::spawn(async move {
            while !accepting.closed.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(accepting.clone(), stream));
            }
        });
        Ok(Self { port, state })
    }

    /// Looks at every answer from now on; `None` at none.
    pub fn hook(&self, hook: Option<Hook>) {
        *self.state.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// How many nodes are taken for ready.
    pub fn ready(&self) -> usize {
        self.state.up.iter().filter(|up| up.load(Ordering::Relaxed)).count()
    }

    /// How many requests reached a node that gave no answer.
    pub fn cut(&self) -> u64 {
        self.state.cut.load(Ordering::Relaxed)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Relaxed);
    }
}

async fn look_after(state: Arc<State>, place: usize) {
    let (port, http) = (state.nodes[place], Http::default());
    let ask = request("GET", "/readyz", port, "", None);
    while !state.closed.load(Ordering::Relaxed) {
        let ready = http.send(port, &ask, Duration::from_secs(1)).await.is_ok_and(|answer| answer.status == 200);
        state.up[place].store(ready, Ordering::Relaxed);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn serve(state: Arc<State>, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    while let Ok(Some((head, body))) = read_message(&mut stream).await {
        let request = [head.as_bytes(), &body].concat();
        let Some((place, answer)) = forward(&state, &request).await else { return };
        let hook = state.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if hook.is_some_and(|hook| hook(place, &request, &answer)) {
            return;
        }
        if stream.write_all(&answer.to_bytes()).await.is_err() || answer.closes() {
            return;
        }
    }
}

/// The answer of a node. A node that takes no connection got nothing, so another may be asked; `None`: it was sent, and
/// nothing came back, of which the client learns by its closed connection.
async fn forward(state: &State, request: &[u8]) -> Option<(usize, Answer)> {
    let count = state.nodes.len();
    for _ in 0..2 * count {
        let place = state.next.fetch_add(1, Ordering::Relaxed) % count;
        if !state.up[place].load(Ordering::Relaxed) {
            continue;
        }
        match state.http.send(state.nodes[place], request, LIMIT).await {
            Ok(answer) => return Some((place, answer)),
            Err(NoAnswer::Refused) => state.up[place].store(false, Ordering::Relaxed),
            Err(NoAnswer::Lost(_)) => {
                state.cut.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        }
    }
    let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nX-Balancer: no node\r\nContent-Length: 0\r\n\r\n";
    Some((count, Answer { status: 503, head: head.to_owned(), body: Vec::new() }))
}
