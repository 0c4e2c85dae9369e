//! Texts: of a format, of a pattern, or words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::{pattern, words};

pub fn text(schema: &Map<String, Value>, name: &str, dice: &mut Dice) -> String {
    let length = |keyword: &str| {
        let number = schema.get(keyword).and_then(Value::as_f64)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked at load, and bounded")]
        let length = number.clamp(0.0, 100_000.0) as usize;
        Some(length)
    };
    let (least, most) = (length("minLength").unwrap_or(0), length("maxLength").unwrap_or(usize::MAX));
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && let Some(made) = matching(pattern, least, most, dice).or_else(|| matching_all(pattern, least, most, dice))
    {
        return made;
    }
    let made = schema.get("format").and_then(Value::as_str).and_then(|format| of_format(format, dice));
    match made {
        Some(made) if (least..=most).contains(&made.chars().count()) => made,
        _ => fit(words::by_name(name, dice), least, most, dice),
    }
}

/// One of several, of a length that is allowed, for a pattern that looks ahead or back: made without that, and checked.
fn matching_all(pattern: &str, least: usize, most: usize, dice: &mut Dice) -> Option<String> {
    let validator = jsonschema::options().build(&json!({"pattern": pattern})).ok()?;
    let plain = pattern::plain(pattern);
    for attempt in 0..MANY {
        // What looks ahead often wants more characters than what is left of the pattern makes.
        let made = pattern::text(&plain, dice, least.max(attempt % 16))?;
        if (least..=most).contains(&made.chars().count()) && validator.is_valid(&Value::String(made.clone())) {
            return Some(made);
        }
    }
    None
}

/// So many texts are tried for a pattern that cannot be made directly.
const MANY: usize = 400;

/// One of several, of a length that is allowed.
fn matching(pattern: &str, least: usize, most: usize, dice: &mut Dice) -> Option<String> {
    let mut last = None;
    for _ in 0..20 {
        let made = pattern::text(pattern, dice, least)?;
        if (least..=most).contains(&made.chars().count()) {
            return Some(made);
        }
        last = Some(made);
    }
    last
}

fn fit(mut text: String, least: usize, most: usize, dice: &mut Dice) -> String {
    while text.chars().count() < least {
        text.push_str(words::word(dice));
    }
    if text.chars().count() > most { text.chars().take(most.max(least)).collect() } else { text }
}

fn of_format(format: &str, dice: &mut Dice) -> Option<String> {
    let date = |dice: &mut Dice| {
        format!("20{:02}-{:02}-{:02}", dice.between(20, 29), dice.between(1, 12), dice.between(1, 28))
    };
    let time = |dice: &mut Dice| format!("{:02}:{:02}:{:02}Z", dice.below(24), dice.below(60), dice.below(60));
    let bytes = |dice: &mut Dice| STANDARD.encode(words::word(dice));
    Some(match format {
        "date-time" => format!("{}T{}", date(dice), time(dice)),
        "date" => date(dice),
        "time" => time(dice),
        "duration" => format!("P{}DT{}H", dice.between(1, 30), dice.between(1, 23)),
        "uuid" => dice.uuid().to_string(),
        "email" | "idn-email" => words::email(dice),
        "hostname" | "idn-hostname" => format!("{}.example.com", words::word(dice)),
        "ipv4" => format!("192.0.2.{}", dice.between(1, 254)),
        "ipv6" => format!("2001:db8::{:x}", dice.between(1, 0xffff)),
        "uri" | "iri" | "url" => format!("https://example.com/{}/{}", words::word(dice), dice.below(1000)),
        "uri-reference" | "iri-reference" => format!("/{}/{}", words::word(dice), dice.below(1000)),
        "uri-template" => format!("/{}/{{id}}", words::word(dice)),
        "json-pointer" => format!("/{}", words::word(dice)),
        "relative-json-pointer" => format!("1/{}", words::word(dice)),
        "regex" => "^[a-z]+$".to_owned(),
        "byte" => bytes(dice),
        "binary" => words::word(dice).to_owned(),
        "password" => format!("{}-{}-{}", words::word(dice), words::word(dice), dice.below(100)),
        _ => return None,
    })
}
