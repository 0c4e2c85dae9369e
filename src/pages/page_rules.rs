//! What every page has to keep, whatever it shows. For tests.

/// Values that must never come out as they went in.
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)>{{7*7}}</script>\"'\u{202E}evil\u{200B}";

/// What holds for every page, of whichever room.
pub(crate) fn assert_safe(pages: &[(&str, String)]) {
    assert_bones(pages);
    assert_strict_policy(pages);
    assert_closed(pages);
    assert_harmless(pages);
}

pub(super) fn assert_bones(pages: &[(&str, String)]) {
    for (name, html) in pages {
        for (needle, count) in [("<h1", 1), ("<title>", 1), ("<main", 1), ("<html lang=\"en\">", 1)] {
            assert_eq!(html.matches(needle).count(), count, "{needle} in {name}");
        }
        assert!(!html.contains("<title> ·"), "{name} has no title");
    }
}

pub(super) fn assert_strict_policy(pages: &[(&str, String)]) {
    for (name, html) in pages {
        let lower = html.to_lowercase();
        for needle in ["<style", " style=", "javascript:", "data:", "<iframe", "<object", "<base"] {
            assert!(!lower.contains(needle), "{needle} in {name}");
        }
        for tag in lower.split('<').filter(|t| t.starts_with("script")) {
            assert!(tag.contains("src=\"/static/"), "an inline script in {name}");
        }
        for tag in lower.split('<') {
            let outside_values = tag.split('>').next().unwrap_or_default().split('"').step_by(2);
            for attribute in outside_values.flat_map(str::split_whitespace) {
                assert!(!attribute.starts_with("on"), "a handler attribute in {name}: {tag}");
            }
        }
    }
}

pub(super) fn assert_closed(pages: &[(&str, String)]) {
    for (name, html) in pages {
        assert!(!html.contains("src=\"http") && !html.contains("src=\"//"), "{name}");
        for tag in html.split('<').filter(|t| t.contains("href=\"http")) {
            assert!(tag.contains("rel=\"noopener noreferrer nofollow\""), "{name}: {tag}");
        }
    }
}

pub(super) fn assert_harmless(pages: &[(&str, String)]) {
    for (name, html) in pages {
        assert!(!html.contains("<img src=x"), "{name}");
        assert!(!html.contains("alert(1)>"), "{name}");
    }
}
