//! Who a person is: passwords, sessions, and the proof that a form is our own.

mod cookies;
pub mod csrf;
mod device;
mod key_uses;
mod login;
mod password;
mod session;
mod throttle;

pub use cookies::TokenCookies;
pub use device::Device;
pub use key_uses::{KeyUse, KeyUses};
pub use login::{LoginRefusal, account_tag, log_in};
pub use password::{MAX_BYTES as MAX_PASSWORD_BYTES, PasswordError, Passwords, acceptable};
pub use session::{Browser, CurrentSession, SessionCookies, current, end, end_others, stands, start};
pub use throttle::{Limit, Origin};
