//! `[log] level`: what it may say.

use strsim::normalized_damerau_levenshtein as likeness;

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];

/// Checks a filter: parts separated by commas, each a level or `module=level`.
///
/// tracing-subscriber takes any other word for the name of a module, all of which is then logged, and nothing else.
pub(super) fn check(filter: &str) -> Result<(), String> {
    let parts = filter.split(',').map(str::trim);
    for part in parts {
        match part.split_once('=') {
            Some((module, level)) => {
                if module.is_empty() || !module.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b)) {
                    return Err(format!("{module:?} is not the name of a module, such as latchway or latchway::http"));
                }
                check_level(level.trim())?;
            }
            None => check_level(part)?,
        }
    }
    Ok(())
}

fn check_level(level: &str) -> Result<(), String> {
    if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return Ok(());
    }
    let written = level.to_ascii_lowercase();
    let nearest = match written.as_str() {
        // Of other programs.
        "verbose" | "all" => "debug",
        "notice" => "info",
        "fatal" | "critical" => "error",
        "none" => "off",
        _ => LEVELS
            .iter()
            .copied()
            .max_by(|a, b| likeness(&written, a).total_cmp(&likeness(&written, b)))
            .unwrap_or("info"),
    };
    Err(format!("{level:?} is not a level; did you mean {nearest:?}? The levels are {}", LEVELS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_word_that_is_no_level_names_the_nearest() {
        for good in ["info", "WARN", "off", "latchway=debug,info", "latchway::http=trace, actix_server=warn,error"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, nearest) in [
            ("verbose", "debug"),
            ("inof", "info"),
            ("warning", "warn"),
            ("latchway=debgu,info", "debug"),
            ("none", "off"),
        ] {
            let refused = check(bad).expect_err(bad);
            assert!(refused.contains(&format!("did you mean {nearest:?}?")), "{bad}: {refused}");
        }
        for bad in ["", "info,", "latchway", "my app=info", "=info"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
