//! A request that waits, as it lies in the browser: sealed under the server's key for the cookie of the browser that sent
//! it, so that it takes no room on the server until somebody has answered it, and nobody else can use or change it.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::AuthorizationRequest;
use crate::app::App;
use crate::support::{Id, Seconds, hex, sha256};

/// Longer ones are refused, in bytes: with the form around it a ticket has to fit into a body of 16 KiB. A request is
/// compressed first, so that a ticket is hardly longer than the URL that the request came in.
const MAX_TEXT: usize = 12 * 1024;
/// What a ticket of that length can hold is bounded, whatever it is compressed to; in bytes.
const MAX_PLAIN: u64 = 64 * 1024;

/// What is sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    #[serde(rename = "i")]
    pub id: Id,
    #[serde(rename = "t")]
    pub begun_at: Seconds,
    /// The session in which the person logged in for this very request.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Id>,
    #[serde(rename = "r")]
    pub request: AuthorizationRequest,
}

/// Why a request cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsealable {
    TooLong,
    Failed,
}

impl Ticket {
    /// The text that the browser with this cookie keeps.
    pub fn seal(&self, app: &App, browser: &str) -> Result<String, Unsealable> {
        let json = serde_json::to_vec(self).map_err(|_| Unsealable::Failed)?;
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&json).map_err(|_| Unsealable::Failed)?;
        let packed = packer.finish().map_err(|_| Unsealable::Failed)?;
        let sealed = app.keys.sealer().seal(&app.rng, &context(browser), &packed).ok_or(Unsealable::Failed)?;
        let text = URL_SAFE_NO_PAD.encode(sealed);
        if text.len() > MAX_TEXT || json.len() as u64 > MAX_PLAIN { Err(Unsealable::TooLong) } else { Ok(text) }
    }

    /// What [`Ticket::seal`] made for the same browser.
    pub fn open(app: &App, text: &str, browser: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let packed = app.keys.sealer().open(&context(browser), &sealed)?;
        let mut json = Vec::new();
        DeflateDecoder::new(packed.as_slice()).take(MAX_PLAIN).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

fn context(browser: &str) -> String {
    format!("authorization request of browser {}", hex(&sha256(browser.as_bytes())))
}
