//! The cookies that we have at an app's host. On https they carry the `__Host-` prefix, so that no other host of the domain
//! can plant one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::sha256;

/// Names and attributes for one origin.
pub struct GateCookies {
    /// Who is logged in here.
    pub gate: &'static str,
    /// Which browser began a login here.
    pub state: &'static str,
    attributes: &'static str,
}

impl GateCookies {
    pub fn at(origin: &str) -> Self {
        if origin.starts_with("https://") {
            Self {
                gate: "__Host-latchway_gate",
                state: "__Host-latchway_gate_state",
                attributes: "Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        } else {
            Self { gate: "latchway_gate", state: "latchway_gate_state", attributes: "Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    /// A `Set-Cookie` value. Without `Max-Age` the cookie goes with the browser; our own expiry is shorter.
    pub fn set(&self, name: &str, value: &str) -> String {
        format!("{name}={value}; {}", self.attributes)
    }
}

/// What of the state cookie's value may stand in a URL.
pub fn state_hash(value: &str) -> [u8; 32] {
    sha256(format!("latchway gate state v1\n{value}").as_bytes())
}

pub fn encode(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

pub fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
