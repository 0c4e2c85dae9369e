//! Anomaly detection: what the rules make of attacks and of ordinary days, and what a running server does about it.

mod attacks;
mod days;
mod end_to_end;
mod stream;
mod webhook;

use std::time::Instant;

use latchway::config::{Anomalies, Dev, Overrides, load};
use latchway::defense::anomaly::{Engine, Finding, Observation, Rule, What};

use stream::{DAY, HOUR, Stream};

fn defaults() -> Anomalies {
    let overrides = Overrides { dev: Dev::Yes, ..Overrides::default() };
    load(&overrides, std::iter::empty()).expect("the defaults").anomalies
}

/// What a day is replayed on: days in which little happened, some hours of an ordinary service before it, and around it.
fn replay(day: &Stream) -> Vec<Finding> {
    let mut stream = Stream::new(4711);
    let (begin, end) = day.span();
    stream.quiet(begin - 3 * DAY, begin);
    stream.ordinary(begin - 3 * HOUR, end + HOUR / 2);
    stream.add(day);
    let mut engine = Engine::new(&defaults());
    let found: Vec<Finding> = stream.sorted().iter().flat_map(|seen| engine.observe(seen)).collect();
    assert!(found.iter().all(|finding| finding.at >= begin), "nothing happened before: {found:#?}");
    found
}

/// The table of `docs/anomalies.md`:
/// `scripts/test anomalies::every_attack_is_noticed_and_no_monday --nocapture`
#[test]
fn every_attack_is_noticed_and_no_monday() {
    let mut lines = vec![format!("{:<52} {:>8}  {:<22} {:>8}", "attack", "events", "detected as", "after")];
    let mut missed = Vec::new();
    for (name, day, rule) in attacks::all() {
        let found = replay(&day);
        let hit = found.iter().find(|finding| finding.rule == rule);
        let after = hit.map(|hit| hit.at - day.span().0);
        let shown = after.map_or_else(|| "MISSED".to_owned(), |seconds| format!("{seconds} s"));
        lines.push(format!("{name:<52} {:>8}  {:<22} {shown:>8}", day.len(), rule.as_str()));
        if hit.is_none() {
            missed.push(name);
        }
    }
    lines.push(format!("{:<52} {:>8}  {:<22} {:>8}", "ordinary day", "events", "false alarms", "allowed"));
    let mut alarms = Vec::new();
    for (name, day, allowed) in days::all() {
        let found = replay(&day);
        let kinds: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
        let shown = if kinds.is_empty() { "0".to_owned() } else { format!("{} {}", kinds.len(), kinds[0]) };
        lines.push(format!("{name:<52} {:>8}  {shown:<22} {allowed:>8}", day.len()));
        if found.len() > allowed {
            alarms.push((name, found));
        }
    }
    println!("{}", lines.join("\n"));
    assert!(missed.is_empty(), "{missed:?}");
    assert!(alarms.is_empty(), "{alarms:#?}");
}

/// A finding says what it rests on.
#[test]
fn a_finding_gives_its_reason() {
    for (name, day, rule) in attacks::all() {
        let found = replay(&day);
        let finding = found.iter().find(|finding| finding.rule == rule).unwrap_or_else(|| panic!("{name}"));
        assert!(finding.count >= finding.threshold && finding.threshold > 0, "{name}: {finding:?}");
        assert!(finding.reason.ends_with('.') && finding.reason.len() > 40, "{name}: {}", finding.reason);
        let number = finding.count.to_string();
        assert!(
            rule == Rule::TokenReuse || rule == Rule::NewNetwork || finding.reason.contains(&number),
            "{}",
            finding.reason
        );
    }
}

/// An attack of thousands of tries is told a few times and not thousands.
#[test]
fn what_goes_on_is_told_once_a_window() {
    let mut day = Stream::new(1);
    let begin = 20 * DAY;
    for n in 0..20_000_i64 {
        day.login(begin + n / 10, "192.0.2.66", &format!("victim{n}"), false);
    }
    let found = replay(&day);
    let sprays = found.iter().filter(|finding| finding.rule == Rule::PasswordSpraying).collect::<Vec<_>>();
    assert!((1..=4).contains(&sprays.len()), "{} in 2000 seconds, of 900 each: {sprays:#?}", sprays.len());
    assert!(sprays.iter().all(|finding| finding.since == sprays[0].since), "one and the same");
    assert!(found.len() <= 8, "{found:#?}");
}

/// A week, an event each second, every one about somebody new: what is remembered has its bound, and it takes seconds.
#[test]
fn a_week_fits_into_seconds_and_a_fixed_memory() {
    let mut engine = Engine::new(&defaults());
    let mut random = stream::Random::new(99);
    let (begin, mut most, mut told) = (Instant::now(), 0, 0);
    let events = 7 * DAY;
    for n in 0..events {
        let seen = anything(&mut random, 20 * DAY + n);
        told += engine.observe(&seen).len();
        if n % 10_000 == 0 {
            most = most.max(engine.remembered());
        }
    }
    let took = begin.elapsed();
    println!("a week of {events} events took {took:.1?}, {most} entries at most, {told} findings");
    assert!(most <= Engine::MAX_REMEMBERED, "{most}");
    assert!(took.as_secs() < 120, "{took:?}");
}

fn anything(random: &mut stream::Random, at: i64) -> Observation {
    let what = match random.below(8) {
        0 => What::LoginSucceeded,
        1 => What::LoginFailed,
        2 => What::ClientServed,
        3 => What::ClientAuthFailed { secret: Some(u8::try_from(random.below(256)).expect("a byte")) },
        4 => What::ClientRefused,
        5 | 6 => What::FamilyUsed,
        _ => What::Reused,
    };
    let name = |kind: &str, random: &mut stream::Random| Some(format!("{kind}{}", random.below(1 << 40)));
    Observation {
        address: Some(random.address()),
        account: name("a", random),
        client: name("c", random),
        family: name("f", random),
        ..Observation::new(at, what)
    }
}
