//! A known client asked for tokens and got none: a decision as well, to be recorded once.

use super::steps::Ctx;
use crate::audit::EventKind;
use crate::fault::Fault;
use crate::storage::{StorageError, WriteError};

/// Why there is no token, and whether the audit trail has that already.
pub(super) enum Refused {
    Recorded(Fault),
    Unrecorded(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Unrecorded(fault)
    }
}

impl From<StorageError> for Refused {
    fn from(error: StorageError) -> Self {
        Self::Unrecorded(error.into())
    }
}

impl WriteError for Refused {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Recorded(fault) | Self::Unrecorded(fault) => fault.storage(),
        }
    }
}

/// Records a refusal, unless it only says that nobody can be served now, and gives it back.
pub async fn refused(ctx: &Ctx, fault: Fault) -> Fault {
    if let Fault::OAuth(error) = &fault
        && error.code.status() < 429
    {
        let detail = serde_json::json!({"grant_type": ctx.params.get("grant_type"), "why": error.detail});
        let event = ctx.event(EventKind::TokenRefused, false).reason(error.code.as_str()).detail(detail);
        event.record_alone(&ctx.app.trail).await;
    }
    fault
}
