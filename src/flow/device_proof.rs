//! Proofs of the two steps at `/device` that were done: a code was typed into our form, and what it is for was shown.
//!
//! A form's CSRF token proves neither: it is a hash without a key, which the holder of the cookie can compute for any code.
//! These need the server's key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::App;
use crate::domain::UserCode;
use crate::identity::CurrentSession;
use crate::support::{Id, Seconds, constant_time_eq, sha256};

/// What [`CodeEntry`] is sealed for.
const ENTRY: &str = "user code entry";
const SHOWN: &str = "device shown";

/// A code that was typed into our form in one browser, on its way through the login to the page that shows what it is for.
/// Sealed, so that the code stands in no address, history or log.
#[derive(Debug)]
pub struct CodeEntry {
    pub code: UserCode,
}

impl CodeEntry {
    /// Seals the entry for the browser of this cookie, for as long as the code itself can count.
    pub fn seal(app: &App, code: &UserCode, browser: &str) -> Option<String> {
        let until = app.now() + app.config.device.code_seconds;
        let browser = &sha256(browser.as_bytes())[..16];
        let plain = [&until.to_be_bytes()[..], browser, code.letters().as_bytes()].concat();
        Some(URL_SAFE_NO_PAD.encode(app.keys.sealer().seal(&app.rng, ENTRY, &plain)?))
    }

    /// Opens an entry; `None` if it is another browser's, too old, or none of ours.
    pub fn open(app: &App, sealed: &str, browser: &str) -> Option<Self> {
        let plain = app.keys.sealer().open(ENTRY, &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
        let (until, rest) = plain.split_first_chunk::<8>()?;
        let (owner, letters) = rest.split_first_chunk::<16>()?;
        let is_ours = constant_time_eq(owner, &sha256(browser.as_bytes())[..16]);
        if !is_ours || Seconds::from_be_bytes(*until) <= app.now() {
            return None;
        }
        Some(Self { code: UserCode::parse(std::str::from_utf8(letters).ok()?)? })
    }
}

/// The proof that this session was shown what the device with this code asks for. It is made only after the code of a
/// waiting request was typed.
pub fn proof_of_showing(app: &App, session: &CurrentSession, device: Id, code: &UserCode) -> String {
    let mark = app.keys.sealer().marks(SHOWN, &subject(session, device, code)).swap_remove(0);
    URL_SAFE_NO_PAD.encode([device.as_bytes().as_slice(), &mark].concat())
}

/// The device that such a proof is about.
pub(super) fn shown_device(app: &App, session: &CurrentSession, code: &UserCode, proof: &str) -> Option<Id> {
    let bytes = URL_SAFE_NO_PAD.decode(proof).ok()?;
    let (device, mark) = bytes.split_first_chunk::<16>()?;
    let device = Id::from_bytes(*device);
    let marks = app.keys.sealer().marks(SHOWN, &subject(session, device, code));
    marks.iter().any(|known| constant_time_eq(known, mark)).then_some(device)
}

fn subject(session: &CurrentSession, device: Id, code: &UserCode) -> Vec<u8> {
    let ids = [session.session.id.as_bytes().as_slice(), device.as_bytes()].concat();
    [&ids, code.letters().as_bytes()].concat()
}
