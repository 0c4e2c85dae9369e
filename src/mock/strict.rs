//! JSON from developers, read strictly. Nothing of it is secret, so refusals show the member, what it held and what is nearest.

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use strsim::jaro_winkler;

/// Reads one JSON value.
///
/// # Errors
/// A sentence that names the member, and the nearest known one if it is unknown.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| sentence(&e))?;
    reader.end().map_err(|_| "something follows the JSON value".to_owned())?;
    Ok(value)
}

fn sentence(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, text) = (error.path().to_string(), error.inner().to_string());
    if error.inner().classify() != Category::Data {
        return format!("the body is not valid JSON: {text}");
    }
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if let Some(hint) = unknown(text) {
        return match path.as_str() {
            "." => hint,
            path => format!("{path}: {hint}"),
        };
    }
    match path.as_str() {
        "." => text.to_owned(),
        path => format!("{path}: {text}"),
    }
}

/// What serde says of an unknown name, with the nearest of those that it lists.
fn unknown(text: &str) -> Option<String> {
    let kind = match text.split('`').next()? {
        "unknown field " => "unknown member",
        "unknown variant " => "unknown name",
        _ => return None,
    };
    let mut quoted = text.split('`').skip(1).step_by(2);
    let written = quoted.next()?;
    let hint = nearest(written, quoted).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Some(format!("{kind} {written}{hint}"))
}

/// The name that is most like the one that was written.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |name: &str| jaro_winkler(written, name);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::rules::settings::RuleSettings;

    #[test]
    fn the_member_and_the_nearest_known_one_are_named() {
        let why = |json: &str| parse::<Vec<RuleSettings>>(json.as_bytes()).expect_err(json);
        for (json, says) in [
            (r#"[{"mach": {}, "then": "drop"}]"#, "[0].mach: unknown member mach; did you mean match?"),
            (
                r#"[{"match": {"paht": "/"}, "then": "drop"}]"#,
                "[0].match.paht: unknown member paht; did you mean path?",
            ),
            (r#"[{"then": "dorp"}]"#, "[0].then: unknown name dorp; did you mean drop?"),
            (r#"[{"then": {"statos": 503}}]"#, "[0].then.statos: unknown member statos; did you mean status?"),
            (r#"[{}]"#, "[0]: missing field `then`"),
            (r#"[{"then": {"status": "x"}}]"#, "[0].then.status: invalid type: string \"x\", expected u16"),
            ("[] []", "something follows the JSON value"),
        ] {
            assert_eq!(why(json), says, "{json}");
        }
        assert!(why("[").starts_with("the body is not valid JSON: "));
    }
}
