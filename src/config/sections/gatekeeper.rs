//! `[gatekeeper]`

use super::section;
use crate::config::keys::Rule::{Origins, Text};

section! {
    /// Forward authentication for apps behind a proxy.
    Gatekeeper = "gatekeeper" {
        /// Origins of the apps behind forward authentication, such as ["https://app.example"]: browsers are sent to the login page and
        /// back for these and for no other. https, or http on a loopback host.
        allowed_origins: Vec<String> = [], Origins;
        /// The audience that tokens of other people's apps and API keys must have to pass there, such as "https://apps.example"; an
        /// app's own origin is one in any case. A client gets it by `client create --audience`.
        audience: String = "", Text;
        /// Scopes, separated by spaces, that a person's own login counts as having there, such as "orders:read"; none by default.
        session_scope: String = "", Text;
    }
}
