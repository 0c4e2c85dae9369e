//! Media types, and which of them a caller takes (RFC 9110 §12.5.1).

/// A media type without its parameters, in small letters.
pub fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub fn is_json(media: &str) -> bool {
    let media = essence(media);
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// Whether a media range, such as `image/*`, has a media type.
pub fn covers(range: &str, media: &str) -> bool {
    let (range, media) = (essence(range), essence(media));
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => media.split('/').next() == Some(kind),
        None => range == media,
    }
}

/// Of what is offered, in the order of preference, what is accepted best; `None` if nothing is.
pub fn choose<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let accept = accept.map(str::trim).filter(|accept| !accept.is_empty()).unwrap_or("*/*");
    let ranges: Vec<(&str, f32)> = accept.split(',').map(range).collect();
    let quality = |media: &str| {
        let covering = ranges.iter().filter(|(range, _)| covers(range, media));
        // The most specific range that has it decides, even if it says no.
        covering.max_by_key(|(range, _)| specificity(range)).map_or(0.0, |(_, quality)| *quality)
    };
    let mut best: Option<(&str, f32)> = None;
    for &media in offered {
        let quality = quality(media);
        if quality > 0.0 && best.is_none_or(|(_, known)| quality > known) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media)
}

fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
    (media, quality)
}

fn specificity(range: &str) -> u8 {
    match range {
        "*/*" => 0,
        _ if range.ends_with("/*") => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_what_is_offered() {
        let offered = ["application/json", "application/xml", "text/plain"];
        let choose = |accept| super::choose(accept, &offered);
        assert_eq!(choose(None), Some("application/json"));
        assert_eq!(choose(Some("")), Some("application/json"));
        assert_eq!(choose(Some("*/*")), Some("application/json"));
        assert_eq!(choose(Some("text/*")), Some("text/plain"));
        assert_eq!(choose(Some("application/xml, application/json")), Some("application/json"));
        assert_eq!(choose(Some("application/xml;q=0.9, application/json;q=0.5")), Some("application/xml"));
        assert_eq!(choose(Some("application/json;q=0, */*;q=0.1")), Some("application/xml"));
        assert_eq!(choose(Some("image/png")), None);
        assert!(super::choose(Some("application/json"), &["application/json; charset=utf-8"]).is_some());
    }

    #[test]
    fn json_has_many_names() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["application/xml", "text/plain", "application/jsonp"] {
            assert!(!is_json(other), "{other}");
        }
    }
}
