//! A login session carried to the host of one app behind forward authentication.

use url::Url;

use crate::support::{Id, Seconds};

/// Where a login at an app's host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateStage {
    /// A ticket on its way through the browser.
    Ticket,
    /// The app's host has a cookie for it.
    Open { at: Seconds },
}

/// A login session as it counts at the host of one app.
#[derive(Debug, Clone)]
pub struct Gate {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    /// It ends with this session.
    pub session_id: Id,
    /// The one origin (RFC 6454) at which it counts.
    pub origin: String,
    /// A hash of what the browser holds that began it.
    pub state_hash: Vec<u8>,
    /// Where the browser wanted to go.
    pub return_to: String,
    pub created_at: Seconds,
    pub expires_at: Seconds,
    pub stage: GateStage,
}

/// Longer addresses are not led back to.
const MAX_URL: usize = 2048;

/// The origin of an address, if the address is written so that no two readers can disagree on it: the origin first, in
/// its one spelling, then nothing, a path or a query, in visible ASCII throughout and without a fragment.
pub fn origin_of(address: &str) -> Option<&str> {
    if address.len() > MAX_URL || !address.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return None;
    }
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let origin = url.origin().ascii_serialization();
    let rest = address.strip_prefix(&origin)?;
    let sound = rest.is_empty() || rest.starts_with('/') || rest.starts_with('?');
    (sound && url.username().is_empty() && url.password().is_none()).then(|| &address[..origin.len()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_the_origin_that_it_begins_with() {
        for (address, origin) in [
            ("https://app.example", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("https://app.example/a?b=https://evil.example/&c=@\\", "https://app.example"),
            ("https://app.example?x", "https://app.example"),
            ("https://app.example//evil.example/..", "https://app.example"),
            ("https://app.example:8443/", "https://app.example:8443"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/x", "http://[::1]:8080"),
        ] {
            assert_eq!(origin_of(address), Some(origin), "{address}");
        }
    }

    #[test]
    fn what_two_readers_could_take_for_two_things_has_none() {
        for address in [
            "",
            "/path",
            "//app.example/",
            "https:/app.example/",
            "https:app.example/",
            "https:\\\\app.example/",
            "https://app.example\\@evil.example/",
            "https://app.example@evil.example/",
            "https://user@app.example/",
            "https://user:pw@app.example/",
            "https://@app.example/",
            "https://app.example:443/",
            "https://app.example:0443/",
            "https://app.example:/",
            "https://APP.example/",
            "HTTPS://app.example/",
            "https://app.example./x\u{0}",
            "https://app.example/#frag",
            "https://app.example/a b",
            "https://app.example/\t",
            "\thttps://app.example/",
            "https://app.exam\tple/",
            "https://ａpp.example/",
            "https://b\u{fc}cher.example/",
            "https://app.example/\u{fc}",
            "https://evil.example\u{ff03}@app.example/",
            "https://app%2eexample/",
            "https://0x7f.1/",
            "https://2130706433/",
            "javascript:alert(1)",
            "ftp://app.example/",
            "data:text/html,x",
        ] {
            assert_eq!(origin_of(address), None, "{address:?}");
        }
        assert_eq!(origin_of(&format!("https://app.example/{}", "a".repeat(2_048))), None);
    }

    proptest! {
        #[test]
        fn the_url_standard_agrees(tail in "[ -~]{0,40}", host in "[a-z@.:\\\\/%0-9]{1,20}") {
            for address in [format!("https://{host}{tail}"), format!("https://app.example{tail}")] {
                if let Some(origin) = origin_of(&address) {
                    let url = Url::parse(&address).expect("it was read");
                    prop_assert_eq!(url.origin().ascii_serialization(), origin);
                    prop_assert!(address.starts_with(origin));
                    let next = address.as_bytes().get(origin.len()).copied();
                    prop_assert!(matches!(next, None | Some(b'/' | b'?')));
                }
            }
        }
    }
}
