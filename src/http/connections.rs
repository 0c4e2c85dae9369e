//! What happens when a connection begins: it is counted, or refused because its address has enough of them.

use std::any::Any;
use std::net::Shutdown;

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

use crate::app::App;
use crate::defense::Connection;

/// Marks a connection that was refused: a request that had already arrived on it is not served.
struct Refused;

/// The answer to a refused connection. Its client may try again when idle connections have been closed.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 15\r\nContent-Length: 0\r\n\r\n";

/// Counts a connection for as long as `data` exists, which actix drops with it.
pub fn begin(app: &App, stream: &dyn Any, data: &mut Extensions) {
    let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
    // A peer that has gone already has no address; actix finds out when it reads.
    let Ok(peer) = stream.peer_addr() else { return };
    if let Some(connection) = app.connections.open(peer.ip()) {
        data.insert(connection);
        return;
    }
    metrics::counter!("latchway_connections_refused_total").increment(1);
    data.insert(Refused);
    let socket = SockRef::from(stream);
    // Nothing was sent before, so that the answer fits into the socket's buffer. Without it the client sees the end alone.
    let _sent = socket.send(REFUSAL);
    // actix reads the end at once and drops the connection.
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::debug!(%error, "a refused connection could not be shut down");
    }
}

pub fn is_refused(req: &ServiceRequest) -> bool {
    req.conn_data::<Refused>().is_some()
}

/// Whether the connection of a request may wait for another one.
pub fn keeps_alive(req: &ServiceRequest) -> bool {
    req.conn_data::<Connection>().is_none_or(Connection::keeps_alive)
}
