//! User names and e-mail addresses as they are stored and compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The rule for user names in one sentence, for forms and error messages.
pub const USERNAME_RULE: &str =
    "1 to 64 letters or digits; dots, dashes, underscores and, between letters, apostrophes are fine too";

const MAX_USERNAME: usize = 64;
/// Marks on one letter. Thai, Tibetan and pointed Hebrew need up to four; more is a way to draw over other lines.
const MAX_MARKS: usize = 4;

/// A user name as it is stored and compared: NFKC, lower case, no blanks around it, one spelling of the apostrophe. `None`
/// if it cannot be one.
///
/// Letters of every script count with their combining marks. An `@` is refused, so that nobody takes another person's e-mail
/// address as a user name; what cannot be seen is refused, so that two names that look the same are the same.
pub fn normalize_username(text: &str) -> Option<String> {
    let mut name = fold(text.trim());
    // Lower case can need to be composed again (RFC 8265 §3.3.2). Twice is enough for every character there is; a text that
    // still changes after that is refused, because it would be another name when it is normalized the next time.
    for _ in 0..2 {
        let again = fold(&name);
        if again == name {
            return is_username(&name).then_some(name);
        }
        name = again;
    }
    None
}

fn fold(text: &str) -> String {
    let lower: String = text.nfkc().map(apostrophe).flat_map(char::to_lowercase).collect();
    // The capital İ becomes an i with a second dot above the first, which looks like any other i.
    lower.nfkc().collect::<String>().replace("i\u{307}", "i").replace("j\u{307}", "j")
}

fn apostrophe(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{ff07}' => '\'',
        other => other,
    }
}

fn is_username(name: &str) -> bool {
    let (mut length, mut marks) = (0, 0);
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        length += 1;
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let follows_a_letter = before.is_some_and(|c| is_letter(c) || is_mark(c));
        let sound = match c {
            '.' | '_' | '-' => true,
            '\'' => follows_a_letter && rest.peek().copied().is_some_and(is_letter),
            _ if is_mark(c) => follows_a_letter && marks <= MAX_MARKS,
            _ => is_letter(c),
        };
        if !sound || is_invisible(c) {
            return false;
        }
        before = Some(c);
    }
    (1..=MAX_USERNAME).contains(&length)
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_combining_mark(c)
}

/// General category Mn or Mc. Enclosing marks (Me) draw around letters and belong to no word.
fn is_mark(c: char) -> bool {
    is_combining_mark(c)
        && !matches!(c, '\u{488}'..='\u{489}' | '\u{1abe}' | '\u{20dd}'..='\u{20e0}' | '\u{20e2}'..='\u{20e4}' | '\u{a670}'..='\u{a672}')
}

/// Letters and marks that are drawn as nothing (Default_Ignorable_Code_Point of the Unicode Character Database).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// An e-mail address as it is stored and compared. `None` if it cannot be one.
pub fn normalize_email(text: &str) -> Option<String> {
    let address: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
    let (local, domain) = address.split_once('@')?;
    let sound = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && address.len() <= 254
        && !address.chars().any(|c| c.is_whitespace() || c.is_control());
    sound.then_some(address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_one_spelling() {
        assert_eq!(normalize_username(" Alice "), Some("alice".to_owned()));
        assert_eq!(normalize_username("ｂｏｂ"), Some("bob".to_owned()));
        assert_eq!(normalize_username("a@b.example"), None);
        assert_eq!(normalize_username(""), None);
        assert_eq!(normalize_email("A@B.Example "), Some("a@b.example".to_owned()));
        assert_eq!(normalize_email("a@b@c"), None);
    }

    #[test]
    fn words_of_every_script_are_names() {
        for name in
            ["हिन्दी", "น้ำฝน", "தமிழ்", "မြန်မာ", "עִבְרִית", "田中", "łukasz", "o'brien", "d'arc.l'isle", "e\u{301}lan"]
        {
            let stored = normalize_username(name).unwrap_or_else(|| panic!("{name} is refused"));
            assert_eq!(normalize_username(&stored), Some(stored.clone()), "{name}");
        }
        assert_eq!(normalize_username("İsmail"), Some("ismail".to_owned()));
        assert_eq!(normalize_username("O\u{2019}Brien"), Some("o'brien".to_owned()));
        assert_eq!(normalize_username("cafe\u{301}"), Some("caf\u{e9}".to_owned()));
        let long = "क\u{94d}".repeat(32);
        assert_eq!(normalize_username(&long), Some(long.clone()));
        assert_eq!(normalize_username(&format!("{long}क")), None);
    }

    #[test]
    fn what_deceives_is_refused() {
        for name in [
            "\u{301}alice",
            "a.\u{301}b",
            "'alice",
            "alice'",
            "a''b",
            "a.'b",
            "alice\u{3164}",
            "al\u{fe0f}ice",
            "al\u{34f}ice",
            "a\u{20dd}b",
            "al\u{200d}ice",
            "al\u{202e}ice",
            "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b",
            "a b",
            "a/b",
            "a\u{2028}b",
        ] {
            assert_eq!(normalize_username(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "[\\PC\\p{M}ıİIJ̇'’]{0,40}") {
            if let Some(name) = normalize_username(&text) {
                prop_assert_eq!(normalize_username(&name), Some(name.clone()));
            }
            if let Some(address) = normalize_email(&text) {
                prop_assert_eq!(normalize_email(&address), Some(address.clone()));
            }
        }
    }
}
