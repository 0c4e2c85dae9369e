//! Text that came from outside, made fit for a log line.

/// At most `limit` characters, with control characters replaced, so that no stranger writes lines into a log.
pub fn for_log(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Whether a text shows in one line as it is written: no control character, no line or paragraph separator, and nothing that
/// changes the direction of the text around it (UAX #9 §2). Tables, pages and logs rely on that for names.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_break_does_not_survive() {
        assert_eq!(super::for_log("a\r\nb\0c", 10), "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(super::for_log("abcdef", 3), "abc");
    }

    #[test]
    fn names_of_every_script_are_one_line() {
        for name in ["Notes", "メモ", "שלום", "a\u{200d}b", "हिन्दी"] {
            assert!(super::is_one_line(name), "{name}");
        }
        for name in ["a\nb", "a\tb", "a\0", "\u{1b}[2J", "a\u{2028}b", "a\u{202e}b", "\u{2066}a", "\u{85}"] {
            assert!(!super::is_one_line(name), "{name:?}");
        }
    }
}
