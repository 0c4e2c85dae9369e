//! Whether an API key counts now, from its row and its owner: the one place that decides it.

use std::net::IpAddr;

use serde_json::json;

use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::defense::{Counted, Exceeded, Proof};
use crate::domain::{ApiKey, ApiKeyStage, KeyOwner, NOT_FOR_KEYS, Role, Scopes};
use crate::fault::Fault;
use crate::storage::api_keys::{self, FamilyStanding, KeyState, Standing};
use crate::support::{ApiKeyText, Id, Seconds};

/// A key that counts, with what it may do at this moment.
#[derive(Debug, Clone)]
pub struct LiveKey {
    pub key: ApiKey,
    /// The key's own, as far as its owner still has them.
    pub scope: Scopes,
    /// The APIs that it is for; never empty.
    pub audience: Vec<String>,
    /// Of a person's key: their user name and role.
    pub person: Option<(String, Role)>,
}

impl LiveKey {
    /// Whom the key stands for, as the `sub` of a token would say it (RFC 9068 §2.2).
    pub fn subject(&self) -> String {
        match &self.key.owner {
            KeyOwner::Client(client_id) => client_id.clone(),
            KeyOwner::Person(user_id) => user_id.to_string(),
        }
    }

    /// The client that owns it, if one does.
    pub fn client_id(&self) -> Option<&str> {
        match &self.key.owner {
            KeyOwner::Client(client_id) => Some(client_id),
            KeyOwner::Person(_) => None,
        }
    }
}

/// Why a key does not count. For the log and the trail; whoever presents it is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// The text is no key.
    NoKey,
    Unknown,
    /// The id of a key with another secret.
    WrongSecret,
    /// The secret of before the last rotation, after the time for which it was taken. It is no guess.
    Replaced,
    Revoked,
    Expired,
    /// The owner is gone, disabled, or has changed the password.
    Owner,
    /// What a person allowed the app that made it has ended.
    Family,
    /// The owner has nothing any more of what the key was for.
    NothingLeft,
    /// It came from outside the networks that it may be used from, or from nobody knows where.
    Network,
}

impl Dead {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoKey => "no API key of ours",
            Self::Unknown => "an unknown API key",
            Self::WrongSecret => "an API key with another secret",
            Self::Replaced => "an API key with a secret that was replaced",
            Self::Revoked => "a revoked API key",
            Self::Expired => "an expired API key",
            Self::Owner => "an API key whose owner is not active",
            Self::Family => "an API key made by an app whose permission has ended",
            Self::NothingLeft => "an API key whose owner has none of its scopes or APIs any more",
            Self::Network => "an API key from outside its networks",
        }
    }
}

/// Why a key is not let through.
#[derive(Debug)]
pub enum Refused {
    Dead(Dead),
    /// It was used, or guessed at, too often.
    TooOften(Exceeded),
    /// Whether it counts could not be found out.
    Fault(Fault),
}

/// Whether a key counts at this moment, wherever it came from. `state` is what was read by the id of `text`.
pub fn judge(text: &ApiKeyText, state: Option<KeyState>, issuer: &str, now: Seconds) -> Result<LiveKey, Dead> {
    let Some(KeyState { key, standing, family }) = state else {
        // As much work as for a key that exists.
        let _ = text.matches(&[0; 32]);
        return Err(Dead::Unknown);
    };
    if !text.matches(&key.secret_hash) {
        match key.previous.as_ref().filter(|(hash, _)| text.matches(hash)) {
            Some((_, until)) if *until > now => {}
            Some(_) => return Err(Dead::Replaced),
            None => return Err(Dead::WrongSecret),
        }
    }
    if key.stage != ApiKeyStage::Live {
        return Err(Dead::Revoked);
    }
    if key.is_expired(now) {
        return Err(Dead::Expired);
    }
    let (scope, audience, person) = match standing {
        None => return Err(Dead::Owner),
        Some(Standing::Client { scope, audiences }) => {
            let kept = |api: &&String| audiences.contains(*api) || api.as_str() == issuer;
            let audience: Vec<String> = key.audience.iter().filter(kept).cloned().collect();
            (key.scope.intersection(&scope), audience, None)
        }
        // A password change ends all that was given before it.
        Some(Standing::Person { password_changed_at, .. }) if key.created_at < password_changed_at => {
            return Err(Dead::Owner);
        }
        Some(Standing::Person { username, role, registered, .. }) => {
            let audience = match family {
                FamilyStanding::NeverHadOne => key.audience.clone(),
                FamilyStanding::Stands(audiences) => {
                    key.audience.iter().filter(|api| audiences.contains(*api)).cloned().collect()
                }
                FamilyStanding::Ended => return Err(Dead::Family),
            };
            (key.scope.intersection(&registered), audience, Some((username, role)))
        }
    };
    let scope = NOT_FOR_KEYS.iter().fold(scope, |scope, never| scope.without(never));
    if scope.is_empty() || audience.is_empty() != key.audience.is_empty() {
        return Err(Dead::NothingLeft);
    }
    let audience = if audience.is_empty() { vec![issuer.to_owned()] } else { audience };
    Ok(LiveKey { key, scope, audience, person })
}

/// Lets a key through that counts, if it comes from where it may and not too often, and notes the use. `address` is where
/// the program is, if that is known: a key that is bound to networks is refused where it is not.
pub fn admit(app: &App, live: &LiveKey, address: Option<IpAddr>) -> Result<(), Refused> {
    let foreseen = match address {
        Some(address) => live.key.is_allowed_from(address),
        None => live.key.networks.is_empty(),
    };
    if !foreseen {
        return Err(Refused::Dead(Dead::Network));
    }
    if let Some(rate) = live.key.rate_limit {
        app.limiter.key(&live.key.id.to_string(), rate).map_err(Refused::TooOften)?;
    }
    app.key_uses.note(live.key.id, app.now(), address);
    Ok(())
}

/// Whether a program that presents this key may go on, and as whom. No memory is asked: a key that was revoked a moment
/// ago, on whichever node, is refused.
pub async fn verify(app: &App, info: RequestInfo, text: &str) -> Result<LiveKey, Refused> {
    let outcome = match ApiKeyText::parse(text) {
        Ok(text) => prove(app, info, &text).await,
        Err(_) => Err(Refused::Dead(Dead::NoKey)),
    };
    let word = match &outcome {
        Ok(_) => "accepted",
        Err(Refused::Dead(_)) => "refused",
        Err(Refused::TooOften(_)) => "limited",
        Err(Refused::Fault(_)) => "unknown",
    };
    metrics::counter!("latchway_api_key_uses_total", "outcome" => word).increment(1);
    outcome
}

async fn prove(app: &App, info: RequestInfo, text: &ApiKeyText) -> Result<LiveKey, Refused> {
    let (id, now) = (text.id(), app.now());
    app.limiter.may_prove(Proof::ApiKey(&id.to_string()), info.address, now).map_err(Refused::TooOften)?;
    let state = app.db.read("api_key.state", move |conn| api_keys::state(conn, id, now)).await;
    let state = state.map_err(|error| Refused::Fault(error.into()))?;
    let owner = state.as_ref().map(|state| state.key.owner.clone());
    match judge(text, state, app.issuer(), now) {
        Ok(live) => match admit(app, &live, Some(info.address)) {
            Ok(()) => Ok(live),
            Err(Refused::Dead(why)) => Err(refuse(app, info, id, owner, why).await),
            Err(other) => Err(other),
        },
        Err(why) => Err(refuse(app, info, id, owner, why).await),
    }
}

/// Counts guesses, and tells the trail of what was refused.
async fn refuse(app: &App, info: RequestInfo, id: Id, owner: Option<KeyOwner>, why: Dead) -> Refused {
    let (key_id, now) = (id.to_string(), app.now());
    let proof = match why {
        Dead::WrongSecret => Proof::ApiKey(&key_id),
        Dead::Unknown => Proof::UnknownApiKey,
        _ => {
            report(app, info, id, owner, why).await;
            return Refused::Dead(why);
        }
    };
    if let Err(exceeded) = app.limiter.may_prove(proof, info.address, now) {
        return Refused::TooOften(exceeded);
    }
    match app.limiter.failed(&app.db, proof, info.address, now, |_| Ok(())).await {
        Ok(Counted::Within) => {
            report(app, info, id, owner, why).await;
            Refused::Dead(why)
        }
        Ok(Counted::Beyond(exceeded)) => Refused::TooOften(exceeded),
        Err(error) => Refused::Fault(error.into()),
    }
}

/// Tells the trail of a key that was known and refused: once a minute for each key and reason, or a program that goes on
/// and on would fill it. What strangers make up is in the metrics alone.
pub async fn report(app: &App, info: RequestInfo, id: Id, owner: Option<KeyOwner>, why: Dead) {
    let Some(owner) = owner else { return };
    if !app.key_refusals.entry((id, why.as_str())).or_insert(()).is_fresh() {
        return;
    }
    let event = Event::failure(EventKind::ApiKeyRefused)
        .reason(why.as_str())
        .request(info.address, info.id)
        .detail(json!({"api_key": id.to_string(), "why": why.as_str()}));
    let event = match owner {
        KeyOwner::Client(client_id) => event.client(&client_id),
        KeyOwner::Person(user_id) => event.subject(user_id),
    };
    event.record_alone(&app.trail).await;
}
