//! What stands between a server and its PostgreSQL, and can be told to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::database::Database;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Passes,
    /// Connections are reset, and new ones too.
    Cut,
    /// Nothing comes through any more, and nobody is told.
    Silent,
}

/// A way to one database that can be cut. It ends with the process.
pub struct Proxy {
    pub url: String,
    line: watch::Sender<Line>,
    /// In milliseconds, for connections that are made from then on.
    round_trip: Arc<AtomicU64>,
}

impl Proxy {
    pub fn new(database: &Database) -> Self {
        let direct: tokio_postgres::Config = database.url().parse().expect("a URL");
        let Some(tokio_postgres::config::Host::Unix(folder)) = direct.get_hosts().first() else {
            panic!("PostgreSQL of the tests listens on a socket")
        };
        let port = direct.get_ports().first().copied().unwrap_or(5432);
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("its address");
        let (line, seen) = watch::channel(Line::Passes);
        let round_trip = Arc::new(AtomicU64::new(0));
        let slow = round_trip.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(carry(stream, socket.clone(), seen.clone(), slow.clone()));
                }
            });
        });
        let mut url = Url::parse("postgres://127.0.0.1/").expect("a URL");
        url.set_username(direct.get_user().expect("a user")).expect("a user");
        url.set_port(Some(address.port())).expect("a port");
        url.set_path(direct.get_dbname().expect("a name"));
        url.query_pairs_mut().append_pair("sslmode", "disable");
        Self { url: url.to_string(), line, round_trip }
    }

    /// Every answer takes so long from then on, on connections that are made from then on.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.round_trip.store(u64::try_from(round_trip.as_millis()).expect("a short time"), Ordering::Relaxed);
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn carry(
    mut stream: TcpStream,
    socket: std::path::PathBuf,
    mut seen: watch::Receiver<Line>,
    round_trip: Arc<AtomicU64>,
) {
    // A reset, not an orderly end.
    let _ = stream.set_zero_linger();
    if *seen.borrow() == Line::Cut {
        return;
    }
    let _ = seen.wait_for(|line| *line != Line::Silent).await;
    let Ok(mut database) = UnixStream::connect(socket).await else { return };
    let way = Duration::from_millis(round_trip.load(Ordering::Relaxed)) / 2;
    if !way.is_zero() {
        let ((from_us, to_us), (from_it, to_it)) = (stream.split(), database.split());
        tokio::select! {
            () = delayed(from_us, to_it, way) => {}
            () = delayed(from_it, to_us, way) => {}
            _ = seen.wait_for(|line| *line == Line::Cut) => {}
        }
        return;
    }
    loop {
        let passing = *seen.borrow_and_update();
        match passing {
            Line::Cut => return,
            Line::Silent => _ = seen.changed().await,
            Line::Passes => tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut database) => return,
                _ = seen.changed() => {}
            },
        }
    }
}

/// Carries what comes in one direction, each piece so much later.
async fn delayed(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, way: Duration) {
    let (sender, mut pieces) = mpsc::unbounded_channel();
    let reading = async move {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + way, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
