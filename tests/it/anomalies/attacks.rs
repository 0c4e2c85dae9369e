//! Kinds of attack, and as what each must be noticed.

use latchway::defense::anomaly::{Observation, Rule, What};

use super::stream::{DAY, HOUR, Stream};

type Attack = (&'static str, Stream, Rule);

const NIGHT: i64 = 20 * DAY + 2 * HOUR;
const NOON: i64 = 20 * DAY + 12 * HOUR;

pub fn all() -> Vec<Attack> {
    vec![
        ("spraying: 500 accounts from one address, 5/s", spraying_fast(), Rule::PasswordSpraying),
        ("spraying: one account in 25 min, for a day", spraying_slow(), Rule::PasswordSpraying),
        ("spraying: the addresses of a /24 take turns", spraying_in_turns(), Rule::PasswordSpraying),
        ("spraying: an IPv6 /48, a fresh /64 each try", spraying_v6(), Rule::PasswordSpraying),
        ("stuffing: 1,000 pairs from 400 networks in 20 min", stuffing(NIGHT), Rule::CredentialStuffing),
        ("stuffing: the same at noon", stuffing(NOON), Rule::CredentialStuffing),
        ("brute force: one account, one address, 1/s", brute_force(), Rule::BruteForceAccount),
        ("brute force: one account, 300 addresses", brute_force_everywhere(), Rule::BruteForceAccount),
        ("brute force: one account, a try in 10 min", brute_force_slow(), Rule::BruteForceAccount),
        ("brute force: one client's secret", client_secret(), Rule::BruteForceClient),
        ("brute force: the same from 40 addresses", client_secret_everywhere(), Rule::BruteForceClient),
        ("a code or refresh token used twice", reuse(), Rule::TokenReuse),
        ("120 clients registered in 5 min", clients(), Rule::ClientBurst),
        ("a server's refresh token used from elsewhere", theft(), Rule::NewNetwork),
        ("a client refused 2,000 times in 3 min", errors(), Rule::ErrorRate),
    ]
}

fn spraying_fast() -> Stream {
    let mut day = Stream::new(1);
    (0..500).for_each(|n| day.login(NOON + n / 5, "198.51.100.7", &format!("victim{n}"), false));
    day
}

fn spraying_slow() -> Stream {
    let mut day = Stream::new(2);
    (0..57).for_each(|n| day.login(NIGHT + n * 1_500, "198.51.100.7", &format!("victim{n}"), false));
    day
}

fn spraying_in_turns() -> Stream {
    let mut day = Stream::new(3);
    (0..100).for_each(|n| day.login(NOON + n * 7, &format!("198.51.100.{}", n % 250), &format!("victim{n}"), false));
    day
}

fn spraying_v6() -> Stream {
    let mut day = Stream::new(4);
    (0..100).for_each(|n| day.login(NOON + n * 7, &format!("2001:db8:7:{n:x}::1"), &format!("victim{n}"), false));
    day
}

/// One pair in a hundred is right.
fn stuffing(begin: i64) -> Stream {
    let mut day = Stream::new(5);
    for n in 0..1_000 {
        let bot = n % 400;
        let from = format!("{}.{}.{}.9", 150 + bot % 40, bot / 40, bot % 250);
        let at = begin + n * 1_200 / 1_000;
        let right = day.random.percent(1);
        day.login(at, &from, &format!("leaked{n}"), right);
    }
    day
}

fn brute_force() -> Stream {
    let mut day = Stream::new(6);
    (0..300).for_each(|n| day.login(NOON + n, "198.51.100.7", "person17", false));
    day
}

fn brute_force_everywhere() -> Stream {
    let mut day = Stream::new(7);
    (0..300).for_each(|n| day.login(NOON + n * 5, &format!("{}.{}.7.7", 150 + n % 40, n), "person17", false));
    day
}

fn brute_force_slow() -> Stream {
    let mut day = Stream::new(8);
    (0..140).for_each(|n| day.login(NIGHT + n * 600, &format!("{}.{}.7.7", 150 + n % 40, n), "person17", false));
    day
}

/// As many as the limit lets be told.
fn client_secret() -> Stream {
    let mut day = Stream::new(9);
    for n in 0..60 {
        let secret = u8::try_from(day.random.below(256)).ok();
        day.client(NOON + n * 3, "198.51.100.7", "service3", What::ClientAuthFailed { secret });
    }
    day
}

fn client_secret_everywhere() -> Stream {
    let mut day = Stream::new(10);
    for n in 0..80 {
        let secret = u8::try_from(day.random.below(256)).ok();
        day.client(NOON + n * 5, &format!("198.51.{}.7", n % 40), "service3", What::ClientAuthFailed { secret });
    }
    day
}

fn reuse() -> Stream {
    let mut day = Stream::new(11);
    let (client, family) = (Some("web".to_owned()), Some("web17".to_owned()));
    let address = "198.51.100.7".parse().ok();
    day.push(Observation { address, client, family, ..Observation::new(NOON, What::Reused) });
    day
}

fn clients() -> Stream {
    let mut day = Stream::new(12);
    (0..120).for_each(|n| day.push(Observation::new(NOON + n * 5 / 2, What::ClientCreated)));
    day
}

fn theft() -> Stream {
    let mut day = Stream::new(13);
    (0..5).for_each(|n| day.family(NOON + n * 60, "10.9.9.7", "web", "web17"));
    day.family(NOON + 400, "198.51.100.7", "web", "web17");
    day
}

fn errors() -> Stream {
    let mut day = Stream::new(14);
    for n in 0..2_000 {
        let address = day.random.address().to_string();
        day.client(NOON + n * 180 / 2_000, &address, "service3", What::ClientRefused);
    }
    day
}
