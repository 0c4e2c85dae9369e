//! A TCP proxy between the servers and PostgreSQL that can cut, stall and slow down, and that can lose a connection at
//! the very moment of a commit.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Every connection ends with RST, and new ones do too.
    Cut,
    /// Connections stand and nothing comes through.
    Stalled,
    /// Each piece takes so long.
    Slow(Duration),
    /// Every connection ends, and PostgreSQL answers new ones with this SQLSTATE.
    Refused(&'static str),
}

/// Where a connection dies in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The commit never arrives.
    BeforeCommit,
    /// The commit arrives, its answer does not.
    AfterCommit,
}

/// The proxy; it ends with the runtime.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    upstream: PathBuf,
    weather: watch::Sender<Weather>,
    trap: Mutex<Option<(Moment, u32)>>,
    sprung: AtomicU64,
    opened: AtomicU64,
    closed: AtomicBool,
}

impl Proxy {
    pub async fn start(upstream: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            upstream,
            weather: watch::Sender::new(Weather::Fair),
            trap: Mutex::default(),
            sprung: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        });
        let accepting = state.clone();
        tokio::spawn(async move {
            while !accepting.closed.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept().await else { continue };
                accepting.opened.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(accepting.clone(), stream));
            }
        });
        Ok(Self { port, state })
    }

    pub fn weather(&self, weather: Weather) {
        self.state.weather.send_replace(weather);
    }

    /// The next so many commits meet this.
    pub fn trap(&self, moment: Moment, times: u32) {
        *self.lock() = Some((moment, times));
    }

    /// Takes the trap away and tells how often it sprang since the proxy was made.
    pub fn disarm(&self) -> u64 {
        *self.lock() = None;
        self.state.sprung.load(Ordering::Relaxed)
    }

    /// How many connections were opened until now.
    pub fn opened(&self) -> u64 {
        self.state.opened.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Moment, u32)>> {
        self.state.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Relaxed);
        self.state.weather.send_replace(Weather::Cut);
    }
}

impl State {
    /// How a commit is to die that just came by, if it is.
    fn springs(&self) -> Option<Moment> {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let (moment, left) = (*trap)?;
        if left == 0 {
            return None;
        }
        *trap = Some((moment, left - 1));
        self.sprung.fetch_add(1, Ordering::Relaxed);
        Some(moment)
    }
}

/// Recognises commits among the messages of one connection (PostgreSQL's protocol, §54.7): as a query, or as a
/// statement that was prepared once and is then bound by its name.
#[derive(Default)]
struct Commits {
    prepared: HashSet<Vec<u8>>,
}

impl Commits {
    /// Whether one of the messages that begin here is one. A message that goes on in the next piece is none.
    fn is_in(&mut self, mut piece: &[u8]) -> bool {
        let mut found = false;
        while let [kind, a, b, c, d, rest @ ..] = piece {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(0);
            let Some(body) = length.checked_sub(4).and_then(|length| rest.get(..length)) else { break };
            let mut texts = body.split(|byte| *byte == 0);
            let (first, second) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
            match kind {
                b'Q' => found |= first == b"COMMIT",
                b'P' if second == b"COMMIT" => _ = self.prepared.insert(first.to_owned()),
                b'B' => found |= self.prepared.contains(second),
                _ => {}
            }
            piece = &rest[body.len()..];
        }
        found
    }
}

/// One connection, both ways, until somebody or the weather ends it.
async fn carry(state: Arc<State>, mut down: TcpStream) {
    let _ = down.set_nodelay(true);
    let mut weather = state.weather.subscribe();
    let now = *weather.borrow();
    match now {
        Weather::Cut => {
            let _ = down.set_zero_linger();
            return;
        }
        Weather::Refused(state) => return refuse(down, state).await,
        _ => {}
    }
    let Ok(mut up) = UnixStream::connect(&state.upstream).await else { return };
    let (mut from_down, mut from_up) = (vec![0; 32 * 1024], vec![0; 32 * 1024]);
    let (mut losing, mut commits) = (false, Commits::default());
    loop {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Cut | Weather::Refused(_) => {
                let _ = down.set_zero_linger();
                return;
            }
            Weather::Stalled => {
                if weather.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Weather::Fair | Weather::Slow(_) => {}
        }
        tokio::select! {
            _ = weather.changed() => {}
            read = down.read(&mut from_down) => {
                let Ok(length @ 1..) = read else { return };
                let moment = commits.is_in(&from_down[..length]).then(|| state.springs()).flatten();
                if moment == Some(Moment::BeforeCommit) {
                    let _ = down.set_zero_linger();
                    return;
                }
                losing |= moment == Some(Moment::AfterCommit);
                if !hold(&mut weather).await || up.write_all(&from_down[..length]).await.is_err() {
                    let _ = down.set_zero_linger();
                    return;
                }
            }
            read = up.read(&mut from_up) => {
                let Ok(length @ 1..) = read else { return };
                if losing || !hold(&mut weather).await || down.write_all(&from_up[..length]).await.is_err() {
                    let _ = down.set_zero_linger();
                    return;
                }
            }
        }
    }
}

/// What PostgreSQL says to somebody whom it does not let in (its protocol, ErrorResponse).
async fn refuse(mut down: TcpStream, state: &str) {
    let mut startup = [0; 1024];
    if !matches!(down.read(&mut startup).await, Ok(1..)) {
        return;
    }
    let fields = format!("SFATAL\0VFATAL\0C{state}\0Mnot now\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap_or_default();
    let answer = [b"E".as_slice(), &length.to_be_bytes(), fields.as_bytes()].concat();
    let _ = down.write_all(&answer).await;
}

/// Lets a piece wait as the weather demands; false if it is not to go on.
async fn hold(weather: &mut watch::Receiver<Weather>) -> bool {
    loop {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Fair => return true,
            Weather::Cut | Weather::Refused(_) => return false,
            Weather::Slow(delay) => {
                tokio::time::sleep(delay).await;
                return matches!(*weather.borrow(), Weather::Fair | Weather::Slow(_) | Weather::Stalled);
            }
            Weather::Stalled => {
                if weather.changed().await.is_err() {
                    return false;
                }
            }
        }
    }
}
