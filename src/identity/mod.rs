//! Who a person is: passwords, sessions, and the proof that a form is our own.

mod cookies;
pub mod csrf;
mod key_uses;
mod login;
mod password;
mod session;

pub use cookies::TokenCookies;
pub use key_uses::{KeyUse, KeyUses};
pub use login::{Limit, LoginRefusal, Throttle, log_in};
pub use password::{MAX_BYTES as MAX_PASSWORD_BYTES, PasswordError, Passwords, acceptable};
pub use session::{Browser, CurrentSession, SessionCookies, current, end, end_others, start};
