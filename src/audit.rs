//! The audit trail: one record a decision, written in the transaction of that decision where there is one.

use serde_json::Value;

use crate::domain::words;
use crate::storage::audit_events::{self, NewEvent};
use crate::storage::{Db, StorageError, Tx};
use crate::support::{Clock, Id, Rng, sha256, text};

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
        ClientCreated = "client_created",
        ClientChanged = "client_changed",
        ApiKeyCreated = "api_key_created",
        ApiKeyRotated = "api_key_rotated",
        ApiKeyRevoked = "api_key_revoked",
        ApiKeyRefused = "api_key_refused",
        ClockJump = "clock_jump",
        KeyRotated = "key_rotated",
        KeyRetired = "key_retired",
        SetupCompleted = "setup_completed",
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
    client_id: Option<String>,
    subject: Option<Id>,
    address: Option<String>,
    request_id: Option<String>,
    detail: Option<Value>,
}

impl Event {
    /// Something was granted or done.
    pub fn success(kind: EventKind) -> Self {
        Self { kind, success: true, client_id: None, subject: None, address: None, request_id: None, detail: None }
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

    /// What else an investigator wants to know. Never a secret.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Stamps it with a time and an id.
    pub fn stamp(self, clock: &Clock, rng: &Rng) -> NewEvent {
        NewEvent {
            id: Id::new(clock, rng),
            at_millis: clock.now_millis(),
            kind: self.kind.as_str(),
            outcome: if self.success { "success" } else { "failure" },
            client_id: self.client_id,
            subject_hash: self.subject.map(hash_subject),
            address: self.address,
            request_id: self.request_id,
            detail: self.detail.map(|detail| detail.to_string()),
        }
    }

    /// Records it in the transaction of what it tells of.
    pub fn record(self, tx: &mut Tx<'_>, clock: &Clock, rng: &Rng) -> Result<(), StorageError> {
        audit_events::insert(tx, &self.stamp(clock, rng))
    }

    /// Records a decision that wrote nothing else. A refusal stands whether or not it could be recorded, so a failure
    /// is logged and goes no further.
    pub async fn record_alone(self, db: &Db, clock: &Clock, rng: &Rng) {
        let event = self.stamp(clock, rng);
        tracing::info!(event = event.kind, outcome = event.outcome, client_id = event.client_id, "audit");
        let recorded = db.write("audit", move |tx| -> Result<_, crate::storage::Refusal<StorageError>> {
            Ok(audit_events::insert(tx, &event)?)
        });
        if let Err(error) = recorded.await {
            tracing::error!(%error, "an audit event could not be recorded");
        }
    }
}

/// A person in the trail: the same for the same person, and not their id.
pub fn hash_subject(user_id: Id) -> String {
    sha256(user_id.as_bytes())[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}
