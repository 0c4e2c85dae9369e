//! Text that came from outside, made fit for a log line or a page.

use std::fmt::Write as _;

/// At most `limit` characters, with control characters replaced, so that no stranger writes lines into a log.
pub fn for_log(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// At most `limit` characters in which each is seen: what is not printable ASCII stands there by its number, because two
/// texts that look alike are to be told apart.
pub fn escaped(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut rest = text.chars();
    for c in rest.by_ref().take(limit) {
        match c {
            ' '..='~' => shown.push(c),
            other => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(other));
            }
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

/// A URI for a log or the audit trail: at most 300 characters, without user information, and without the values of
/// parameters that are named like secrets or long enough to be one.
pub fn uri_for_log(uri: &str) -> String {
    const LIMIT: usize = 300;
    let (before, fragment) = uri.split_once('#').map_or((uri, None), |(before, fragment)| (before, Some(fragment)));
    let (address, query) = before.split_once('?').map_or((before, None), |(address, query)| (address, Some(query)));
    let mut kept = without_user(address);
    for (mark, pairs) in [('?', query), ('#', fragment)] {
        if let Some(pairs) = pairs {
            let pairs: Vec<String> = pairs.split('&').map(redacted).collect();
            kept.push(mark);
            kept.push_str(&pairs.join("&"));
        }
    }
    let shown = for_log(&kept, LIMIT);
    if kept.chars().count() > LIMIT { shown + "…" } else { shown }
}

fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("//") else { return address.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match host.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}//…@{host}{path}"),
        None => address.to_owned(),
    }
}

/// One parameter, without its value if that may be a secret.
fn redacted(pair: &str) -> String {
    const NAMES: [&str; 10] = ["code", "token", "secret", "pass", "key", "sig", "auth", "session", "jwt", "cred"];
    const LONGEST: usize = 24;
    let Some((name, value)) = pair.split_once('=') else {
        return if pair.len() > LONGEST { "…".to_owned() } else { pair.to_owned() };
    };
    // The name may be encoded: what is decoded is compared, what was sent is shown.
    let decoded: String = url::form_urlencoded::parse(name.as_bytes()).map(|(name, _)| name.to_lowercase()).collect();
    if value.len() > LONGEST || NAMES.iter().any(|secret| decoded.contains(secret)) {
        format!("{name}=…")
    } else {
        pair.to_owned()
    }
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
    use super::*;

    #[test]
    fn a_line_break_does_not_survive() {
        assert_eq!(for_log("a\r\nb\0c", 10), "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(for_log("abcdef", 3), "abc");
    }

    #[test]
    fn u06_every_character_is_seen() {
        assert_eq!(escaped("https://a.example/\u{200b}ü\n", 100), "https://a.example/\\u{200b}\\u{fc}\\u{a}");
        assert_eq!(escaped("abcdef", 3), "abc…");
    }

    #[test]
    fn u06_a_uri_keeps_its_form_and_loses_its_secrets() {
        let kept = "https://app.example/cb?tenant=a&page=2";
        assert_eq!(uri_for_log(kept), kept);
        for (sent, logged) in [
            ("https://app.example/cb?code=abc&x=1", "https://app.example/cb?code=…&x=1"),
            ("https://app.example/cb?Access%5fToken=abc", "https://app.example/cb?Access%5fToken=…"),
            ("https://app.example/cb#id_token=a.b.c", "https://app.example/cb#id_token=…"),
            ("https://ada:pw@app.example/cb", "https://…@app.example/cb"),
            ("https://ada:pw@app.example", "https://…@app.example"),
            ("https://app.example/cb?x=0123456789012345678901234", "https://app.example/cb?x=…"),
            ("https://app.example/cb?0123456789012345678901234", "https://app.example/cb?…"),
            ("x\r\ny", "x\u{fffd}\u{fffd}y"),
        ] {
            assert_eq!(uri_for_log(sent), logged);
        }
        assert_eq!(uri_for_log(&"x".repeat(400)).chars().count(), 301);
    }

    #[test]
    fn names_of_every_script_are_one_line() {
        for name in ["Notes", "メモ", "שלום", "a\u{200d}b", "हिन्दी"] {
            assert!(is_one_line(name), "{name}");
        }
        for name in ["a\nb", "a\tb", "a\0", "\u{1b}[2J", "a\u{2028}b", "a\u{202e}b", "\u{2066}a", "\u{85}"] {
            assert!(!is_one_line(name), "{name:?}");
        }
    }
}
