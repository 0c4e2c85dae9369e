//! Numbers within bounds.

use serde_json::{Map, Number, Value};

use super::dice::Dice;

/// How far from the only bound, or from zero, a number is looked for.
const SPAN: f64 = 100.0;
/// Whole numbers beyond this are not exact as `f64`.
const EXACT: f64 = 9_007_199_254_740_991.0;

struct Bounds {
    low: f64,
    high: f64,
    low_excluded: bool,
    high_excluded: bool,
}

impl Bounds {
    fn of(schema: &Map<String, Value>, least: f64) -> Self {
        let number = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        let (low, low_excluded) = stricter(number("minimum"), number("exclusiveMinimum"), |a, b| a > b);
        let (high, high_excluded) = stricter(number("maximum"), number("exclusiveMaximum"), |a, b| a < b);
        // Those of `int32` say how numbers are stored, and not which ones are meant.
        let low = low.filter(|low| *low > f64::from(i32::MIN));
        let high = high.filter(|high| *high < f64::from(i32::MAX));
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + SPAN),
            (None, Some(high)) => (high.min(least).min(high - SPAN).max(high - SPAN), high),
            (None, None) => (least, least + SPAN),
        };
        Self { low: low.clamp(-EXACT, EXACT), high: high.clamp(-EXACT, EXACT), low_excluded, high_excluded }
    }
}

/// Of a bound and an excluded one that which says more.
fn stricter(included: Option<f64>, excluded: Option<f64>, more: impl Fn(f64, f64) -> bool) -> (Option<f64>, bool) {
    match (included, excluded) {
        (Some(included), Some(excluded)) if more(included, excluded) => (Some(included), false),
        (_, Some(excluded)) => (Some(excluded), true),
        (included, None) => (included, false),
    }
}

/// A multiple of a step between bounds, as how many steps.
fn steps(bounds: &Bounds, step: f64, dice: &mut Dice) -> f64 {
    let (mut from, mut to) = ((bounds.low / step).ceil(), (bounds.high / step).floor());
    if bounds.low_excluded && from * step <= bounds.low {
        from += 1.0;
    }
    if bounds.high_excluded && to * step >= bounds.high {
        to -= 1.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "both are within what is exact")]
    let (from, to) = (from.clamp(-EXACT, EXACT) as i64, to.clamp(-EXACT, EXACT) as i64);
    #[expect(clippy::cast_precision_loss, reason = "it is within what is exact")]
    let steps = dice.between(from, to) as f64;
    steps
}

pub fn integer(schema: &Map<String, Value>, dice: &mut Dice) -> Value {
    let step = schema.get("multipleOf").and_then(Value::as_f64).filter(|step| *step > 0.0).unwrap_or(1.0);
    // A step of 0.5 has whole multiples too.
    let step = if step.fract() == 0.0 { step } else { step * (1.0 / step.fract()).round().max(1.0) };
    let bounds = Bounds::of(schema, 1.0);
    let bounds = Bounds { high: if step > SPAN { bounds.high.max(bounds.low + step) } else { bounds.high }, ..bounds };
    #[expect(clippy::cast_possible_truncation, reason = "it is within what is exact")]
    let number = (steps(&bounds, step, dice) * step).round() as i64;
    Value::Number(number.into())
}

pub fn number(schema: &Map<String, Value>, dice: &mut Dice) -> Value {
    let said = schema.get("multipleOf").and_then(Value::as_f64).filter(|step| *step > 0.0);
    let bounds = Bounds::of(schema, 1.0);
    let step =
        said.unwrap_or_else(|| if bounds.high - bounds.low < 0.1 { (bounds.high - bounds.low) / 16.0 } else { 0.01 });
    let step = if step > 0.0 { step } else { 0.01 };
    let exact = steps(&bounds, step, dice) * step;
    // 7 * 0.01 is 0.07 and not 0.07000000000000001.
    let decimals = format!("{step}").split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let rounded = format!("{exact:.decimals$}").parse().unwrap_or(exact);
    let number =
        if bounds.low > bounds.high || (said.is_none() && rounded < bounds.low) { bounds.low } else { rounded };
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}
