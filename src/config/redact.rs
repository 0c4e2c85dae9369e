//! What may be shown of a value that can hold a password.

/// Stands where a secret was.
pub(super) const REDACTED: &str = "[redacted]";

/// A URL without its passwords, in the user information or as a parameter.
///
/// Works on the text, since PostgreSQL accepts URLs that a URL parser refuses; in doubt it hides too much.
pub(super) fn url(text: &str) -> String {
    user_information(&parameters(text))
}

fn parameters(text: &str) -> String {
    const NAME: &str = "password=";
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find(NAME) {
        let value = at + found + NAME.len();
        shown.push_str(&text[at..value]);
        shown.push_str(REDACTED);
        at = text[value..].find('&').map_or(text.len(), |end| value + end);
    }
    shown + &text[at..]
}

fn user_information(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return text.to_owned() };
    match user.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{REDACTED}@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn only_passwords_go() {
        for (given, shown) in [
            ("postgres://u:p@host/db", "postgres://u:[redacted]@host/db"),
            ("postgres://u:p@ss/w?rd@host:5432/db", "postgres://u:[redacted]@host:5432/db"),
            ("postgres://u:p@/db?host=/run", "postgres://u:[redacted]@/db?host=/run"),
            ("postgres://u:p@h1:1,h2:2/db", "postgres://u:[redacted]@h1:1,h2:2/db"),
            ("postgres://u@host:5432/db", "postgres://u@host:5432/db"),
            ("postgres://h:1/d?Password=a@b&x=y", "postgres://h:1/d?Password=[redacted]&x=y"),
            ("postgres://h/d?x=y&password=a&password=b", "postgres://h/d?x=y&password=[redacted]&password=[redacted]"),
            ("sqlite:///var/lib/latchway.db", "sqlite:///var/lib/latchway.db"),
            ("", ""),
        ] {
            assert_eq!(url(given), shown);
        }
    }
}
