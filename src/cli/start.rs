//! What is looked at before a server answers its first request: whose database it is, whether the clock can be believed,
//! and whether the keys can be opened. A node that cannot know the time makes nothing, and says 503 until it can.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::bail;

use super::context::usage;
use crate::app::{App, Mode, PATIENCE, Readiness};
use crate::config::Config;
use crate::domain::Algorithm;
use crate::jobs::{Doubt, Pins, accept_clock, doubt_clock, pin};
use crate::keys::{self, AUDIT_KEY, IfGone, KeyRing, Sealer};
use crate::storage::{Db, settings};
use crate::support::{Clock, Rng};

/// A clock that is further ahead of what the database tells than this removes nothing for an hour, in milliseconds.
const DAY_MILLIS: i64 = 86_400_000;

/// Whether the person who starts the server vouches for the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    Yes,
    No,
}

/// Refuses a database that belongs to another issuer or another encryption key, and takes one that belongs to nobody.
/// Developers' mode has the issuer of its port and binds nothing.
pub async fn check_pins(db: &Db, config: &Config, mode: Mode, sealer: &Sealer) -> anyhow::Result<()> {
    let pins = Pins::new(&config.server.issuer, sealer);
    match pin(db, &pins, mode == Mode::Production).await? {
        Some(mismatch) => Err(usage(mismatch.to_string())),
        None => Ok(()),
    }
}

/// What is known of this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockState {
    pub doubt: Option<Doubt>,
    /// There was one, and somebody knows better.
    is_overruled: bool,
}

/// What speaks against this machine's clock. A developer's machine sleeps and travels: there it is believed.
pub async fn check_clock(db: &Db, clock: &Clock, mode: Mode, vouched: Vouched) -> anyhow::Result<ClockState> {
    let doubt = doubt_clock(db, clock).await?;
    let is_vouched_for = vouched == Vouched::Yes || mode == Mode::Dev;
    Ok(match doubt {
        Some(doubt @ (Doubt::Past { .. } | Doubt::Ahead { .. })) if is_vouched_for => {
            tracing::warn!(%doubt, "this machine's clock is taken for right from now on");
            ClockState { doubt: None, is_overruled: true }
        }
        // A server may have been off for a day.
        Some(Doubt::Ahead { millis }) if millis <= DAY_MILLIS => ClockState { doubt: None, is_overruled: false },
        doubt => ClockState { doubt, is_overruled: false },
    })
}

/// The audit trail's key and the signing keys. By a clock that is in doubt nothing is made.
pub async fn open_keys(
    db: &Db,
    sealer: Arc<Sealer>,
    (clock, rng): (&Clock, &Rng),
    state: ClockState,
) -> anyhow::Result<KeyRing> {
    let ClockState { doubt, is_overruled } = state;
    let is_wrong = matches!(doubt, Some(Doubt::Skewed { .. } | Doubt::Past { .. }));
    let stored = if is_wrong {
        let (audit_key, stored) = db
            .read("keys.list", |conn| Ok((settings::get(conn, AUDIT_KEY)?, crate::storage::keys::list(conn)?)))
            .await?;
        if let Some(doubt) = doubt.filter(|_| audit_key.is_none() || stored.is_empty()) {
            bail!("the database has no keys yet, and none are made by a wrong clock: {doubt}; set the clock first");
        }
        keys::unlock_audit(db, &sealer, clock, rng, IfGone::Refuse).await?;
        stored
    } else {
        keys::unlock_audit(db, &sealer, clock, rng, IfGone::BeginAnew).await?;
        if is_overruled {
            accept_clock(db, clock).await?;
            keys::activate_pending(db, clock.now()).await?;
        }
        // One key for each algorithm that a client can register for its ID tokens.
        keys::ensure(db, &sealer, rng, Algorithm::ALL, clock.now()).await?
    };
    Ok(KeyRing::new(&stored, sealer, clock.clone())?)
}

/// What was found about the clock, for all who ask the running server.
pub fn note(app: &App, doubt: Option<Doubt>) {
    let Readiness { clock_skewed, clock_past, patient_until, .. } = &app.readiness;
    match doubt {
        None => {}
        Some(doubt @ Doubt::Skewed { .. }) => {
            clock_skewed.store(true, Ordering::Relaxed);
            tracing::error!(%doubt, "no requests are taken until the clocks agree");
        }
        Some(doubt @ Doubt::Past { .. }) => {
            clock_past.store(true, Ordering::Relaxed);
            tracing::error!(
                %doubt,
                "no requests are taken until it is that time; if this machine's clock is right, and the one before was \
                 wrong, start with --yes-the-clock-is-right"
            );
        }
        Some(doubt @ Doubt::Ahead { .. }) => {
            let _ = patient_until.set(Instant::now() + PATIENCE);
            tracing::warn!(%doubt, "nothing is thrown away for an hour");
        }
    }
}
