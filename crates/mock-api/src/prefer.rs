//! What a caller would rather have (RFC 7240): `Prefer: code=404, example=empty, dynamic=true`.

use actix_web::http::header::HeaderMap;

/// The preferences that this server knows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Prefer {
    /// The answer of this status.
    pub code: Option<u16>,
    /// The example of this name.
    pub example: Option<String>,
    /// Something else every time, instead of examples.
    pub dynamic: bool,
}

impl Prefer {
    /// Those of a request. What is not understood is left out, as RFC 7240 §2 says.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all("prefer").filter_map(|line| line.to_str().ok());
        let mut prefer = Self::default();
        for one in lines.flat_map(|line| line.split([',', ';'])) {
            let (name, value) = one.split_once('=').unwrap_or((one, ""));
            let value = value.trim().trim_matches('"');
            // RFC 7240 §2: of the same preference twice, the first counts.
            match name.trim().to_ascii_lowercase().as_str() {
                "code" if prefer.code.is_none() => {
                    prefer.code = value.parse().ok().filter(|code| (200..600).contains(code))
                }
                "example" if prefer.example.is_none() && !value.is_empty() => prefer.example = Some(value.to_owned()),
                "dynamic" => prefer.dynamic |= value.is_empty() || value == "true",
                _ => {}
            }
        }
        prefer
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn of(lines: &[&'static str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static("prefer"), HeaderValue::from_static(line));
        }
        Prefer::of(&headers)
    }

    #[test]
    fn preferences_are_read() {
        let whole = Prefer { code: Some(404), example: Some("none".to_owned()), dynamic: true };
        assert_eq!(of(&["code=404, example=none, dynamic=true"]), whole);
        assert_eq!(of(&["Code = 404; example=\"none\"", "dynamic"]), whole);
        assert_eq!(of(&["code=404, code=500"]).code, Some(404));
        for nothing in ["", "respond-async", "code=x", "code=99", "code=1000", "example=", "dynamic=false"] {
            assert_eq!(of(&[nothing]), Prefer::default(), "{nothing}");
        }
    }
}
