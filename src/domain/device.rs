//! The request of a device (RFC 8628) and its stages.

use super::{InvalidRow, Scopes};
use crate::support::{Id, Seconds};

/// Where a device's request is (RFC 8628 §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceStage {
    /// Nobody has decided.
    Pending,
    /// A person allowed it; the tokens were not fetched yet.
    Approved { grant_id: Id },
    /// A person refused; the device was not told yet.
    Denied,
    /// The tokens were fetched.
    Redeemed { grant_id: Id, at: Seconds },
    /// The device was told of the refusal.
    Refused,
}

impl DeviceStage {
    /// Reads it off a row's columns.
    pub fn from_columns(
        decided_at: Option<Seconds>,
        grant_id: Option<Id>,
        ended_at: Option<Seconds>,
        invalid: impl FnOnce(&str) -> InvalidRow,
    ) -> Result<Self, InvalidRow> {
        match (decided_at, grant_id, ended_at) {
            (None, None, None) => Ok(Self::Pending),
            (Some(_), Some(grant_id), None) => Ok(Self::Approved { grant_id }),
            (Some(_), None, None) => Ok(Self::Denied),
            (Some(_), Some(grant_id), Some(at)) => Ok(Self::Redeemed { grant_id, at }),
            (Some(_), None, Some(_)) => Ok(Self::Refused),
            (None, ..) => Err(invalid("it was answered without a decision")),
        }
    }
}

/// A request of a device without a browser (RFC 8628 §3.2), without its secrets.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    /// The user code's hash under the encryption key.
    pub user_code_hash: Vec<u8>,
    pub client_id: String,
    pub scope: Scopes,
    /// The APIs it is for (RFC 8707).
    pub resources: Vec<String>,
    /// RFC 7636, if the device sent one.
    pub code_challenge: Option<String>,
    /// From where it was asked for.
    pub address: String,
    pub created_at: Seconds,
    pub expires_at: Seconds,
    /// How long the device has to wait between two polls by now.
    pub interval_seconds: Seconds,
    /// Wrong verifiers so far.
    pub failures: i64,
    pub stage: DeviceStage,
}

impl DeviceCode {
    /// Whether a person can still decide.
    pub fn is_open(&self, now: Seconds) -> bool {
        self.stage == DeviceStage::Pending && self.expires_at > now
    }

    /// What consent is remembered for: every API by itself, or none in particular.
    pub fn consent_resources(&self) -> Vec<String> {
        if self.resources.is_empty() { vec![String::new()] } else { self.resources.clone() }
    }
}
