//! What all servers of one database must have in common, and what they should.
//!
//! The issuer and the encryption key are pinned in the database: tokens of one issuer are none of another, and a node with
//! another key opens nothing. Every other setting can change by a restart of one node after the other, so that it differs
//! for a while; each node tells what it runs with, and says where others differ.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::config::shared;
use crate::keys::Sealer;
use crate::storage::nodes::{self, ENCRYPTION_KEY_PIN, ISSUER_PIN, Node};
use crate::storage::{Conn, Db, Refusal, StorageError, settings};
use crate::support::{Clock, Id, Seconds};

/// A node that was not heard of for so long does not run any more.
const SILENCE: Seconds = 60;
/// And is forgotten after so long.
const FORGET: Seconds = 3600;

/// What is pinned.
#[derive(Debug, Clone)]
pub struct Pins {
    issuer: String,
    /// Fingerprints of the encryption key and of the one before it.
    keys: Vec<String>,
}

/// This configuration is not the one that the database belongs to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error(
        "[server] issuer is {ours}, and this database belongs to {pinned}: tokens of one would be none at the other. Set \
         the issuer that all nodes have, or move all of them with `latchway config change-issuer`"
    )]
    Issuer { ours: String, pinned: String },
    #[error(
        "[keys] encryption_key (fingerprint {ours}) is another one than this database was sealed with (fingerprint \
         {pinned}); docs/reliability.md tells how to change it and what to do if it is lost"
    )]
    Key { ours: String, pinned: String },
}

impl Pins {
    pub fn new(issuer: &str, sealer: &Sealer) -> Self {
        Self { issuer: issuer.to_owned(), keys: sealer.fingerprints() }
    }

    fn check(&self, issuer: Option<&str>, key: Option<&str>) -> Option<Mismatch> {
        if let Some(pinned) = key.filter(|pinned| !self.keys.iter().any(|ours| ours == pinned)) {
            let ours = self.keys.first().cloned().unwrap_or_default();
            return Some(Mismatch::Key { ours, pinned: pinned.to_owned() });
        }
        let pinned = issuer.filter(|pinned| *pinned != self.issuer)?;
        Some(Mismatch::Issuer { ours: self.issuer.clone(), pinned: pinned.to_owned() })
    }
}

fn pinned(conn: &mut Conn) -> Result<(Option<String>, Option<String>), StorageError> {
    Ok((settings::get(conn, ISSUER_PIN)?, settings::get(conn, ENCRYPTION_KEY_PIN)?))
}

/// Compares with what is pinned, and pins what is not, if `is_binding`. Of two nodes that come at once with different
/// settings one pins, and the other is told.
pub async fn pin(db: &Db, pins: &Pins, is_binding: bool) -> Result<Option<Mismatch>, StorageError> {
    let (issuer, key) = db.read("pins", pinned).await?;
    let mismatch = pins.check(issuer.as_deref(), key.as_deref());
    if mismatch.is_some() || !is_binding || (issuer.is_some() && key.is_some()) {
        return Ok(mismatch);
    }
    let ours = pins.clone();
    let written = db.write("pins", move |tx| -> Result<_, Refusal<StorageError>> {
        settings::set_once(tx, ISSUER_PIN, &ours.issuer)?;
        settings::set_once(tx, ENCRYPTION_KEY_PIN, ours.keys.first().map_or("", String::as_str))?;
        Ok(pinned(tx.reader())?)
    });
    let (issuer, key) = written.await?;
    Ok(pins.check(issuer.as_deref(), key.as_deref()))
}

/// Gives the database to another issuer. The one before is returned.
pub async fn change_issuer(db: &Db, clock: &Clock, issuer: &str) -> Result<Option<String>, StorageError> {
    let (issuer, clock) = (issuer.to_owned(), clock.clone());
    db.write("pins.issuer", move |tx| -> Result<_, Refusal<StorageError>> {
        let before = settings::get(tx.reader(), ISSUER_PIN)?;
        settings::set(tx, ISSUER_PIN, &issuer)?;
        let detail = serde_json::json!({"from": before, "to": issuer});
        Event::success(EventKind::IssuerChanged).detail(detail).record(tx, &clock)?;
        Ok(before)
    })
    .await
}

/// How many servers were heard of within the last minute. SQLite's server is known by its lock.
pub async fn running(db: &Db, now: Seconds) -> Result<usize, StorageError> {
    db.read("nodes", move |conn| Ok(nodes::others(conn, None, now - SILENCE)?.len())).await
}

/// Tells what this node runs with, and looks at the others.
pub async fn tell(app: App) -> Result<(), String> {
    let said = |e: StorageError| e.to_string();
    let pins = Pins::new(app.issuer(), app.keys.sealer());
    let mismatch = pin(&app.db, &pins, false).await.map_err(said)?;
    let was = app.readiness.pins_differ.swap(mismatch.is_some(), Ordering::Relaxed);
    if let Some(mismatch) = mismatch.filter(|_| !was) {
        tracing::error!(%mismatch, "this node does not belong to its database any more: no requests are taken");
    }
    if !app.db.has_clock() {
        // SQLite is for one server.
        return Ok(());
    }
    static NODE: OnceLock<Node> = OnceLock::new();
    let (ours, now) = (shared(&app.config), app.now());
    let node = NODE.get_or_init(|| Node {
        id: Id::new(&app.clock, &app.rng).as_bytes().to_vec(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now,
        seen_at: now,
        settings: serde_json::to_string(&ours).unwrap_or_default(),
    });
    let node = Node { seen_at: now, ..node.clone() };
    let own = <[u8; 16]>::try_from(node.id.as_slice()).map_or_else(|_| Id::new(&app.clock, &app.rng), Id::from_bytes);
    let told = app.db.write("nodes", move |tx| -> Result<_, Refusal<StorageError>> {
        nodes::tell(tx, &node, now - FORGET)?;
        Ok(nodes::others(tx.reader(), Some(own), now - SILENCE)?)
    });
    report(&ours, &told.await.map_err(said)?);
    Ok(())
}

/// Says once what differs, and again when that changes.
fn report(ours: &BTreeMap<String, String>, others: &[Node]) {
    static LAST: Mutex<String> = Mutex::new(String::new());
    let mut differing = 0;
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for node in others {
        let theirs: BTreeMap<String, String> = serde_json::from_str(&node.settings).unwrap_or_default();
        let differences: Vec<_> = ours
            .iter()
            .filter_map(|(name, here)| theirs.get(name).filter(|there| *there != here).map(|there| (name, here, there)))
            .collect();
        differing += usize::from(!differences.is_empty());
        all.extend(
            differences.into_iter().map(|(name, here, there)| (name.clone(), format!("{here} here, {there} there"))),
        );
    }
    metrics::gauge!("latchway_nodes_with_other_settings").set(differing as f64);
    let text = all.iter().map(|(name, values)| format!("{name}: {values}")).collect::<Vec<_>>().join("; ");
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if *last != text {
        match text.is_empty() {
            false => tracing::warn!(nodes = differing, settings = text, "other nodes run with other settings"),
            true => tracing::info!("all nodes run with the same settings again"),
        }
        *last = text;
    }
}
