//! Spans as people write them.

/// `3600`, `"1h"`, `"-30m"` or `"1d12h"`, in seconds.
///
/// # Errors
/// A sentence that shows the form.
pub fn seconds(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is no span such as \"90s\", \"15m\", \"1h\", \"1d12h\" or \"-1h\"");
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest.is_empty() {
        return Err(bad());
    }
    if let Ok(seconds) = rest.parse::<i64>() {
        return Ok(sign * seconds);
    }
    let (mut total, mut digits) = (0_i64, String::new());
    for letter in rest.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad()),
        };
        let number: i64 = digits.parse().map_err(|_| bad())?;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(bad)?;
        digits.clear();
    }
    if digits.is_empty() { Ok(sign * total) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, expected) in
            [("90", 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("1d12h", 129_600), ("-1h", -3600)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "-", "h", "1x", "1h30", "99999999999999999999w", "1 h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
