//! What the clients were told: every answer that was given, and what is unknown because none came.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::world::App;

/// What is known of a family or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was acknowledged, and nothing was done to end it.
    Live,
    /// Something happened that may or may not have ended it.
    Doubtful,
    /// Its end was acknowledged.
    Dead,
}

/// All that comes of one code.
#[derive(Clone, Debug)]
pub struct Family {
    pub state: State,
    /// Why it is not live.
    pub why: &'static str,
}

/// An access token that came with a 200.
#[derive(Clone, Debug)]
pub struct Access {
    pub text: String,
    pub jti: String,
    pub app: App,
    pub family: Option<usize>,
    pub state: State,
}

/// A refresh token that came with a 200.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub text: String,
    /// The id of its row.
    pub id: String,
    pub app: App,
    pub family: usize,
    /// `Dead`: an acknowledged refresh used it.
    pub state: State,
}

/// A code that came by an acknowledged redirect.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Redemptions that were answered 200.
    pub successes: u32,
    /// A right replay after a success was answered.
    pub replayed: bool,
    pub family: Option<usize>,
}

/// How often an audit event must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Once,
    AtMostOnce,
}

/// All of it.
#[derive(Default)]
pub struct Book {
    pub families: Vec<Family>,
    pub access: Vec<Access>,
    pub refresh: Vec<Refresh>,
    refresh_places: HashMap<String, usize>,
    /// By the id of the row.
    pub codes: HashMap<String, Code>,
    /// Apps that are disabled or deleted, acknowledged.
    pub disabled_apps: HashSet<String>,
    /// Request id and kind of event.
    pub events: Vec<(String, &'static str, Times)>,
    /// Assertions by jti: how often they were taken.
    pub assertions: HashMap<String, u32>,
    pub secrets: HashSet<String>,
    /// How many answers of which status came to what.
    pub answers: BTreeMap<(&'static str, u16), u64>,
    pub lost: u64,
    /// Answers that no server may give, with the invariant or rule that they break.
    pub complaints: Vec<String>,
}

/// The book, shared by all actors.
#[derive(Default)]
pub struct Ledger(Mutex<Book>);

impl Ledger {
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that must be in no log and no metric.
    pub fn secret(&self, text: &str) {
        self.book().secrets.insert(text.to_owned());
    }

    pub fn complain(&self, what: String) {
        let mut book = self.book();
        if book.complaints.len() < 50 {
            book.complaints.push(what);
        }
    }

    pub fn event(&self, request_id: &str, kind: &'static str, times: Times) {
        self.book().events.push((request_id.to_owned(), kind, times));
    }

    /// A family whose tokens will follow.
    pub fn family(&self) -> usize {
        let mut book = self.book();
        book.families.push(Family { state: State::Live, why: "" });
        book.families.len() - 1
    }

    /// A family has ended, or may have.
    pub fn end_family(&self, family: usize, state: State, why: &'static str) {
        let mut book = self.book();
        let entry = &mut book.families[family];
        // What was acknowledged to be dead stays dead; doubt about it is none.
        if entry.state != State::Dead {
            entry.state = state;
            entry.why = why;
        }
    }

    /// Writes down the tokens of an answer. Returns the refresh token's place.
    pub fn tokens(&self, app: &App, family: Option<usize>, access: &str, refresh: Option<&str>) -> Option<usize> {
        let mut book = self.book();
        book.secrets.insert(access.to_owned());
        let jti = jti_of(access).unwrap_or_default();
        book.access.push(Access { text: access.to_owned(), jti, app: app.clone(), family, state: State::Live });
        let (text, family) = (refresh?, family?);
        book.secrets.insert(text.to_owned());
        // A retried refresh brings the same successor again.
        if let Some(known) = book.refresh_places.get(text) {
            return Some(*known);
        }
        let id = text.strip_prefix("lwrt_").and_then(handle_id).unwrap_or_default();
        book.refresh.push(Refresh { text: text.to_owned(), id, app: app.clone(), family, state: State::Live });
        let place = book.refresh.len() - 1;
        book.refresh_places.insert(text.to_owned(), place);
        Some(place)
    }

    /// What became of a refresh token.
    pub fn refresh_is(&self, place: usize, state: State) {
        self.book().refresh[place].state = state;
    }

    /// Lines that tell what was answered.
    pub fn summary(&self) -> String {
        let book = self.book();
        let answers: Vec<String> =
            book.answers.iter().map(|((what, status), count)| format!("{what} {status} x{count}")).collect();
        format!("{}, {} unanswered", answers.join(", "), book.lost)
    }
}

impl Book {
    /// Whether this access token must count, must not, or may.
    pub fn access_state(&self, token: &Access) -> State {
        let family = token.family.map_or(State::Live, |family| self.families[family].state);
        if token.state == State::Dead || family == State::Dead || self.disabled_apps.contains(&token.app.id) {
            State::Dead
        } else if token.state == State::Doubtful || family == State::Doubtful {
            State::Doubtful
        } else {
            State::Live
        }
    }

    /// The same for a refresh token.
    pub fn refresh_state(&self, token: &Refresh) -> State {
        let family = self.families[token.family].state;
        if token.state == State::Dead || family == State::Dead || self.disabled_apps.contains(&token.app.id) {
            State::Dead
        } else if token.state == State::Doubtful || family == State::Doubtful {
            State::Doubtful
        } else {
            State::Live
        }
    }
}

/// The claim `jti` of a token of the server, as the hexadecimal digits of its row's key.
pub fn jti_of(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims["jti"].as_str()?.replace('-', ""))
}

/// The id of the row that a code or refresh token leads to, as hexadecimal digits (`support/secret.rs` in the server).
pub fn handle_id(text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 48)?;
    let mask = digest(&SHA256, &[b"latchway handle mask v1:".as_slice(), &bytes[16..]].concat());
    Some(bytes.iter().take(16).zip(mask.as_ref()).map(|(byte, mask)| format!("{:02x}", byte ^ mask)).collect())
}
