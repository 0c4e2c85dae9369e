//! Bytes on a socket, for what an HTTP client would refuse to send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Server;

#[derive(Debug)]
pub struct RawAnswer {
    /// 0 if the server closed the connection without an answer.
    pub status: u16,
    pub text: String,
}

impl RawAnswer {
    pub fn has_header(&self, name: &str) -> bool {
        let head = self.text.split_once("\r\n\r\n").map_or(self.text.as_str(), |(head, _)| head);
        head.lines().any(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())))
    }
}

impl Server {
    /// Sends bytes and reads until the server closes or falls silent for two seconds.
    pub fn raw(&self, bytes: &[u8]) -> RawAnswer {
        raw(self.address(), bytes)
    }

    /// GET of a target that may hold any byte, on a connection of its own.
    pub fn raw_get(&self, target: &[u8]) -> RawAnswer {
        let head = [b"GET ".as_slice(), target, b" HTTP/1.1\r\nHost: ", self.host().as_bytes()].concat();
        self.raw(&[&head, b"\r\nConnection: close\r\n\r\n".as_slice()].concat())
    }

    fn host(&self) -> String {
        let (host, port) = self.address();
        format!("{host}:{port}")
    }
}

/// Sends bytes to a server and reads until it closes or falls silent for two seconds.
pub fn raw(address: (impl AsRef<str>, u16), bytes: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect((address.0.as_ref(), address.1)).expect("the server takes connections");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes);
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..length]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    RawAnswer { status, text }
}
