//! Who a person is: passwords, sessions, and the proof that a form is our own.

mod acceptable;
mod cookies;
pub mod csrf;
mod device;
mod dummies;
mod key_uses;
mod login;
mod password;
mod proof;
mod session;
mod throttle;

pub use acceptable::{About, acceptable};
pub use cookies::TokenCookies;
pub use device::Device;
pub use key_uses::{KeyUse, KeyUses};
pub use login::{LoginRefusal, account_tag, log_in};
pub use password::{MAX_BYTES as MAX_PASSWORD_BYTES, PasswordError, Passwords};
pub use proof::{Confirmed, LoginProof, Unconfirmed};
pub use session::{
    Browser, CurrentSession, SessionCookies, current, end, end_access, end_all, end_others, hold_session, stands,
    start, start_in_app,
};
pub use throttle::{Limit, Origin};
