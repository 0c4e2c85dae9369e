//! An authorization request under way: what it is, what it waits for, how it ends. Used by the endpoint that takes it
//! and by the pages on which a person answers it.

mod after;
mod answered;
mod complete;
mod decide;
mod device;
mod device_proof;
mod late;
mod request;
mod respond;
mod ticket;
mod transaction;

pub use after::{After, STEP_UP_SECONDS, host_of, is_known_app};
pub use answered::{OneForm, SealedAnswer};
pub use complete::{Approval, Ending, approve, check_redirect, deny};
pub use decide::{Step, decide, login_needed};
pub use device::{
    DeviceDecision, DeviceEntry, allow_device, enter_user_code, find_shown, refuse_device, user_code_marks,
};
pub use device_proof::{CodeEntry, proof_of_showing};
pub use late::{begin_again, dead_end, load_waiting, way_back};
pub use request::{AuthorizationRequest, Prompt, ResponseMode, Target};
pub use respond::{Answer, refuse, succeed};
pub use transaction::{Transaction, TransactionStage, begin, browser_cookie, load, purpose};
