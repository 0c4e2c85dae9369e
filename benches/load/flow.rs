//! The code flow as an app and a browser do it, and the login before it.

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::http::{Answer, Client, request};

pub const REDIRECT_URI: &str = "https://app.example/cb";

/// A client as it was registered.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
}

impl Credentials {
    /// The header line of `client_secret_basic`.
    pub fn header(&self) -> String {
        format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// An app and where it logs people in.
#[derive(Clone, Debug)]
pub struct Web {
    pub port: u16,
    pub client: Credentials,
    pub scope: String,
    pub resource: String,
}

/// PKCE material of one flow (RFC 7636 §4.1, §4.2).
struct Pkce {
    verifier: String,
    challenge: String,
}

impl Pkce {
    fn new() -> Result<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let verifier = URL_SAFE_NO_PAD.encode(bytes);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        Ok(Self { verifier, challenge })
    }
}

impl Web {
    fn authorize_path(&self, challenge: &str) -> String {
        format!(
            "/oauth2/authorize?client_id={}&response_type=code&redirect_uri={}&scope={}&resource={}&state=af0ifjsldkj\
             &code_challenge={challenge}&code_challenge_method=S256",
            self.client.id,
            encode(REDIRECT_URI),
            encode(&self.scope),
            encode(&self.resource),
        )
    }

    /// One whole flow with a session: authorize, then redeem the code. Returns the answer of the token endpoint.
    pub async fn run<'a>(&self, http: &'a mut Client, cookies: &str) -> Result<Answer<'a>> {
        let pkce = Pkce::new()?;
        let headers = format!("Cookie: {cookies}\r\n");
        let authorize = request("GET", &self.authorize_path(&pkce.challenge), self.port, &headers, None);
        let answer = http.send(&authorize).await?;
        let location = answer.header("location").unwrap_or_default();
        let code = location.strip_prefix(REDIRECT_URI).and_then(|rest| rest.split_once("code="));
        let Some((_, code)) = code else { bail!("no code: {} {location} {}", answer.status, answer.text()) };
        let code = code.split('&').next().unwrap_or_default();
        let body = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}&code_verifier={}&resource={}",
            encode(REDIRECT_URI),
            pkce.verifier,
            encode(&self.resource)
        );
        let redeem = request("POST", "/oauth2/token", self.port, &self.client.header(), Some(&body));
        let answer = http.send(&redeem).await?;
        if answer.status != 200 {
            bail!("the code was not redeemed: {} {}", answer.status, answer.text());
        }
        Ok(answer)
    }

    /// Logs a person in through the pages, consents if asked, and returns the `Cookie` header of the session.
    pub async fn log_in(&self, http: &mut Client, username: &str, password: &str) -> Result<String> {
        let mut jar = Jar::default();
        let mut next = request("GET", &self.authorize_path(&Pkce::new()?.challenge), self.port, "", None);
        for _ in 0..12 {
            let answer = http.send(&next).await?;
            jar.keep(&answer);
            let headers = format!("Cookie: {}\r\nSec-Fetch-Site: same-origin\r\n", jar.header());
            if (301..=308).contains(&answer.status) {
                let location = answer.header("location").context("a redirect to nowhere")?;
                if location.starts_with(REDIRECT_URI) {
                    return if location.contains("code=") { Ok(jar.header()) } else { bail!("refused: {location}") };
                }
                let path = location.strip_prefix(&format!("http://127.0.0.1:{}", self.port)).unwrap_or(location);
                next = request("GET", path, self.port, &headers, None);
            } else if let Some(location) = goes_on_to(answer.text()) {
                return if location.contains("code=") { Ok(jar.header()) } else { bail!("refused: {location}") };
            } else {
                let (action, body) = fill_in(answer.text(), username, password)
                    .with_context(|| format!("{} and no form to fill in: {}", answer.status, answer.text()))?;
                next = request("POST", &action, self.port, &headers, Some(&body));
            }
        }
        bail!("twelve steps and not logged in")
    }
}

/// The cookies of one browser; paths and expiry do not matter to the few that there are.
#[derive(Default)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn keep(&mut self, answer: &Answer<'_>) {
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            self.0.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn header(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// The login or consent form of a page, filled in: where it goes and what it says.
fn fill_in(page: &str, username: &str, password: &str) -> Option<(String, String)> {
    let forms = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default());
    let form =
        forms.into_iter().find(|form| form.contains("name=\"password\"") || form.contains("name=\"decision\""))?;
    let action = attribute(form.split('>').next()?, "action")?.to_owned();
    let mut body = String::new();
    for input in form.split("<input").skip(1).filter_map(|rest| rest.split('>').next()) {
        let Some(name) = attribute(input, "name") else { continue };
        let value = match name {
            "username" => username,
            "password" => password,
            _ => attribute(input, "value").unwrap_or_default(),
        };
        body += &format!("{name}={}&", encode(value));
    }
    if form.contains("name=\"decision\"") {
        body += "decision=approve";
    }
    Some((action, body.trim_end_matches('&').to_owned()))
}

/// Where a page goes on to by itself, which is how the server answers a form that leads to the app.
fn goes_on_to(page: &str) -> Option<String> {
    let meta = page.split("<meta").find(|tag| tag.contains("http-equiv=\"refresh\""))?;
    Some(attribute(meta, "content")?.strip_prefix("0;url=")?.replace("&#38;", "&").replace("&amp;", "&"))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let end = tag[start..].find('"')?;
    Some(&tag[start..start + end])
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
