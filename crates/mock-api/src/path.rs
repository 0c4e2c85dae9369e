//! Paths with places for anything, and which of them a request's is.

use percent_encoding::percent_decode_str;

/// A path such as `/pets/{petId}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    /// Texts with names between them: `{id}`, `{name}.{ext}`. The first text stands before the first name.
    Open {
        first: String,
        rest: Vec<(String, String)>,
    },
}

/// The names of a path and what stands in their places, decoded.
pub type Values = Vec<(String, String)>;

impl Pattern {
    /// Reads a path.
    ///
    /// # Errors
    /// A sentence, if it does not begin with a slash, or its braces do not fit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(format!("the path {text:?} must begin with a slash"));
        };
        let segments = inner.split('/').map(|one| Segment::parse(one, text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands in the places of the names, if the path fits.
    pub fn matches(&self, path: &str) -> Option<Values> {
        let mut given = path.strip_prefix('/')?.split('/');
        let mut values = Vec::new();
        for segment in &self.segments {
            segment.matches(given.next()?, &mut values)?;
        }
        given.next().is_none().then_some(values)
    }

    /// Of two that fit, the one with the earlier fixed segment comes first (OpenAPI, Paths Object).
    pub fn rank(&self) -> Vec<u8> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Fixed(_) => 0,
                Segment::Open { first, rest } if !first.is_empty() || rest.len() > 1 => 1,
                Segment::Open { .. } => 2,
            })
            .collect()
    }

    /// The same but for the names.
    pub fn is_like(&self, other: &Self) -> bool {
        let shape = |pattern: &Self| -> Vec<Option<String>> {
            let fixed = |segment: &Segment| match segment {
                Segment::Fixed(text) => Some(text.clone()),
                Segment::Open { .. } => None,
            };
            pattern.segments.iter().map(fixed).collect()
        };
        shape(self) == shape(other)
    }

    /// How many segments differ, and the first that does, for paths of as many segments.
    pub fn differs(&self, path: &str) -> Option<(usize, String)> {
        let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if given.len() != self.segments.len() {
            return None;
        }
        let mut differing = self
            .segments
            .iter()
            .zip(given)
            .filter(|(segment, given)| segment.matches(given, &mut Vec::new()).is_none());
        let (segment, given) = differing.next()?;
        Some((1 + differing.count(), format!("the segment {given:?} differs from {:?}", segment.text())))
    }

    pub fn segments(&self) -> usize {
        self.segments.len()
    }
}

impl Segment {
    fn parse(text: &str, whole: &str) -> Result<Self, String> {
        let unclosed = || format!("the braces of the path {whole:?} do not fit");
        let Some((first, mut more)) = text.split_once('{') else {
            return if text.contains('}') { Err(unclosed()) } else { Ok(Self::Fixed(text.to_owned())) };
        };
        let mut rest = Vec::new();
        loop {
            let (name, after) = more.split_once('}').ok_or_else(unclosed)?;
            if name.is_empty() || name.contains('{') {
                return Err(unclosed());
            }
            match after.split_once('{') {
                Some((between, next)) => {
                    rest.push((name.to_owned(), between.to_owned()));
                    more = next;
                }
                None => {
                    rest.push((name.to_owned(), after.to_owned()));
                    return Ok(Self::Open { first: first.to_owned(), rest });
                }
            }
        }
    }

    fn matches(&self, given: &str, values: &mut Values) -> Option<()> {
        let decoded = percent_decode_str(given).decode_utf8().ok()?;
        match self {
            Self::Fixed(text) => (given == text || decoded == text.as_str()).then_some(()),
            Self::Open { first, rest } => {
                let mut left = decoded.strip_prefix(first.as_str())?;
                for (at, (name, after)) in rest.iter().enumerate() {
                    let end = if at + 1 == rest.len() {
                        left.strip_suffix(after.as_str())?.len()
                    } else if after.is_empty() {
                        left.chars().next()?.len_utf8()
                    } else {
                        left.find(after.as_str())?
                    };
                    let value = left.get(..end).filter(|value| !value.is_empty())?;
                    values.push((name.clone(), value.to_owned()));
                    left = left.get(end + after.len()..)?;
                }
                Some(())
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Open { first, rest } => {
                rest.iter().fold(first.clone(), |text, (name, after)| format!("{text}{{{name}}}{after}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pattern: &str, path: &str) -> Option<Values> {
        Pattern::parse(pattern).expect("a path").matches(path)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn paths_match() {
        assert_eq!(values("/pets", "/pets"), Some(vec![]));
        assert_eq!(values("/pets/{id}", "/pets/a%20b"), Some(vec![pair("id", "a b")]));
        assert_eq!(values("/pets/{id}", "/pets/a%2Fb"), Some(vec![pair("id", "a/b")]));
        assert_eq!(values("/f/{name}.{ext}", "/f/a.tar"), Some(vec![pair("name", "a"), pair("ext", "tar")]));
        assert_eq!(values("/v{n}/x", "/v2/x"), Some(vec![pair("n", "2")]));
        for (pattern, path) in [
            ("/pets", "/pets/"),
            ("/pets/{id}", "/pets/"),
            ("/pets/{id}", "/pets"),
            ("/pets/{id}", "/pets/a/b"),
            ("/pets/{id}", "/pets/%ff"),
            ("/f/{name}.{ext}", "/f/a"),
        ] {
            assert_eq!(values(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn fixed_comes_before_open() {
        let rank = |path: &str| Pattern::parse(path).expect("a path").rank();
        assert!(rank("/pets/mine") < rank("/pets/x{id}") && rank("/pets/x{id}") < rank("/pets/{id}"));
        assert!(rank("/a/{b}/c") < rank("/{a}/b/c"));
    }

    #[test]
    fn broken_paths_are_refused() {
        for broken in ["pets", "", "/{", "/{}", "/}", "/{a{b}}"] {
            assert!(Pattern::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn likeness_and_difference() {
        let pattern = |path: &str| Pattern::parse(path).expect("a path");
        assert!(pattern("/a/{id}").is_like(&pattern("/a/{other}")));
        assert!(!pattern("/a/{id}").is_like(&pattern("/a/b")));
        let (count, why) = pattern("/store/orders/{id}").differs("/store/order/1").expect("different");
        assert_eq!((count, why.as_str()), (1, "the segment \"order\" differs from \"orders\""));
        assert_eq!(pattern("/a").differs("/a/b"), None);
    }
}
