//! A text that matches a regular expression.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::dice::Dice;

/// More than this of an unbounded repetition is not made.
const SOME: u32 = 3;
/// A text grows no longer than this, whatever the pattern says.
const MAX_LENGTH: usize = 10_000;

/// A text that matches, as far as the expression can be read; it may say what this cannot, such as looking ahead.
pub fn text(pattern: &str, dice: &mut Dice, at_least: usize) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new().utf8(true).build().parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, dice, at_least, &mut text)?;
    Some(text)
}

/// The pattern without what looks ahead or back, and with each reference to a group replaced by what the group says: what it
/// makes matches the pattern now and then.
pub fn plain(pattern: &str) -> String {
    let groups = groups(pattern);
    let (mut plain, mut at) = (String::new(), 0);
    while let Some(letter) = pattern[at..].chars().next() {
        let rest = &pattern[at..];
        if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| rest.starts_with(look)) {
            at += group_end(rest);
        } else if letter == '\\' {
            let next = rest[1..].chars().next();
            match next.and_then(|digit| digit.to_digit(10)).filter(|digit| *digit > 0) {
                Some(number) => plain.push_str(&unnamed(groups.get(number as usize - 1).copied().unwrap_or_default())),
                None => plain.push_str(&rest[..1 + next.map_or(0, char::len_utf8)]),
            }
            at += 1 + next.map_or(0, char::len_utf8);
        } else {
            plain.push(letter);
            at += letter.len_utf8();
        }
    }
    plain
}

/// A group without its name, which must stand only once in a pattern.
fn unnamed(group: &str) -> String {
    match group.strip_prefix("(?P<").or(group.strip_prefix("(?<")).and_then(|rest| rest.split_once('>')) {
        Some((_, rest)) => format!("(?:{rest}"),
        None => group.to_owned(),
    }
}

/// The capturing groups of a pattern, in the order of their numbers.
fn groups(pattern: &str) -> Vec<&str> {
    let (mut groups, mut escaped, mut class) = (Vec::new(), false, false);
    for (at, letter) in pattern.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => {
                let rest = &pattern[at..];
                let named = (rest.starts_with("(?<") && !rest.starts_with("(?<=") && !rest.starts_with("(?<!"))
                    || rest.starts_with("(?P<");
                if !rest.starts_with("(?") || named {
                    groups.push(&rest[..group_end(rest)]);
                }
            }
            _ => {}
        }
    }
    groups
}

/// How long the group is with which a text begins, in bytes.
fn group_end(text: &str) -> usize {
    let (mut depth, mut escaped, mut class) = (0_usize, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

fn write(hir: &Hir, dice: &mut Dice, at_least: usize, text: &mut String) -> Option<()> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            text.push_str(std::str::from_utf8(&literal.0).ok()?);
            Some(())
        }
        HirKind::Class(class) => {
            text.push(pick(class, dice)?);
            Some(())
        }
        HirKind::Capture(capture) => write(&capture.sub, dice, at_least, text),
        HirKind::Concat(all) => all.iter().try_for_each(|one| write(one, dice, at_least, text)),
        HirKind::Alternation(some) => write(some.get(dice.below(some.len()))?, dice, at_least, text),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            let low = repetition.min;
            let high = most.min(low.saturating_add(SOME));
            let times = u32::try_from(dice.between(low.into(), high.into())).ok()?;
            let mut done = 0;
            while done < times || (done < most && text.len() < at_least) {
                let before = text.len();
                write(&repetition.sub, dice, 0, text)?;
                done += 1;
                if done >= times && text.len() == before {
                    break;
                }
            }
            Some(())
        }
    }
}

/// A character of a class; a letter, a digit or at least one that shows, if there is one.
fn pick(class: &Class, dice: &mut Dice) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let within = |low: char, high: char| -> Vec<(u32, u32)> {
        let cut = |&(from, to): &(u32, u32)| (from.max(low.into()), to.min(high.into()));
        ranges.iter().map(cut).filter(|(from, to)| from <= to).collect()
    };
    let nice: Vec<(u32, u32)> =
        [('a', 'z'), ('A', 'Z'), ('0', '9')].into_iter().flat_map(|(a, z)| within(a, z)).collect();
    let printable = within('!', '~');
    let of = [nice, printable, ranges.clone()].into_iter().find(|ranges| !ranges.is_empty())?;
    let &(from, to) = of.get(dice.below(of.len()))?;
    char::from_u32(u32::try_from(dice.between(from.into(), to.into())).ok()?).or(char::from_u32(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_matches() {
        for pattern in [
            "^[a-z]{3}-[0-9]{2,4}$",
            "^(foo|bar)+$",
            r"^\d{3}-\d{2}-\d{4}$",
            r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
            "^[A-Z][a-z]*( [A-Z][a-z]*)*$",
            r"^\+?[1-9]\d{1,14}$",
            "^.*$",
            "abc",
            r"^[\w.-]+$",
            "^#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$",
        ] {
            let validator = jsonschema::validator_for(&serde_json::json!({"pattern": pattern})).expect("a pattern");
            for seed in 0..50 {
                let text = text(pattern, &mut Dice::new(seed, &[pattern]), 0).expect("a text");
                assert!(validator.is_valid(&text.clone().into()), "{pattern} {text:?}");
            }
        }
        assert!(text("^[a-z]+$", &mut Dice::new(1, &[]), 30).expect("a text").len() >= 30);
    }

    #[test]
    fn what_looks_ahead_or_back_is_left_out() {
        for (pattern, expected) in [
            (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "^.{8,}$"),
            (r"^([a-c])\1$", "^([a-c])([a-c])$"),
            (r"^(?!.*\(x\)[)])\w+(?<!_)$", r"^\w+$"),
            (r"^(?<year>\d{4})-\1$", r"^(?<year>\d{4})-(?:\d{4})$"),
        ] {
            assert_eq!(plain(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_made() {
        for pattern in ["(?=a)b", r"(a)\1", "("] {
            assert_eq!(text(pattern, &mut Dice::new(1, &[]), 0), None);
        }
        assert!(text("((a{100}){100}){100}", &mut Dice::new(1, &[]), 0).is_none(), "bounded");
    }
}
