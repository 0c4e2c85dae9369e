//! Every way in which a client proves itself, once, for every endpoint (RFC 6749 §2.3, OIDC Core §9).

mod assertion;
mod credentials;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::defense::{Counted, Proof};
use crate::domain::{AuthMethod, Client, MethodCheck};
use crate::fault::Fault;
use crate::issuing::client::{fresh, recent};
use crate::protocol::{AuthChallenge, OAuthError, Params, endpoints};
use crate::request::{self, Caller};
use crate::storage::Tx;
use crate::support::constant_time_eq;
use crate::support::sha256;

use assertion::{Expected, Flaw};
use credentials::{Credentials, Presented};

/// Whether a client's copy from a moment ago will do. Whoever says so confirms its version where it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Recent,
    Now,
}

/// Why the proof failed. From outside all look the same but [`Failure::OtherMethod`], which only the right secret meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Unknown,
    WrongSecret,
    /// The secret of before the last rotation, after the time for which it was taken.
    ReplacedSecret,
    Assertion(Flaw),
    /// It came by a method that cannot be this client's.
    NotItsMethod,
    /// The right secret, by the other method than the one that the client is held to.
    OtherMethod(AuthMethod),
}

impl Failure {
    /// For the audit trail.
    fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_client",
            Self::WrongSecret => "wrong_credentials",
            Self::ReplacedSecret => "replaced_secret",
            Self::Assertion(flaw) => flaw.as_str(),
            Self::NotItsMethod | Self::OtherMethod(_) => "other_method",
        }
    }

    fn kind(self) -> EventKind {
        match self {
            Self::NotItsMethod | Self::OtherMethod(_) => EventKind::ClientAuthMethodMismatch,
            Self::Unknown | Self::WrongSecret | Self::ReplacedSecret | Self::Assertion(_) => {
                EventKind::ClientAuthFailed
            }
        }
    }

    /// Whether it may have been a guess at what only the client has. Nothing else is counted: a client that has no secret,
    /// or sent none, or sent what was its own, guesses nothing and must not be kept out for it.
    fn is_guess(self) -> bool {
        match self {
            Self::Unknown | Self::WrongSecret | Self::Assertion(Flaw::Signature) => true,
            Self::ReplacedSecret | Self::Assertion(_) | Self::NotItsMethod | Self::OtherMethod(_) => false,
        }
    }

    fn error(self, credentials: &Credentials) -> OAuthError {
        let mut error = OAuthError::invalid_client(format!("{} by {}", self.reason(), credentials.method()));
        error.challenge.clone_from(&credentials.challenge);
        if let Self::OtherMethod(registered) = self {
            error.description = format!(
                "the secret came by {}, and this client must send it by {registered}; change the app, or use \
                 latchway client update --auth-method-strict=false",
                credentials.method()
            )
            .into();
        }
        error
    }
}

/// A refusal after the authentication. RFC 6749 §5.2: a client that used the `Authorization` header gets a challenge of its
/// scheme.
pub fn refusal(headers: &HeaderMap, detail: &str) -> OAuthError {
    let error = OAuthError::invalid_client(detail);
    if headers.contains_key(AUTHORIZATION) { error.with_challenge(AuthChallenge::Basic) } else { error }
}

/// Finds out which client this is, by exactly one method: one that it may use.
pub async fn authenticate(
    app: &App,
    info: RequestInfo,
    headers: &HeaderMap,
    params: &Params,
    freshness: Freshness,
) -> Result<Arc<Client>, Fault> {
    let credentials = Credentials::read(headers, params)?;
    if !matches!(credentials.presented, Presented::Nothing) {
        let may_try = app.limiter.may_prove(Proof::Client(&credentials.client_id), info.address, app.now());
        may_try.map_err(request::too_many)?;
    }
    let mut outcome = match freshness {
        Freshness::Recent => prove(app, recent(app, &credentials.client_id).await?, &credentials),
        Freshness::Now => Err(Failure::Unknown),
    };
    if outcome.is_err() {
        // A refusal is never spoken from memory.
        outcome = prove(app, fresh(app, &credentials.client_id).await?, &credentials);
    }
    let proven = match outcome {
        Ok(client) => {
            let first = use_up(app, &client, &credentials).await?;
            first.then_some(client).ok_or(Failure::Assertion(Flaw::Replayed))
        }
        Err(failure) => Err(failure),
    };
    match proven {
        Ok(client) => {
            // Whoever names a public client need not be it.
            let public_at = client.is_public().then_some(info.address);
            request::note_client(Caller::Known(client.clone()));
            let within = app.limiter.client(info.route, &client.client_id, public_at, app.now());
            within.map_err(request::too_many)?;
            Ok(client)
        }
        Err(failure) => {
            request::note_client(Caller::Claimed(credentials.client_id.clone()));
            count(app, info, &credentials, failure).await?;
            Err(failure.error(&credentials).into())
        }
    }
}

fn prove(app: &App, client: Option<Arc<Client>>, credentials: &Credentials) -> Result<Arc<Client>, Failure> {
    let Some(client) = client else {
        // As much work as for a client that exists.
        if let Presented::Basic(secret) | Presented::Post(secret) = &credentials.presented {
            let _ = constant_time_eq(&sha256(secret.as_bytes()), &[0; 32]);
        }
        return Err(Failure::Unknown);
    };
    match (&credentials.presented, client.auth_method) {
        (Presented::Basic(secret) | Presented::Post(secret), registered) if client.has_secret() => {
            if !secret_is_right(&client, secret, app.now()) {
                return Err(if is_replaced(&client, secret) { Failure::ReplacedSecret } else { Failure::WrongSecret });
            }
            if client.method_check == MethodCheck::Strict && credentials.method() != registered.as_str() {
                return Err(Failure::OtherMethod(registered));
            }
        }
        (Presented::Assertion(token), AuthMethod::PrivateKeyJwt) => {
            let expected = Expected {
                issuer: app.issuer(),
                token_endpoint: &app.url(endpoints::TOKEN),
                now: app.now(),
                skew: app.config.tokens.clock_skew_seconds,
            };
            assertion::check(&client, token, &expected).map_err(Failure::Assertion)?;
        }
        (Presented::Nothing, AuthMethod::None) => {}
        _ => return Err(Failure::NotItsMethod),
    }
    Ok(client)
}

fn secret_is_right(client: &Client, secret: &str, now: crate::support::Seconds) -> bool {
    let presented = sha256(secret.as_bytes());
    let current = client.secret_hash.as_ref().is_some_and(|hash| constant_time_eq(&presented, hash));
    let previous =
        client.previous_secret.as_ref().is_some_and(|(hash, until)| constant_time_eq(&presented, hash) && *until > now);
    current | previous
}

/// Whether a wrong secret is the one of before the last rotation.
fn is_replaced(client: &Client, secret: &str) -> bool {
    let presented = sha256(secret.as_bytes());
    client.previous_secret.as_ref().is_some_and(|(hash, _)| constant_time_eq(&presented, hash))
}

/// RFC 7523 §3: an assertion is used once, on whichever node and at whichever endpoint.
async fn use_up(app: &App, client: &Client, credentials: &Credentials) -> Result<bool, Fault> {
    match &credentials.presented {
        Presented::Assertion(token) => {
            let skew = app.config.tokens.clock_skew_seconds;
            match assertion::single_use(token) {
                Some(assertion) => assertion::remember(&app.db, &client.client_id, assertion, skew).await,
                None => Ok(false),
            }
        }
        _ => Ok(true),
    }
}

/// Counts what may have been a guess, and records the failure unless it was one too many.
async fn count(app: &App, info: RequestInfo, credentials: &Credentials, failure: Failure) -> Result<(), Fault> {
    let tried = credentials.tag().filter(|_| failure.is_guess());
    let event = Event::failure(failure.kind())
        .reason(failure.reason())
        .client(&credentials.client_id)
        .request(info.address, info.id)
        .detail(serde_json::json!({"method": credentials.method(), "tried": tried}));
    let proof = match failure {
        Failure::Unknown => Proof::UnknownClient,
        _ if failure.is_guess() => Proof::Client(&credentials.client_id),
        _ => {
            event.record_alone(&app.trail).await;
            return Ok(());
        }
    };
    let now = app.now();
    app.limiter.may_prove(proof, info.address, now).map_err(request::too_many)?;
    // What is guessed of a client that there is, is recorded with the count. Names that do not exist cost nothing.
    let (writer, counted) = (app.clone(), (failure != Failure::Unknown).then(|| event.clone()));
    let record = move |tx: &mut Tx<'_>| match &counted {
        Some(event) => event.clone().record(tx, &writer.clock),
        None => Ok(()),
    };
    match app.limiter.failed(&app.db, proof, info.address, now, record).await? {
        Counted::Within if failure == Failure::Unknown => {
            event.record_alone(&app.trail).await;
            Ok(())
        }
        Counted::Within => Ok(()),
        Counted::Beyond(exceeded) => Err(request::too_many(exceeded).into()),
    }
}
