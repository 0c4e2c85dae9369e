//! `format: int64`, exactly: what does not fit becomes a float where JSON is read, and equals the bound then.

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// The keyword that stands for the format in translated schemas.
pub const KEYWORD: &str = "x-int64";

/// 2⁶³
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

pub struct Int64;

type Made<'a> = Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>;

/// The keyword, for the options of a validator.
pub fn int64<'a>(_: &'a Map<String, Value>, _: &'a Value, _: Location) -> Made<'a> {
    Ok(Box::new(Int64))
}

impl<'i> Keyword<'i> for Int64 {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom(format!("{instance} does not fit into int64")))
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        match instance {
            Value::Number(number) => {
                number.as_i64().is_some() || number.as_f64().is_some_and(|float| float.abs() < BEYOND)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_exact() {
        let validator = jsonschema::options().with_keyword(KEYWORD, int64);
        let validator = validator.build(&serde_json::json!({"x-int64": true})).expect("a schema");
        let fits = |text: &str| validator.is_valid(&serde_json::from_str(text).expect("JSON"));
        for good in ["9223372036854775807", "-9223372036854775808", "0", "1.0", "\"x\""] {
            assert!(fits(good), "{good}");
        }
        for bad in ["9223372036854775808", "-9223372036854775809", "1e30", "18446744073709551615"] {
            assert!(!fits(bad), "{bad}");
        }
    }
}
