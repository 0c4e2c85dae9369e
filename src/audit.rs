//! The audit trail: one record a decision, written in the transaction of that decision where there is one.
//!
//! How records are chained stands in `domain/chain.rs`, who does it in `storage/writer.rs`; here is what is recorded, how
//! it is read, and how it is verified. `docs/audit.md` tells operators.

mod adopt;
mod claims;
mod export;
mod follow;
mod integrity_problem;
mod kinds;
mod line;
mod payer;
mod refusals;
mod verify;
mod walk;

pub use adopt::{Adopted, adopt};
pub use claims::Receipt;
pub use export::{Exported, export};
pub use follow::{Follower, LATEST_MILLIS, News};
pub use integrity_problem::Found;
pub use line::{Header, event_json, time};
pub use payer::Payer;
pub use refusals::Trail;
pub use verify::{Options, Report, Source, WriterReport, header, verify};

use serde_json::Value;

use crate::domain::words;
use crate::storage::audit_events::{self, NewEvent};
use crate::storage::{StorageError, Tx};
use crate::support::{Clock, Id, sha256, text};

words! {
    /// What was decided.
    EventKind {
        TokenIssued = "token_issued",
        TokenRefreshed = "token_refreshed",
        TokenRevoked = "token_revoked",
        TokenRefused = "token_refused",
        CodeIssued = "code_issued",
        CodeReplay = "code_replay",
        CodeClientMismatch = "code_client_mismatch",
        RefreshReuse = "refresh_reuse",
        RefreshRetried = "refresh_retried",
        DeviceRequested = "device_requested",
        DeviceApproved = "device_approved",
        DeviceDenied = "device_denied",
        DeviceRedeemed = "device_redeemed",
        DeviceCodeReplay = "device_code_replay",
        UserCodeRefused = "user_code_refused",
        PkceMissing = "pkce_missing",
        PkceMismatch = "pkce_mismatch",
        PkceConstant = "pkce_constant",
        AuthzUnknownClient = "authz_unknown_client",
        AuthzRefused = "authz_refused",
        RedirectUriMismatch = "redirect_uri_mismatch",
        ClientAuthFailed = "client_auth_failed",
        ClientAuthMethodMismatch = "client_auth_method_mismatch",
        CsrfRejected = "csrf_rejected",
        LoginSucceeded = "login_succeeded",
        LoginFailed = "login_failed",
        LoginThrottled = "login_throttled",
        CredStuffing = "cred_stuffing",
        LoggedOut = "logged_out",
        SessionRevoked = "session_revoked",
        ConsentGiven = "consent_given",
        ConsentDenied = "consent_denied",
        ConsentWithdrawn = "consent_withdrawn",
        UserCreated = "user_created",
        UserChanged = "user_changed",
        UserDeleted = "user_deleted",
        ClientCreated = "client_created",
        ClientChanged = "client_changed",
        ApiKeyCreated = "api_key_created",
        ApiKeyRotated = "api_key_rotated",
        ApiKeyRevoked = "api_key_revoked",
        ApiKeyRefused = "api_key_refused",
        ApiKeyMoved = "api_key_moved",
        GateOpened = "gate_opened",
        ClockJump = "clock_jump",
        KeyCreated = "key_created",
        KeyRotated = "key_rotated",
        KeyRetired = "key_retired",
        KeyResealed = "key_resealed",
        KeysBegunAnew = "keys_begun_anew",
        IssuerChanged = "issuer_changed",
        ScopeChanged = "scope_changed",
        ApiTitleChanged = "api_title_changed",
        SetupCompleted = "setup_completed",
        SetupRefused = "setup_refused",
        Restored = "restored",
        AnomalyPasswordSpraying = "anomaly_password_spraying",
        AnomalyCredentialStuffing = "anomaly_credential_stuffing",
        AnomalyBruteForceAccount = "anomaly_brute_force_account",
        AnomalyBruteForceClient = "anomaly_brute_force_client",
        AnomalyTokenReuse = "anomaly_token_reuse",
        AnomalyClientBurst = "anomaly_client_burst",
        AnomalyNewNetwork = "anomaly_new_network",
        AnomalyErrorRate = "anomaly_error_rate",
        AnomalyReaction = "anomaly_reaction",
        RestraintLifted = "restraint_lifted",
    }
}

/// One decision on its way into the trail.
#[derive(Debug, Clone)]
pub struct Event {
    kind: EventKind,
    success: bool,
    reason: Option<String>,
    client_id: Option<String>,
    subject: Option<Id>,
    address: Option<String>,
    request_id: Option<String>,
    detail: Option<Value>,
    authenticated: bool,
}

impl Event {
    /// Something was granted or done.
    pub fn success(kind: EventKind) -> Self {
        Self {
            kind,
            success: true,
            reason: None,
            client_id: None,
            subject: None,
            address: None,
            request_id: None,
            detail: None,
            authenticated: false,
        }
    }

    /// Something was refused.
    pub fn failure(kind: EventKind) -> Self {
        Self { success: false, ..Self::success(kind) }
    }

    /// The client, as it named itself: stored short and without control characters.
    #[must_use]
    pub fn client(mut self, client_id: &str) -> Self {
        self.client_id = Some(text::for_log(client_id, 128));
        self
    }

    #[must_use]
    pub fn subject(mut self, user_id: Id) -> Self {
        self.subject = Some(user_id);
        self
    }

    #[must_use]
    pub fn request(mut self, address: impl ToString, request_id: Id) -> Self {
        self.address = Some(address.to_string());
        self.request_id = Some(request_id.to_string());
        self
    }

    /// From where, for what is told of requests and not in one.
    #[must_use]
    pub fn address(mut self, address: impl ToString) -> Self {
        self.address = Some(address.to_string());
        self
    }

    /// Why, in one word for machines, such as `wrong_credentials`. A refusal that gives none has that of its kind.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What else an investigator wants to know. Never a secret.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The party that it names has proved who it is, so that it may be held responsible: a client by its secret or key, a
    /// person by a session.
    #[must_use]
    pub fn authenticated(mut self) -> Self {
        self.authenticated = true;
        self
    }

    /// Stamps it with the time of the decision. Its id and its place in the trail it gets from the thread that writes it.
    pub fn stamp(self, clock: &Clock) -> NewEvent {
        self.stamp_at(clock.now_millis())
    }

    fn stamp_at(self, at_millis: i64) -> NewEvent {
        let detail = match self.detail {
            // The anomaly rules hold a client responsible for what it did, and not for what was done in its name.
            Some(Value::Object(mut members)) if self.authenticated => {
                members.insert(AUTHENTICATED.to_owned(), Value::Bool(true));
                Some(Value::Object(members))
            }
            None if self.authenticated => Some(serde_json::json!({AUTHENTICATED: true})),
            detail => detail,
        };
        let reason = self.reason.or_else(|| (!self.success).then(|| self.kind.as_str().to_owned()));
        NewEvent {
            at_millis,
            kind: self.kind.as_str(),
            outcome: if self.success { "success" } else { "failure" },
            reason,
            client_id: self.client_id,
            subject_hash: self.subject.map(hash_subject),
            operator: None,
            address: self.address,
            request_id: self.request_id,
            detail: detail.map(|detail| detail.to_string()),
        }
    }

    /// Records it in the transaction of what it tells of.
    pub fn record(self, tx: &mut Tx<'_>, clock: &Clock) -> Result<(), StorageError> {
        audit_events::insert(tx, &self.stamp(clock))
    }

    /// The same for a time that is known already.
    pub fn record_at(self, tx: &mut Tx<'_>, at_millis: i64) -> Result<(), StorageError> {
        audit_events::insert(tx, &self.stamp_at(at_millis))
    }

    /// Records a decision that wrote nothing else. A refusal stands whether or not it could be recorded, so a failure
    /// is logged and goes no further. Refusals that anyone can cause without end are counted once there are many.
    pub async fn record_alone(self, trail: &Trail) {
        let is_free = !self.success && !self.authenticated && self.kind.payer() == Payer::Nobody;
        if is_free && !trail.admits(self.kind, self.address.as_deref()) {
            tracing::debug!(event = self.kind.as_str(), "counted, and recorded later together with others");
            return;
        }
        let event = self.stamp(trail.clock());
        tracing::debug!(
            event = event.kind,
            outcome = event.outcome,
            reason = event.reason,
            client_id = event.client_id,
            address = event.address,
            request_id = event.request_id,
            "audit"
        );
        let recorded = trail.db().write("audit", move |tx| -> Result<_, crate::storage::Refusal<StorageError>> {
            Ok(audit_events::insert(tx, &event)?)
        });
        if let Err(error) = recorded.await {
            tracing::error!(%error, "an audit event could not be recorded");
        }
    }
}

/// The member of an event's detail that says that the party it names has proved who it is.
pub const AUTHENTICATED: &str = "authenticated";

/// A person in the trail: the same for the same person, and not their id.
pub fn hash_subject(user_id: Id) -> String {
    sha256(user_id.as_bytes())[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}
