//! HTTP/1.1 as far as it is needed here: whole requests, whole answers, and the difference between a request that never
//! left and one whose answer never came.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers, with the empty line that ends them.
    pub head: String,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was sent.
    Refused,
    /// It was sent, and whether it was done nobody here knows.
    Lost(String),
}

/// Connections that wait for the next request, by port.
#[derive(Default)]
pub struct Http {
    idle: Mutex<HashMap<u16, Vec<TcpStream>>>,
}

impl Http {
    /// Sends one request to a port of the loopback address.
    pub async fn send(&self, port: u16, request: &[u8], limit: Duration) -> Result<Answer, NoAnswer> {
        let outcome = timeout(limit, self.exchange(port, request)).await;
        outcome.unwrap_or_else(|_| Err(NoAnswer::Lost(format!("no answer in {limit:?}"))))
    }

    /// Sees to so many open connections, for what is to be sent at one moment: connecting is not what is measured.
    pub async fn open(&self, port: u16, count: usize) -> Result<(), NoAnswer> {
        let idle = self.idle().get(&port).map_or(0, Vec::len);
        for _ in idle..count {
            let stream = connect(port).await?;
            self.idle().entry(port).or_default().push(stream);
        }
        Ok(())
    }

    async fn exchange(&self, port: u16, request: &[u8]) -> Result<Answer, NoAnswer> {
        let mut stream = match self.take(port) {
            Some(stream) => stream,
            None => connect(port).await?,
        };
        let lost = |e: std::io::Error| NoAnswer::Lost(e.to_string());
        stream.write_all(request).await.map_err(lost)?;
        let answer = read_answer(&mut stream).await?;
        if !answer.closes() {
            self.idle().entry(port).or_default().push(stream);
        }
        Ok(answer)
    }

    /// An idle connection that the other side has not closed.
    fn take(&self, port: u16) -> Option<TcpStream> {
        let mut idle = self.idle();
        let streams = idle.get_mut(&port)?;
        while let Some(stream) = streams.pop() {
            let mut byte = [0];
            if matches!(stream.try_read(&mut byte), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock) {
                return Some(stream);
            }
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<u16, Vec<TcpStream>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(port: u16) -> Result<TcpStream, NoAnswer> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|_| NoAnswer::Refused)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Reads an answer to its end.
pub async fn read_answer(stream: &mut TcpStream) -> Result<Answer, NoAnswer> {
    let (head, body) = read_message(stream).await?.ok_or_else(|| NoAnswer::Lost("closed without an answer".into()))?;
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| NoAnswer::Lost("no status line".to_owned()))?;
    Ok(Answer { status, head, body })
}

/// Reads a request or an answer: head and body. `None`: closed before its first byte.
pub async fn read_message(stream: &mut TcpStream) -> Result<Option<(String, Vec<u8>)>, NoAnswer> {
    let lost = |why: &str| NoAnswer::Lost(why.to_owned());
    let mut buffer = Vec::with_capacity(4096);
    let head = loop {
        let from = buffer.len().saturating_sub(3);
        match stream.read_buf(&mut buffer).await {
            Ok(0) if buffer.is_empty() => return Ok(None),
            Ok(0) => return Err(lost("closed inside a head")),
            Ok(_) => {}
            Err(e) => return Err(NoAnswer::Lost(e.to_string())),
        }
        if let Some(at) = buffer[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            break from + at + 4;
        }
    };
    let mut body = buffer.split_off(head);
    let head = String::from_utf8(buffer).map_err(|_| lost("a head that is not UTF-8"))?;
    if header(&head, "transfer-encoding").is_some() {
        return Err(lost("a chunked body, which nothing here sends"));
    }
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        match stream.read_buf(&mut body).await {
            Ok(0) => return Err(lost("closed inside a body")),
            Ok(_) => {}
            Err(e) => return Err(NoAnswer::Lost(e.to_string())),
        }
    }
    Ok(Some((head, body)))
}

/// The first header of that name.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    headers(head, name).next()
}

fn headers<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let fits = move |(key, _): &(&str, &str)| key.eq_ignore_ascii_case(name);
    head.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).filter(fits).map(|(_, value)| value.trim())
}

impl Answer {
    /// The first header of that name, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        header(&self.head, name).unwrap_or_default()
    }

    /// All headers of that name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        headers(&self.head, name)
    }

    /// Whether the other side closes the connection after this.
    pub fn closes(&self) -> bool {
        self.header("connection").eq_ignore_ascii_case("close")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// As it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }
}

/// A whole request. `headers` are lines that end with CRLF.
pub fn request(method: &str, path: &str, host_port: u16, headers: &str, body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{host_port}\r\n{headers}");
    if let Some(body) = body {
        text += &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body.unwrap_or_default();
    text.into_bytes()
}

/// A form, encoded.
pub fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

/// As in a form (the URL standard's application/x-www-form-urlencoded).
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            other => encoded += &format!("%{other:02X}"),
        }
    }
    encoded
}
