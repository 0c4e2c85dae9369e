//! Durations as people write them: `90s`, `15m`, `1h`, `1d12h`, `2w`, or a bare number of seconds. One syntax for every flag
//! and every control document.

use super::Seconds;

/// The longest duration that a flag may have, in seconds: a hundred years.
const LONGEST: Seconds = 100 * 365 * 86_400;

/// Reads a duration that is not negative, at most a hundred years. Fits clap's `value_parser`.
///
/// # Errors
/// A sentence that shows the form.
pub fn parse(text: &str) -> Result<Seconds, String> {
    let seconds = sum(text)?;
    if seconds > LONGEST { Err("is more than a hundred years".to_owned()) } else { Ok(seconds) }
}

/// Reads a duration that may begin with a minus sign.
///
/// # Errors
/// A sentence that shows the form.
pub fn parse_signed(text: &str) -> Result<Seconds, String> {
    match text.strip_prefix('-') {
        Some(rest) => sum(rest).map(|seconds| -seconds),
        None => sum(text),
    }
}

/// Writes seconds in the largest units that have no remainder: `1d12h`.
pub fn format(seconds: Seconds) -> String {
    if seconds <= 0 {
        return format!("{seconds}s");
    }
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        if rest >= unit {
            text.push_str(&format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    text
}

fn sum(text: &str) -> Result<Seconds, String> {
    let malformed = || format!("{text:?} is not a duration such as 90s, 15m, 1h, 1d12h or 2w");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| malformed());
    }
    let (mut total, mut digits) = (None, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit: Seconds = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(malformed()),
        };
        let number: Seconds = digits.parse().map_err(|_| malformed())?;
        let part = number.checked_mul(unit).ok_or_else(malformed)?;
        total = Some(part.checked_add(total.unwrap_or(0)).ok_or_else(malformed)?);
        digits.clear();
    }
    total.filter(|_| digits.is_empty()).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in
            [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("1d12h", 129_600), ("2w", 1_209_600)]
        {
            assert_eq!(parse(text), Ok(expected), "{text}");
            assert_eq!(parse_signed(&format!("-{text}")), Ok(-expected), "{text}");
        }
        for text in ["", "-", "h", "1x", "1h30", "-1h", "99999999999999999999w", "1 h", "1.5h", "1y", "9999999d", "1ü"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for seconds in [1, 59, 60, 3600, 86_400, 129_600, 90_061] {
            assert_eq!(parse(&format(seconds)), Ok(seconds));
        }
        assert_eq!(format(129_600), "1d12h");
    }
}
