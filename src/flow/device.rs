//! How a device's request (RFC 8628) is found by the code that a person typed, and how it ends.

use serde::{Deserialize, Serialize};

use super::OneForm;
use super::complete::{family_seconds, hold_session, remember};
use super::device_proof::shown_device;
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::config::Rate;
use crate::domain::{Client, DeviceCode, Grant, GrantOrigin, GrantStage, GrantType, Renewal, ThrottleKind, UserCode};
use crate::fault::{Fault, Problem};
use crate::identity::CurrentSession;
use crate::storage::throttles::Counter;
use crate::storage::{Refusal, StorageError, Tx, device_codes, grants, throttles};
use crate::support::{Id, Seconds, host};

/// What a person decided on a device's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceDecision {
    Allowed,
    Refused,
}

/// What came of a code that was typed.
#[derive(Debug)]
pub enum DeviceEntry {
    Found(Box<DeviceCode>),
    /// There is none, or it was answered, or it has expired: whoever guesses does not learn which.
    Wrong,
    /// Too many were wrong before.
    TooMany {
        seconds: u64,
    },
}

/// The hashes under which a user code may be stored; a new one is under the first.
pub fn user_code_marks(app: &App, code: &UserCode) -> Vec<Vec<u8>> {
    app.keys.sealer().marks("user code", code.letters().as_bytes())
}

/// Looks for the request of a code that a person typed: the one function that turns a user code into a request, so that
/// nothing can guess past the count. Each try counts, for the person and for the address, before it is
/// evaluated and over all nodes (RFC 8628 §5.1); a right one counts for nothing.
pub async fn enter_user_code(
    app: &App,
    info: RequestInfo,
    session: &CurrentSession,
    code: &UserCode,
) -> Result<DeviceEntry, Fault> {
    let (writer, marks, user_id, now) = (app.clone(), user_code_marks(app, code), session.user.id, app.now());
    let counters = counters(info, user_id);
    let rate = app.config.limits.user_code_failures;
    let entry = app
        .db
        .write("device.enter", move |tx| -> Result<_, Refusal<StorageError>> {
            let refused = |reason| {
                Event::failure(EventKind::UserCodeRefused)
                    .reason(reason)
                    .subject(user_id)
                    .request(info.address, info.id)
            };
            if rate.is_on()
                && let Some(full) = full(tx, &counters, rate, now)?
            {
                if full.just_now {
                    refused("too_many").record(tx, &writer.clock)?;
                }
                let seconds = u64::try_from(full.until - now).unwrap_or(0).max(1);
                return Ok(DeviceEntry::TooMany { seconds });
            }
            match device_codes::find_by_user_code(tx.reader(), &marks)?.filter(|found| found.is_open(now)) {
                Some(found) => Ok(DeviceEntry::Found(Box::new(found))),
                None => {
                    if rate.is_on() {
                        fail(tx, &counters, rate, now)?;
                    }
                    refused("wrong_code").record(tx, &writer.clock)?;
                    Ok(DeviceEntry::Wrong)
                }
            }
        })
        .await?;
    let outcome = match entry {
        DeviceEntry::Found(_) => "found",
        DeviceEntry::Wrong => "wrong",
        DeviceEntry::TooMany { .. } => "too_many",
    };
    metrics::counter!("latchway_device_user_codes_total", "outcome" => outcome).increment(1);
    Ok(entry)
}

/// A limit that failures have filled.
struct Full {
    until: Seconds,
    /// This try is the first that meets it.
    just_now: bool,
}

/// In this order always, so that no two wait for each other.
fn counters(info: RequestInfo, user_id: Id) -> [Counter; 2] {
    let (address, person) = (host(info.address).to_string(), user_id.to_string());
    [
        Counter::new(ThrottleKind::UserCodeAddress, "", "", Some(&address)),
        Counter::new(ThrottleKind::UserCodePerson, &person, &person, None),
    ]
}

/// Whether one of the limits is full: then nothing is evaluated. Both counters are held until the transaction ends, so that
/// nobody else's try is evaluated beside this one.
fn full(tx: &mut Tx<'_>, counters: &[Counter], rate: Rate, now: Seconds) -> Result<Option<Full>, StorageError> {
    let allowed = i64::from(rate.count);
    let mut full: Option<Full> = None;
    for counter in counters {
        let mut attempts = throttles::hold(tx, counter)?;
        if let Some(until) = attempts.full_until(allowed, now) {
            let just_now = attempts.failures_at(now) == allowed;
            attempts.failures += i64::from(just_now);
            let (later, noted) = full.map_or((until, false), |full| (full.until.max(until), full.just_now));
            full = Some(Full { until: later, just_now: just_now || noted });
        }
        throttles::keep(tx, counter, &attempts, Some(allowed), now)?;
    }
    Ok(full)
}

/// The code was wrong.
fn fail(tx: &mut Tx<'_>, counters: &[Counter], rate: Rate, now: Seconds) -> Result<(), StorageError> {
    for counter in counters {
        let mut attempts = throttles::hold(tx, counter)?;
        attempts.fail(rate.seconds.into(), now);
        throttles::keep(tx, counter, &attempts, Some(rate.count.into()), now)?;
    }
    Ok(())
}

/// The request that was shown in this session under this code, whatever became of it, by the proof of that (see
/// [`super::proof_of_showing`]).
/// `None` if the proof is none: then the code may be a guess, and [`enter_user_code`] has to count it.
pub async fn find_shown(
    app: &App,
    session: &CurrentSession,
    code: &UserCode,
    proof: &str,
) -> Result<Option<DeviceCode>, Fault> {
    let Some(id) = shown_device(app, session, code, proof) else { return Ok(None) };
    let found = app.db.read("device.find", move |conn| device_codes::find(conn, id)).await?;
    found.map(Some).ok_or_else(|| Fault::page(Problem::Expired, "the device's request is gone"))
}

fn answered() -> Fault {
    Fault::page(Problem::Answered, "the device's request was answered already, or has expired")
}

/// Allows a device what it asked for. One decision is taken, from however many tabs and nodes they come.
pub async fn allow_device(
    app: &App,
    info: RequestInfo,
    client: &Client,
    device: &DeviceCode,
    session: &CurrentSession,
    form: OneForm<'_>,
) -> Result<DeviceDecision, Fault> {
    let now = app.now();
    let sealed = form.seal(app, None, &DeviceDecision::Allowed)?;
    let to_fetch = (device.expires_at - now).max(0);
    let grant = Grant {
        id: Id::new(&app.clock, &app.rng),
        client_id: client.client_id.clone(),
        user_id: session.user.id,
        session_id: Some(session.session.id),
        scope: device.scope.clone(),
        resources: device.resources.clone(),
        nonce: None,
        auth_time: session.session.auth_time,
        created_at: now,
        expires_at: now + family_seconds(app, client, to_fetch),
        used_at: now,
        renewal: if client.may_use(GrantType::RefreshToken) { Renewal::Refreshable } else { Renewal::Once },
        stage: GrantStage::Live,
        origin: GrantOrigin::Device,
    };
    let (id, remembered) = (device.id, device.consent_resources());
    let event = decision(EventKind::DeviceApproved, info, device, session);
    let (writer, version, current) = (app.clone(), client.version, session.clone());
    let outcome = app
        .db
        .write("device.approve", move |tx| -> Result<_, Refusal<Fault>> {
            hold_session(tx, &current, now)?;
            if tx.client_version(&grant.client_id).map_err(Fault::from)? != Some(version) {
                return Err(Fault::ClientChanged.into());
            }
            if !device_codes::approve(tx, id, grant.id, now).map_err(Fault::from)? {
                return Err(answered().into());
            }
            sealed.take(tx, now).map_err(Fault::from)?;
            grants::insert(tx, &grant).map_err(Fault::from)?;
            remember(&writer, tx, info, &grant, &remembered)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await;
    decided(app, outcome, &form, DeviceDecision::Allowed).await
}

/// Refuses a device what it asked for.
pub async fn refuse_device(
    app: &App,
    info: RequestInfo,
    device: &DeviceCode,
    session: &CurrentSession,
    form: OneForm<'_>,
) -> Result<DeviceDecision, Fault> {
    let (writer, id, now) = (app.clone(), device.id, app.now());
    let sealed = form.seal(app, None, &DeviceDecision::Refused)?;
    let event = decision(EventKind::DeviceDenied, info, device, session);
    let outcome = app
        .db
        .write("device.deny", move |tx| -> Result<_, Refusal<Fault>> {
            if !device_codes::deny(tx, id, now).map_err(Fault::from)? {
                return Err(answered().into());
            }
            sealed.take(tx, now).map_err(Fault::from)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await;
    decided(app, outcome, &form, DeviceDecision::Refused).await
}

/// What a decision led to, or the same decision in the same session that came first.
async fn decided(
    app: &App,
    outcome: Result<(), Fault>,
    form: &OneForm<'_>,
    decision: DeviceDecision,
) -> Result<DeviceDecision, Fault> {
    match outcome {
        Ok(()) => {
            let word = if decision == DeviceDecision::Allowed { "allowed" } else { "refused" };
            metrics::counter!("latchway_device_decisions_total", "decision" => word).increment(1);
            Ok(decision)
        }
        Err(Fault::Page(Problem::Answered, _)) => form.recall(app).await?.ok_or_else(answered),
        Err(fault) => Err(fault),
    }
}

fn decision(kind: EventKind, info: RequestInfo, device: &DeviceCode, session: &CurrentSession) -> Event {
    Event::success(kind)
        .client(&device.client_id)
        .subject(session.user.id)
        .request(info.address, info.id)
        .detail(serde_json::json!({"device": device.id, "asked_from": device.address}))
}
