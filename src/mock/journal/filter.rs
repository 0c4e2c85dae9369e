//! Filters of the journal, read from a query.

use std::time::Duration;

use super::Entry;
use crate::mock::glob::glob;
use crate::mock::strict::nearest;

/// Longer waits are cut, in seconds: below the deadline of a request.
const MAX_WAIT: u64 = 20;

/// Which entries somebody wants: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Newer than this one.
    pub after: u64,
    pub method: Option<String>,
    /// With `*` for any characters.
    pub path: Option<String>,
    /// `401`, `4xx`, or `dropped`.
    pub status: Option<String>,
    /// `issuer`, `api`, or an issuer's prefix.
    pub place: Option<String>,
    pub client_id: Option<String>,
    /// The id of a rule that had its way.
    pub rule: Option<String>,
    /// Anywhere in the line, the bodies and the reason, in capitals or not.
    pub text: Option<String>,
    /// Wait for the first one.
    pub wait: Option<Duration>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
    /// The run whose journal it is, for browsers, which send no header.
    pub run: Option<String>,
    pub format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Html,
    /// The entries of the page alone.
    Fragment,
}

const NAMES: &[&str] =
    &["after", "client_id", "format", "limit", "method", "path", "place", "rule", "run", "status", "text", "wait"];

impl Filter {
    /// Reads a query. What is empty, as forms send it, is not given.
    ///
    /// # Errors
    /// A sentence that names the parameter.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !NAMES.contains(&name.as_ref()) {
                let near = nearest(&name, NAMES.iter().copied()).unwrap_or_default();
                return Err(format!("unknown parameter {name}; did you mean {near}?"));
            }
            if value.is_empty() {
                continue;
            }
            let number = || value.parse::<u64>().map_err(|_| format!("{name} must be a whole number, not {value:?}"));
            let text = || Some(value.to_string());
            match name.as_ref() {
                "after" => filter.after = number()?,
                "wait" => filter.wait = Some(Duration::from_secs(number()?.min(MAX_WAIT))),
                "limit" => filter.limit = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
                "method" => filter.method = text(),
                "path" => filter.path = text(),
                "place" => filter.place = text(),
                "client_id" => filter.client_id = text(),
                "rule" => filter.rule = text(),
                "text" => filter.text = text(),
                "run" => filter.run = text(),
                "status" => filter.status = Some(status(&value)?),
                _ => filter.format = Some(format(&value)?),
            }
        }
        Ok(filter)
    }

    /// What a page has to ask for to show the same, and more of it.
    pub fn page_query(&self) -> String {
        let parts = [
            ("client_id", &self.client_id),
            ("method", &self.method),
            ("path", &self.path),
            ("place", &self.place),
            ("rule", &self.rule),
            ("run", &self.run),
            ("status", &self.status),
            ("text", &self.text),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parts.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        query.finish()
    }

    /// Whether an entry is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        entry.sequence > self.after
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&entry.method))
            && self.path.as_ref().is_none_or(|path| glob(path, &entry.path))
            && self.status.as_ref().is_none_or(|wanted| has_status(wanted, entry.status))
            && self.place.as_ref().is_none_or(|place| {
                place == entry.place || entry.issuer.as_ref().is_some_and(|prefix| place.trim_matches('/') == prefix)
            })
            && (self.client_id.is_none() || same(&self.client_id, entry.client_id.as_deref().unwrap_or_default()))
            && self.rule.as_ref().is_none_or(|rule| entry.rules.contains(rule))
            && self.text.as_ref().is_none_or(|text| says(entry, &text.to_lowercase()))
    }
}

fn status(value: &str) -> Result<String, String> {
    let value = value.to_ascii_lowercase();
    let class = value.len() == 3 && value.ends_with("xx") && value.starts_with(|c: char| ('2'..='5').contains(&c));
    let code = value.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    if class || code || value == "dropped" {
        return Ok(value);
    }
    Err(format!("status must be a code such as 401, a class such as 4xx, or dropped, not {value:?}"))
}

fn format(value: &str) -> Result<Format, String> {
    match value {
        "json" => Ok(Format::Json),
        "html" => Ok(Format::Html),
        "fragment" => Ok(Format::Fragment),
        other => Err(format!("format must be json or html, not {other:?}")),
    }
}

fn has_status(wanted: &str, found: Option<u16>) -> bool {
    match (found, wanted.strip_suffix("xx")) {
        (None, _) => wanted == "dropped",
        (Some(found), Some(class)) => (found / 100).to_string() == class,
        (Some(found), None) => found.to_string() == wanted,
    }
}

fn says(entry: &Entry, text: &str) -> bool {
    let bodies = [entry.request.body.as_deref(), entry.response.as_ref().and_then(|response| response.body.as_deref())];
    let more = [entry.refused.as_deref(), entry.client_id.as_deref(), entry.matched.as_deref()];
    let line = [entry.method.as_str(), &entry.path, &entry.query];
    let all = line.into_iter().chain(bodies.into_iter().chain(more).flatten());
    all.chain(entry.rules.iter().map(String::as_str)).any(|part| part.to_lowercase().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_given_must_hold() {
        let entry = Entry {
            sequence: 7,
            place: "issuer",
            issuer: Some("acme".into()),
            method: "POST".into(),
            path: "/acme/oauth2/token".into(),
            status: Some(401),
            client_id: Some("app".into()),
            rules: vec!["down".into()],
            refused: Some("invalid_client: Nobody".into()),
            ..Entry::default()
        };
        let wants = |query: &str| Filter::parse(query).expect(query).wants(&entry);
        for query in [
            "",
            "after=6",
            "method=post",
            "path=/acme/*",
            "status=401",
            "status=4xx",
            "place=issuer",
            "place=acme",
            "client_id=app",
            "rule=down",
            "text=nobody",
            "path=&status=",
            "path=*token&status=401&method=POST",
        ] {
            assert!(wants(query), "{query}");
        }
        for query in [
            "after=7",
            "method=GET",
            "path=/oauth2/token",
            "status=400",
            "status=5xx",
            "status=dropped",
            "place=api",
            "place=other",
            "client_id=b",
            "rule=up",
            "text=somebody",
            "path=*token&status=400",
        ] {
            assert!(!wants(query), "{query}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let why = |query: &str| Filter::parse(query).expect_err(query);
        assert_eq!(why("stauts=401"), "unknown parameter stauts; did you mean status?");
        assert!(why("status=4x").starts_with("status must be"));
        assert!(why("after=x").starts_with("after must be"));
        assert!(why("format=xml").starts_with("format must be"));
        let query = "path=%2Fa&status=4xx&text=x+y";
        assert_eq!(Filter::parse(&format!("wait=1&{query}&after=3")).expect("a filter").page_query(), query);
        assert_eq!(Filter::parse("wait=999").expect("a filter").wait, Some(Duration::from_secs(MAX_WAIT)));
    }
}
