//! Times and durations in JSON (RFC 7519 §2).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A time in seconds since 1970, or a number of seconds, as JSON has it: a fraction is allowed (RFC 7519 §2).
///
/// Whatever reads a time or a duration from JSON reads this type, and decides by [`Self::floor`] or [`Self::ceil`] what
/// becomes of a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumericDate {
    floor: i64,
    has_fraction: bool,
}

/// Beyond this a double cannot tell whole numbers apart (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

impl NumericDate {
    /// The last whole second that is not after it: for an end.
    pub fn floor(self) -> i64 {
        self.floor
    }

    /// The first whole second that is not before it: for a beginning.
    pub fn ceil(self) -> i64 {
        self.floor.saturating_add(i64::from(self.has_fraction))
    }
}

/// Seconds that may be left out, for a member of a JSON body; a fraction is cut off.
pub fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<NumericDate>::deserialize(deserializer)?.map(NumericDate::floor))
}

struct Number;

impl Visitor<'_> for Number {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds")
    }

    fn visit_i64<E: Error>(self, floor: i64) -> Result<NumericDate, E> {
        Ok(NumericDate { floor, has_fraction: false })
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
        i64::try_from(seconds).map(|floor| NumericDate { floor, has_fraction: false }).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
        let floor = seconds.floor();
        if !(-EXACT..=EXACT).contains(&floor) {
            return Err(E::custom("a number of seconds that no calendar has"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
        Ok(NumericDate { floor: floor as i64, has_fraction: floor < seconds })
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<(i64, i64)> {
        serde_json::from_str::<NumericDate>(json).ok().map(|date| (date.floor(), date.ceil()))
    }

    #[test]
    fn a_fraction_is_a_number() {
        for (json, floor, ceil) in [
            ("1795751052", 1_795_751_052, 1_795_751_052),
            ("1795751052.0", 1_795_751_052, 1_795_751_052),
            ("1795751052.5", 1_795_751_052, 1_795_751_053),
            ("1.795751052e9", 1_795_751_052, 1_795_751_052),
            ("-0.5", -1, 0),
            ("-9223372036854775808", i64::MIN, i64::MIN),
        ] {
            assert_eq!(read(json), Some((floor, ceil)), "{json}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for json in ["\"1795751052\"", "null", "true", "[1]", "{}", "1e40", "1e400", "18446744073709551615", "NaN", ""]
        {
            assert_eq!(read(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn both_bounds_are_within_a_second(seconds in -1e15f64..1e15) {
            let (floor, ceil) = read(&format!("{seconds:e}")).expect("a number");
            #[expect(clippy::cast_precision_loss, reason = "within 2^53")]
            let (low, high) = (floor as f64, ceil as f64);
            prop_assert!(low <= seconds && seconds <= high && high - low <= 1.0);
        }
    }
}
