//! Text that came from outside, made fit for a log line.

/// At most `limit` characters, with control characters replaced, so that no stranger writes lines into a log.
pub fn for_log(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_break_does_not_survive() {
        assert_eq!(super::for_log("a\r\nb\0c", 10), "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(super::for_log("abcdef", 3), "abc");
    }
}
