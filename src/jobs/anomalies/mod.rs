//! Watches the audit trail for what looks like an attack.
//!
//! One node does it for all, by a lease: it reads what every node and the command line wrote, about a second late. What the
//! engine knows is in memory; a node that takes over reads the last hour again, and what was told of it is not told twice.

mod learned;
mod observe;
mod react;
mod record;
mod tail;
mod webhook;

use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use crate::app::App;
use crate::defense::anomaly::{Engine, Finding};
use crate::storage::lease::{self, Asked, Lease};
use crate::storage::{Refusal, StorageError};
use crate::support::{Id, Seconds};

use observe::Told;
use tail::Tail;
use webhook::Webhook;

const LEASE: &str = "lease.anomalies";
const PAUSE: Duration = Duration::from_secs(1);
/// The lease is renewed that often, in seconds; it holds for ten.
const RENEW: Seconds = 3;
/// What a node that takes over reads again, in seconds.
const WARM_UP: Seconds = 3_600;
/// What takes days to learn is kept that often, in seconds.
const KEEP: Seconds = 600;
/// What was found later than that is recorded and not reacted to, in seconds.
const LATE: Seconds = 300;

/// Starts watching on the calling thread's runtime, if that is wanted.
pub fn start(app: &App) -> Option<JoinHandle<()>> {
    let settings = &app.config.anomalies;
    if !settings.enabled {
        return None;
    }
    super::job_metrics::begun("anomalies", PAUSE, app.now());
    let webhook = Webhook::start(app);
    let mut watch = Watch { app: app.clone(), owner: Id::new(&app.clock, &app.rng), duty: Duty::Off, webhook };
    Some(actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(PAUSE).await;
            match watch.look().await {
                Ok(()) => super::job_metrics::succeeded("anomalies", watch.app.now()),
                Err(error) => tracing::error!(job = "anomalies", %error, "a job failed; it will be tried again"),
            }
        }
    }))
}

struct Watch {
    app: App,
    owner: Id,
    duty: Duty,
    webhook: Option<Webhook>,
}

/// Whether it is this node that watches.
enum Duty {
    Off,
    On(Box<Shift>),
}

struct Shift {
    engine: Engine,
    tail: Tail,
    kept_at: Seconds,
    lease: Option<(Lease, Seconds)>,
}

impl Watch {
    async fn look(&mut self) -> Result<(), StorageError> {
        if !self.is_on_duty().await? {
            return Ok(());
        }
        let Duty::On(shift) = &mut self.duty else { return Ok(()) };
        let mut found = Vec::new();
        for event in shift.tail.read(&self.app).await? {
            found.extend(shift.take(&event));
        }
        let now = self.app.now();
        if now - shift.kept_at >= KEEP {
            shift.kept_at = now;
            learned::keep(&self.app, &shift.engine).await?;
        }
        self.tell(found).await
    }

    /// The one server of a SQLite database need ask nobody.
    async fn is_on_duty(&mut self) -> Result<bool, StorageError> {
        let now = self.app.now();
        if self.app.server_lock.is_some() {
            if matches!(self.duty, Duty::Off) {
                self.begin(None).await?;
            }
            return Ok(true);
        }
        match &mut self.duty {
            Duty::On(shift) => match &shift.lease {
                Some((_, renewed)) if now - renewed < RENEW => Ok(true),
                Some((lease, _)) => {
                    let kept = renew(&self.app, lease.clone(), now).await?;
                    let is_kept = kept.is_some();
                    shift.lease = kept.map(|lease| (lease, now));
                    if !is_kept {
                        self.duty = Duty::Off;
                    }
                    Ok(is_kept)
                }
                None => {
                    self.duty = Duty::Off;
                    Ok(false)
                }
            },
            Duty::Off => match ask(&self.app, self.owner, now).await? {
                Asked::Granted(lease) => {
                    self.begin(Some((lease, now))).await?;
                    Ok(true)
                }
                Asked::Taken { .. } => Ok(false),
            },
        }
    }

    /// Reads the last hour again. What was found in it is told, unless it was.
    async fn begin(&mut self, lease: Option<(Lease, Seconds)>) -> Result<(), StorageError> {
        let app = self.app.clone();
        let tail = Tail::since(&app, app.now() - WARM_UP).await?;
        let mut engine = Engine::new(&app.config.anomalies);
        learned::recall(&app, &mut engine).await?;
        let mut shift = Shift { engine, tail, kept_at: app.now(), lease };
        let (mut found, mut told) = (Vec::new(), Vec::new());
        for event in shift.tail.read(&app).await? {
            told.extend(observe::told(&event));
            found.extend(shift.take(&event));
        }
        let was_told = |finding: &Finding| told.iter().any(|told: &Told| told.covers(finding));
        found.retain(|finding| !was_told(finding));
        self.duty = Duty::On(Box::new(shift));
        tracing::info!(found = found.len(), "this node watches for anomalies");
        self.tell(found).await
    }

    async fn tell(&self, found: Vec<Finding>) -> Result<(), StorageError> {
        for finding in found {
            let is_late = self.app.now() - finding.at > LATE;
            let reactions = if is_late { &[] } else { react::wanted(&self.app.config.anomalies, finding.rule) };
            record::finding(&self.app, &finding).await?;
            react::carry_out(&self.app, &finding, reactions).await?;
            if let Some(webhook) = &self.webhook {
                webhook.send(&self.app, &finding, reactions);
            }
        }
        Ok(())
    }
}

impl Shift {
    fn take(&mut self, event: &crate::storage::audit_events::SeenEvent) -> Vec<Finding> {
        if let Some(told) = observe::told(event) {
            self.engine.was_told(told.rule, told.subject, told.at, told.since);
        }
        observe::observation(event).map_or_else(Vec::new, |seen| self.engine.observe(&seen))
    }
}

async fn ask(app: &App, owner: Id, now: Seconds) -> Result<Asked, StorageError> {
    let work = move |tx: &mut crate::storage::Tx<'_>| -> Result<_, Refusal<StorageError>> {
        Ok(lease::ask(tx, LEASE, owner, now)?)
    };
    app.db.write("anomalies.lease", work).await
}

async fn renew(app: &App, lease: Lease, now: Seconds) -> Result<Option<Lease>, StorageError> {
    let work =
        move |tx: &mut crate::storage::Tx<'_>| -> Result<_, Refusal<StorageError>> { Ok(lease.renewed(tx, now)?) };
    app.db.write("anomalies.lease", work).await
}
