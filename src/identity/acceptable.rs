//! Which passwords a person may choose, on the pages and at the command line.

use super::MAX_PASSWORD_BYTES;

/// The words of which most used passwords are made, one a line, in lower case. Around them digits and punctuation do not
/// count, so that each stands for many. More is the work of a service that knows leaked passwords.
const COMMON: &str = include_str!("common_passwords.txt");

const KEYBOARD: &[&str] = &["qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "1234567890"];

/// What a guesser tries first: the words that belong to an account.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    pub username: &'a str,
    pub email: Option<&'a str>,
    /// The person's names.
    pub names: &'a [&'a str],
    /// The name of this service.
    pub service: &'a str,
}

/// Whether a person may choose this password; else a sentence that says what to change.
pub fn acceptable(password: &str, about: &About<'_>, min_length: usize) -> Result<(), String> {
    if password.chars().count() < min_length {
        return Err(format!("Choose a password of at least {min_length} characters."));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(format!("Choose a password of at most {MAX_PASSWORD_BYTES} bytes."));
    }
    let lower = password.to_lowercase();
    if distinct(&lower) < 4 || is_run(&lower) {
        return Err("This password is too easy to guess. Choose another.".to_owned());
    }
    let forms = forms(&lower);
    if forms.iter().any(|form| COMMON.lines().any(|word| word == form)) {
        return Err("This is one of the most used passwords. Choose another.".to_owned());
    }
    if about.words().any(|word| forms.contains(&word)) {
        return Err(
            "This password is made of your name, your e-mail address or the name of this service. Choose another."
                .to_owned(),
        );
    }
    Ok(())
}

impl About<'_> {
    fn words(&self) -> impl Iterator<Item = String> {
        let email = self.email.unwrap_or_default();
        let local = email.split('@').next().unwrap_or_default();
        let squeezed: String = self.service.split_whitespace().collect();
        [self.username, email, local, self.service, &squeezed]
            .into_iter()
            .chain(self.names.iter().copied())
            .map(|word| word.trim().to_lowercase())
            .filter(|word| word.chars().count() > 2)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// A password as it stands, without the digits and punctuation around it, and with the letters for which digits stand.
fn forms(lower: &str) -> Vec<String> {
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    let inner = lower.trim_end_matches(|c: char| !c.is_alphabetic() && c != '$' && c != '@');
    let mut forms: Vec<String> = [lower, core].map(str::to_owned).into();
    forms.extend([lower, core, inner].map(letters));
    forms.retain(|form| !form.is_empty());
    forms
}

fn letters(text: &str) -> String {
    let letter = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

fn distinct(text: &str) -> usize {
    let mut all: Vec<char> = text.chars().collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// Neighbours in the alphabet or on the keyboard, in one direction.
fn is_run(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let steps: Vec<i64> = codes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let straight = |step: i64| steps.iter().all(|s| *s == step || *s == -9 * step);
    let row = |row: &str| row.contains(text) || row.chars().rev().collect::<String>().contains(text);
    straight(1) || straight(-1) || KEYBOARD.iter().any(|keys| row(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        username: "alice-liddell",
        email: Some("a.liddell@wonder.example"),
        names: &["Alice Pleasance"],
        service: "Rabbit Hole",
    };

    #[test]
    fn easy_ones_are_refused() {
        for password in [
            "short",
            "aaaaaaaaaaaa",
            "password",
            "Password123",
            "P@ssw0rd!",
            "passw0rd2026",
            "12345678",
            "1234567890",
            "9876543210",
            "abcdefghij",
            "qwertyuiop",
            "poiuytrewq",
            "Summer2026!",
            "!!admin!!2026",
            "1q2w3e4r",
            "Alice-Liddell",
            "alice-liddell99",
            "A.Liddell1!",
            "a.liddell@wonder.example",
            "rabbithole1",
            "Rabbit Hole!",
            "alice pleasance 1",
        ] {
            assert!(acceptable(password, &ABOUT, 8).is_err(), "{password}");
        }
    }

    #[test]
    fn others_are_fine() {
        for password in [
            "correct horse battery",
            "admin of the rabbits",
            "summer rain, winter snow",
            "1q9w-3e7r-zz",
            "हिन्दी में पासवर्ड",
            "x1y2x1y2x1y2",
        ] {
            assert_eq!(acceptable(password, &ABOUT, 8), Ok(()), "{password}");
        }
        assert!(acceptable(&"long".repeat(300), &ABOUT, 8).is_err());
    }

    #[test]
    fn the_list_is_one_word_a_line_in_lower_case() {
        for line in COMMON.lines() {
            assert_eq!(line, line.trim().to_lowercase());
            assert!(!line.is_empty());
        }
        assert!(COMMON.lines().count() > 400);
    }
}
