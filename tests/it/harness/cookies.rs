//! A cookie jar as a browser keeps it, for one host, open to tests that tamper with it.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, SET_COOKIE};

/// Name to (value, path). Loopback counts as secure, as in browsers, so `Secure` does not matter here.
#[derive(Debug, Clone, Default)]
pub struct Jar {
    cookies: BTreeMap<String, (String, String)>,
}

impl Jar {
    pub fn learn(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let header = header.to_str().expect("a cookie in ASCII");
            let mut parts = header.split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("name=value");
            let (mut path, mut expired) = ("/".to_owned(), value.is_empty());
            for part in parts {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                match key.to_ascii_lowercase().as_str() {
                    "path" => path = value.to_owned(),
                    "max-age" => expired = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                    "expires" => expired |= value.contains(" 1970 "),
                    _ => {}
                }
            }
            if expired {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), (value.to_owned(), path));
            }
        }
    }

    /// The `Cookie` header for a path; none if there is nothing to send.
    pub fn header(&self, path: &str) -> Option<String> {
        let fits = |at: &str| path == at || path.starts_with(&format!("{}/", at.trim_end_matches('/')));
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, (_, at))| fits(at))
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub fn names(&self) -> Vec<String> {
        self.cookies.keys().cloned().collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(|(value, _)| value.as_str())
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let path = self.cookies.get(name).map_or("/", |(_, path)| path).to_owned();
        self.cookies.insert(name.to_owned(), (value.to_owned(), path));
    }

    pub fn remove(&mut self, name: &str) {
        self.cookies.remove(name);
    }
}
