//! The short code that a device shows and a person types (RFC 8628 §6.1).

use std::fmt;

use crate::support::Rng;

/// RFC 8628 §6.1: no vowels, so that no code is a word, and nothing that is taken for something else.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 20^8: 34.5 bits, guarded by the count of wrong ones.
const LENGTH: usize = 8;

/// The short code that a device shows and a person types (RFC 8628 §3.2). Its `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// A new one, each letter as likely as the others.
    pub fn new(rng: &Rng) -> Self {
        let mut letters = [0; LENGTH];
        let mut filled = 0;
        while filled < LENGTH {
            // Bytes from 240 on would favour the first letters.
            for byte in rng.bytes::<16>().into_iter().filter(|byte| *byte < 240) {
                if let Some(letter) = letters.get_mut(filled) {
                    *letter = ALPHABET[usize::from(byte) % ALPHABET.len()];
                    filled += 1;
                }
            }
        }
        Self(letters)
    }

    /// Reads what a person typed: in capitals or not, with hyphens, spaces or none, and with letters that look like those of
    /// the code. `None` if no code could be meant.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut letters = [0; LENGTH];
        let mut filled = 0;
        for c in typed.chars().filter(|c| !is_separator(*c)) {
            *letters.get_mut(filled)? = letter(c)?;
            filled += 1;
        }
        (filled == LENGTH).then_some(Self(letters))
    }

    /// The letters alone, as they are hashed and as a link carries them.
    pub fn letters(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As a device shows it: `WDJB-MJHT`.
    pub fn shown(&self) -> String {
        let (head, tail) = self.letters().split_at(LENGTH / 2);
        format!("{head}-{tail}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode([redacted])")
    }
}

/// Everything that is not a letter or a digit: hyphens of all kinds, dots, blanks.
fn is_separator(c: char) -> bool {
    !c.is_alphanumeric()
}

fn letter(c: char) -> Option<u8> {
    let capital = u8::try_from(c).ok()?.to_ascii_uppercase();
    let meant = match capital {
        b'0' | b'O' => b'Q',
        b'1' | b'I' => b'L',
        b'2' => b'Z',
        b'5' => b'S',
        b'6' => b'G',
        b'8' => b'B',
        b'U' | b'Y' => b'V',
        other => other,
    };
    ALPHABET.contains(&meant).then_some(meant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::support::Rng;

    fn read(typed: &str) -> Option<String> {
        UserCode::parse(typed).map(|code| code.shown())
    }

    #[test]
    fn case_hyphens_and_blanks_do_not_matter() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "WDJB\u{2013}MJHT", "w.d.j.b.m.j.h.t", "WDJB--MJHT\u{a0}"]
        {
            assert_eq!(read(typed).as_deref(), Some("WDJB-MJHT"), "{typed:?}");
        }
    }

    #[test]
    fn lookalikes_are_what_they_look_like() {
        assert_eq!(read("0O1I-2568").as_deref(), Some("QQLL-ZSGB"));
        assert_eq!(read("UYLL-ZSGB").as_deref(), Some("VVLL-ZSGB"));
    }

    #[test]
    fn what_no_code_can_be_is_none() {
        for typed in ["", "WDJB-MJH", "WDJB-MJHTT", "AAAA-AAAA", "WDJB-MJH\u{416}", "WDJB-MJH3", "--------"] {
            assert_eq!(read(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn every_letter_comes_and_debug_is_silent() {
        let rng = Rng::system();
        let codes: Vec<UserCode> = (0..500).map(|_| UserCode::new(&rng)).collect();
        let all: String = codes.iter().map(UserCode::letters).collect();
        for letter in ALPHABET {
            // 200 are expected of each; a fair source stays within these bounds but once in a billion times.
            let count = all.bytes().filter(|byte| byte == letter).count();
            assert!((110..=290).contains(&count), "{} came {count} times", char::from(*letter));
        }
        assert!(!format!("{:?}", codes[0]).contains(codes[0].letters()));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(seed in any::<[u8; 8]>()) {
            let code = UserCode(seed.map(|byte| ALPHABET[usize::from(byte) % 20]));
            prop_assert_eq!(UserCode::parse(&code.shown()), Some(code.clone()));
            prop_assert_eq!(UserCode::parse(&code.letters().to_lowercase()), Some(code));
        }

        #[test]
        fn nothing_typed_makes_it_panic(typed in "\\PC{0,40}") {
            UserCode::parse(&typed);
        }
    }
}
