//! `/mock/clock`: the time of a world, for its issuers and its API alike.

use actix_web::{HttpResponse, web};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reading::{Refusal, either, json as read, shown};
use crate::mock::house::World;
use crate::mock::journal::moment;
use crate::support::{Clock, duration};

/// The last moment that four digits of a year can write, in Unix milliseconds.
const END: i64 = 253_402_300_799_999;

/// What is to happen to the clock: one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Move {
    /// Stands still at a moment; `true` is the present one.
    frozen: Option<Value>,
    /// Goes on from a moment.
    now: Option<Value>,
    /// Seconds, or a span such as `1h`.
    advance: Option<Value>,
    /// The real time, going on.
    resume: Option<bool>,
}

/// `GET /mock/clock`
pub async fn get(world: web::Data<World>) -> HttpResponse {
    shown(&description(&world.clock))
}

/// `PUT /mock/clock`
pub async fn put(world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    either(read::<Move>(&body).and_then(|wanted| {
        change(&world.clock, &wanted).map_err(|why| Refusal::new(400, why))?;
        Ok(shown(&description(&world.clock)))
    }))
}

fn description(clock: &Clock) -> Value {
    let (now, real) = (clock.now_millis(), Clock::system().now_millis());
    json!({
        "now": moment(now),
        "now_millis": now,
        "frozen": clock.is_frozen(),
        "ahead_seconds": (now - real).div_euclid(1000) + i64::from((now - real).rem_euclid(1000) >= 500),
    })
}

fn change(clock: &Clock, wanted: &Move) -> Result<(), String> {
    match wanted {
        Move { frozen: Some(value), now: None, advance: None, resume: None } => {
            let at = if *value == Value::Bool(true) { clock.now_millis() } else { millis("frozen", value)? };
            clock.freeze_at(at);
        }
        Move { now: Some(value), frozen: None, advance: None, resume: None } => clock.set_to(millis("now", value)?),
        Move { advance: Some(value), frozen: None, now: None, resume: None } => {
            let seconds = span(value)?;
            let end = seconds.checked_mul(1000).and_then(|millis| clock.now_millis().checked_add(millis));
            if !end.is_some_and(|end| (0..=END).contains(&end)) {
                return Err("advance: that is not between the years 1970 and 9999".to_owned());
            }
            clock.advance(seconds);
        }
        Move { resume: Some(true), frozen: None, now: None, advance: None } => clock.resume(),
        _ => {
            let example = r#"give one of {"frozen": "2030-01-01T00:00:00Z"}, {"now": "2030-01-01T00:00:00Z"}, {"advance": "1h"}, {"resume": true}"#;
            return Err(example.to_owned());
        }
    }
    Ok(())
}

/// RFC 3339, or Unix seconds.
fn millis(member: &str, value: &Value) -> Result<i64, String> {
    let millis = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp_millis()),
        Value::Number(seconds) => seconds.as_i64().and_then(|seconds| seconds.checked_mul(1000)),
        _ => None,
    };
    millis
        .filter(|millis| (0..=END).contains(millis))
        .ok_or_else(|| format!("{member}: {value} is no moment such as \"2030-01-01T00:00:00Z\" or 1893456000"))
}

fn span(value: &Value) -> Result<i64, String> {
    match value {
        Value::String(text) => duration::parse_signed(text).map_err(|why| format!("advance: {why}")),
        Value::Number(seconds) => seconds.as_i64().ok_or_else(|| "advance: whole seconds, please".to_owned()),
        _ => Err("advance: seconds, or a span such as \"1h\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(clock: &Clock, json: Value) -> Result<(), String> {
        change(clock, &serde_json::from_value(json).expect("the shape"))
    }

    #[test]
    fn the_clock_is_frozen_set_advanced_and_resumed() {
        let clock = Clock::system();
        moved(&clock, json!({"frozen": "2030-01-01T00:00:00Z"})).expect("a moment");
        assert_eq!(clock.now(), 1_893_456_000);
        moved(&clock, json!({"advance": "1h"})).expect("a span");
        assert_eq!((clock.now(), clock.is_frozen()), (1_893_459_600, true));
        moved(&clock, json!({"now": 1_893_456_000})).expect("a moment");
        assert!(!clock.is_frozen() && (1_893_456_000..1_893_456_010).contains(&clock.now()));
        moved(&clock, json!({"frozen": true})).expect("the present");
        assert!(clock.is_frozen());
        moved(&clock, json!({"resume": true})).expect("the real time");
        assert!((clock.now_millis() - Clock::system().now_millis()).abs() < 1000);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let clock = Clock::system();
        clock.freeze_at(1_000);
        for bad in [
            json!({}),
            json!({"frozen": "tomorrow"}),
            json!({"frozen": false}),
            json!({"now": -1}),
            json!({"now": "+10000-01-01T00:00:00Z"}),
            json!({"advance": "soon"}),
            json!({"advance": 1.5}),
            json!({"advance": -10}),
            json!({"advance": i64::MAX}),
            json!({"resume": false}),
            json!({"advance": 1, "resume": true}),
        ] {
            assert!(moved(&clock, bad.clone()).is_err(), "{bad}");
            assert_eq!(clock.now_millis(), 1_000, "{bad}");
        }
    }
}
