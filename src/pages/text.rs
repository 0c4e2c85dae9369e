//! Words on a page: names that cannot lie, times and waits that people read.

use std::fmt;

use chrono::DateTime;

/// The longest name a page shows, in characters.
pub const NAME_LIMIT: usize = 100;

/// Makes a name from outside safe to show: no control characters, nothing that turns the writing direction, nothing
/// invisible, white space as single spaces, at most [`NAME_LIMIT`] characters. Escaping is the template's work.
pub fn clean(raw: &str) -> String {
    let visible: String = raw.chars().filter(|&c| c.is_whitespace() || !is_deceptive(c)).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= NAME_LIMIT {
        return words;
    }
    let mut cut: String = words.chars().take(NAME_LIMIT - 1).collect();
    cut.push('…');
    cut
}

/// Characters that change or hide what a reader sees without a mark of their own.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A name of a person or an app, cleaned when it is made, so that no template can forget it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The letter for a tile where an app has no logo.
    pub fn initial(&self) -> String {
        let first = self.0.chars().find(|c| c.is_alphanumeric()).unwrap_or('•');
        first.to_uppercase().collect()
    }

    /// The cleaned name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(raw: &str) -> Self {
        let name = clean(raw);
        Self(if name.is_empty() { "(no name)".to_owned() } else { name })
    }
}

impl From<String> for Name {
    fn from(raw: String) -> Self {
        Self::from(raw.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A moment. As a date it is shown in UTC, because a page without scripts does not know the reader's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    at: i64,
    /// The time at which the page is shown, if the moment is shown by its distance.
    now: Option<i64>,
}

impl When {
    /// From Unix seconds; shown as a date.
    pub fn from_unix(seconds: i64) -> Self {
        Self { at: seconds, now: None }
    }

    /// From Unix seconds; shown as `2 minutes ago` for the first 30 days.
    pub fn ago(seconds: i64, now: i64) -> Self {
        Self { at: seconds, now: Some(now) }
    }

    /// For people: `2 minutes ago`, or the date.
    pub fn words(&self) -> String {
        self.now.and_then(|now| ago(now - self.at)).unwrap_or_else(|| self.full())
    }

    /// The date: `2 March 2026, 14:05 UTC`.
    pub fn full(&self) -> String {
        self.write("%-d %B %Y, %H:%M UTC")
    }

    /// The month alone: `May 2026`.
    pub fn month(&self) -> String {
        self.write("%B %Y")
    }

    /// For the `datetime` attribute: `2026-03-02T14:05Z`.
    pub fn machine(&self) -> String {
        self.write("%Y-%m-%dT%H:%MZ")
    }

    /// A time that no calendar has, from a damaged row, is shown as its number of seconds.
    fn write(self, form: &str) -> String {
        DateTime::from_timestamp(self.at, 0).map_or_else(|| self.at.to_string(), |time| time.format(form).to_string())
    }
}

/// A time that has passed, in words, rounded down; `None` after 30 days. A moment that is a little ahead, by the clock of
/// another node, is now.
fn ago(seconds: i64) -> Option<String> {
    let (count, unit) = match seconds {
        -60..=59 => return Some("just now".to_owned()),
        60..=3_599 => (seconds / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        86_400..=2_591_999 => (seconds / 86_400, "day"),
        _ => return None,
    };
    Some(format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" }))
}

/// How long to wait, in words: `1 second`, `45 seconds`, `2 minutes`. Rounded up, so that nobody comes too early.
pub fn wait(seconds: u64) -> String {
    let (count, unit) = match seconds.max(1) {
        s @ 0..=90 => (s, "second"),
        s @ 91..=5_400 => (s.div_ceil(60), "minute"),
        s => (s.div_ceil(3_600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A browser's `User-Agent` as people say it: `Firefox on Linux`.
pub fn device(user_agent: &str) -> String {
    let pick = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| user_agent.contains(mark)).map(|&(_, name)| name)
    };
    let browser = pick(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = pick(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_turn_around_or_hide() {
        assert_eq!(clean("Pay\u{202E}lap\u{202C}\u{2066}!"), "Paylap!");
        assert_eq!(clean("a\u{200B}b\u{200D}c\u{FEFF}d\u{00AD}e"), "abcde");
        assert_eq!(clean("  two\r\n\t words\u{2028}here \u{0}"), "two words here");
        assert_eq!(clean("Tag\u{E0041}\u{E007F}"), "Tag");
        assert_eq!(clean("Zoë 東京 مرحبا"), "Zoë 東京 مرحبا");
    }

    #[test]
    fn a_name_is_never_longer_than_the_limit_and_never_empty() {
        let long = clean(&"é".repeat(500));
        assert_eq!(long.chars().count(), NAME_LIMIT);
        assert!(long.ends_with('…'));
        assert_eq!(clean(&"x".repeat(NAME_LIMIT)), "x".repeat(NAME_LIMIT));
        assert_eq!(Name::from("\u{202E}\u{200B}").as_str(), "(no name)");
        assert_eq!(Name::from("«ßeta»").initial(), "SS");
        assert_eq!(Name::from("-- --").initial(), "•");
    }

    #[test]
    fn a_moment_reads_as_a_date() {
        assert_eq!(When::from_unix(0).words(), "1 January 1970, 00:00 UTC");
        assert_eq!(When::from_unix(1_772_460_300).words(), "2 March 2026, 14:05 UTC");
        assert_eq!(When::from_unix(1_709_164_800).machine(), "2024-02-29T00:00Z");
        assert_eq!(When::from_unix(-1).machine(), "1969-12-31T23:59Z");
    }

    #[test]
    fn u07_a_moment_of_late_reads_as_a_distance() {
        let now = 1_772_460_300;
        let words = |seconds: i64| When::ago(now - seconds, now).words();
        assert_eq!(words(0), "just now");
        assert_eq!(words(-30), "just now");
        assert_eq!(words(59), "just now");
        assert_eq!(words(60), "1 minute ago");
        assert_eq!(words(150), "2 minutes ago");
        assert_eq!(words(3 * 3_600 + 7), "3 hours ago");
        assert_eq!(words(86_400), "1 day ago");
        assert_eq!(words(30 * 86_400), "31 January 2026, 14:05 UTC");
        assert_eq!(words(-86_400), "3 March 2026, 14:05 UTC");
        assert_eq!(When::ago(now - 60, now).full(), "2 March 2026, 14:04 UTC");
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(wait(0), "1 second");
        assert_eq!(wait(45), "45 seconds");
        assert_eq!(wait(91), "2 minutes");
        assert_eq!(wait(5_401), "2 hours");
    }

    #[test]
    fn a_browser_has_a_short_name() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(device(safari), "Safari on iPhone");
        assert_eq!(device("\u{202E}<b>"), "Unknown browser");
    }
}
