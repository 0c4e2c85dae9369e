//! Who a person is: passwords, sessions, and the proof that a form is our own.

pub mod csrf;
mod login;
mod password;
mod session;

pub use login::{LoginRefusal, Throttle, log_in};
pub use password::{PasswordError, Passwords, acceptable};
pub use session::{Browser, CurrentSession, SessionCookies, current, end, end_others, start};
