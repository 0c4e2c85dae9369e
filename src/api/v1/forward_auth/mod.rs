//! Forward authentication: a proxy asks for each request whether it may pass, and a browser without a login is sent to the
//! login page and back. `docs/forward-auth.md` has the protocol and why it is safe.
//!
//! A browser's way, where the app has another host than we: [`check`] gives it a secret at the app's host and sends it to
//! [`login`] with a hash of that; [`login`] sends it back with a ticket; [`callback`], again at the app's host, takes the
//! ticket from the browser that has the secret, and gives it the gate's cookie.

mod answer;
mod callback;
mod check;
mod cookies;
mod credential;
mod forwarded;
mod login;
mod original;
mod requirements;

pub use callback::callback;
pub use check::{__path_check, check};
pub use login::{__path_login, login};
