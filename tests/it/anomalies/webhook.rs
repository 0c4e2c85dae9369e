//! The operator's own system, which takes what the webhook posts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use serde_json::Value;

pub const SECRET: &str = "a-secret-of-the-operators-own-system";

#[derive(Debug, Clone)]
pub struct Posted {
    pub id: String,
    pub signature: String,
    pub body: String,
}

impl Posted {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Checks as a receiver has to.
    pub fn is_signed(&self, secret: &str, now: i64) -> bool {
        let parts = self.signature.split_once(",v1=").and_then(|(time, tag)| Some((time.strip_prefix("t=")?, tag)));
        let Some((time, tag)) = parts else { return false };
        let tag: Option<Vec<u8>> =
            (0..tag.len() / 2).map(|n| u8::from_str_radix(&tag[2 * n..2 * n + 2], 16).ok()).collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let fresh = time.parse::<i64>().is_ok_and(|at| (now - at).abs() < 60);
        fresh && tag.is_some_and(|tag| hmac::verify(&key, format!("{time}.{}", self.body).as_bytes(), &tag).is_ok())
    }
}

/// Listens until the test ends. Answers with these statuses, and then with 204.
pub struct Receiver {
    pub url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    pub fn new(statuses: &[String]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/hook?of=latchway", listener.local_addr().expect("its address"));
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let (kept, statuses) = (posted.clone(), statuses.to_vec());
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let status = statuses.get(n).map_or("204 No Content", String::as_str);
                if let Some(post) = take(stream, status) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(post);
                }
            }
        });
        Self { url, posted }
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(stream: TcpStream, status: &str) -> Option<Posted> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let found =
            head.iter().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    assert!(head[0].starts_with("POST /hook?of=latchway "), "{head:?}");
    let body = String::from_utf8(body).ok()?;
    Some(Posted { id: header("latchway-delivery"), signature: header("latchway-signature"), body })
}
