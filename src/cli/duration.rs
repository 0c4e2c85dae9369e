//! Spans of time as people write them: `90d`, `12h`, `30m`, `45s`, `2w`, or seconds.

use crate::support::Seconds;

/// Reads a span; for clap.
pub fn parse(text: &str) -> Result<Seconds, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(WANTED.to_owned()),
    };
    let number: Seconds = number.parse().map_err(|_| WANTED.to_owned())?;
    number.checked_mul(seconds).filter(|span| *span <= LONGEST).ok_or_else(|| "is more than a hundred years".to_owned())
}

const WANTED: &str = "must be a number with a unit, such as 90d, 12h, 30m or 45s";
const LONGEST: Seconds = 100 * 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spans_are_read() {
        assert_eq!(parse("90d"), Ok(7_776_000));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("2w"), Ok(1_209_600));
        assert_eq!(parse("1h"), Ok(3_600));
        for bad in ["", "d", "-1d", "1.5h", "1y", "99999999999999999999d", "9999999d", "1 d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
