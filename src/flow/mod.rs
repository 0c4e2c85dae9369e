//! An authorization request under way: what it is, what it waits for, how it ends. Used by the endpoint that takes it
//! and by the pages on which a person answers it.

mod after;
mod complete;
mod decide;
mod device;
mod request;
mod respond;
mod transaction;

pub use after::{After, STEP_UP_SECONDS, is_known_app};
pub use complete::{Approval, approve, deny};
pub use decide::{Step, decide, login_needed};
pub use device::{DeviceEntry, allow_device, enter_user_code, find_device, refuse_device, user_code_marks};
pub use request::{AuthorizationRequest, Prompt, ResponseMode, Target};
pub use respond::{Answer, refuse, succeed};
pub use transaction::{Transaction, begin, browser_cookie, load, purpose};
