//! How a redirect URI that was sent differs from one that is registered, in words for a developer. Nothing is decided
//! here: URIs are compared character by character (RFC 9700 §4.1.3).

use url::Url;

/// The registered URI that is most like the one that was sent, and what differs.
pub fn nearest<'a>(sent: &str, registered: impl Iterator<Item = &'a str>) -> Option<(&'a str, String)> {
    let likeness = |uri: &&str| {
        let score = strsim::normalized_damerau_levenshtein(uri, sent);
        // Ordered as an integer, because a float is not.
        (score * 1_000_000.0) as u64
    };
    let nearest = registered.max_by_key(likeness)?;
    Some((nearest, difference(sent, nearest)))
}

fn difference(sent: &str, registered: &str) -> String {
    if sent.eq_ignore_ascii_case(registered) {
        return "differs in upper and lower case".to_owned();
    }
    if sent.trim_end_matches('/') == registered.trim_end_matches('/') {
        let which = if sent.ends_with('/') { "sent" } else { "registered" };
        return format!("differs in the slash at the end of the {which} one");
    }
    if sent.trim() == registered {
        return "has white space around it".to_owned();
    }
    let (Ok(a), Ok(b)) = (Url::parse(sent), Url::parse(registered)) else {
        return "differs: what was sent is not an absolute URI".to_owned();
    };
    let parts = [
        (a.scheme() != b.scheme(), format!("the scheme ({}, registered {})", a.scheme(), b.scheme())),
        (a.host_str() != b.host_str(), format!("the host ({}, registered {})", host(&a), host(&b))),
        (
            a.port_or_known_default() != b.port_or_known_default(),
            format!("the port ({}, registered {})", port(&a), port(&b)),
        ),
        (a.path() != b.path(), "the path".to_owned()),
        (a.query() != b.query(), "the query".to_owned()),
        (a.fragment().is_some(), "the fragment, which a redirect URI cannot have".to_owned()),
        (!a.username().is_empty() || a.password().is_some(), "the user information".to_owned()),
    ];
    let named: Vec<String> = parts.into_iter().filter(|(differs, _)| *differs).map(|(_, words)| words).collect();
    match named.as_slice() {
        [] => "differs in how it is written, such as in percent-encoding".to_owned(),
        named => format!("differs in {}", named.join(", ")),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("none")
}

fn port(url: &Url) -> String {
    url.port_or_known_default().map_or_else(|| "none".to_owned(), |port| port.to_string())
}

/// A word for a POSIX shell, in quotes where it needs some.
pub fn shell_word(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?=+,@%".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) && !word.contains('?') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u06_what_differs_is_named() {
        let registered = ["https://notes.example/callback", "http://127.0.0.1/cb"];
        for (sent, words) in [
            ("https://notes.example/Callback", "differs in upper and lower case"),
            ("https://notes.example/callback/", "differs in the slash at the end of the sent one"),
            (
                "http://notes.example/callback",
                "differs in the scheme (http, registered https), the port (80, registered 443)",
            ),
            ("https://notes.example:8443/callback", "differs in the port (8443, registered 443)"),
            ("https://notes.example.org/callback", "differs in the host (notes.example.org, registered notes.example)"),
            ("https://notes.example/callbacks", "differs in the path"),
            ("https://notes.example/callback?a=b", "differs in the query"),
            ("https://notes.example/c%61llback", "differs in the path"),
            (" https://notes.example/callback", "has white space around it"),
            ("/callback", "differs: what was sent is not an absolute URI"),
        ] {
            let (nearest, told) = nearest(sent, registered.iter().copied()).expect("one is registered");
            assert_eq!((nearest, told.as_str()), (registered[0], words), "{sent}");
        }
        assert_eq!(nearest("http://localhost/cb", registered.iter().copied()).expect("one").0, registered[1]);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }

    #[test]
    fn u06_a_command_takes_any_address_as_one_word() {
        assert_eq!(shell_word("https://notes.example/cb"), "https://notes.example/cb");
        assert_eq!(shell_word("https://notes.example/cb?a=b&c='d'"), r"'https://notes.example/cb?a=b&c='\''d'\'''");
        assert_eq!(shell_word("$(id)"), "'$(id)'");
        assert_eq!(shell_word(""), "''");
    }
}
