//! Ordinary days that look like an attack to a rule that is too simple, and how many false alarms each may give.

use latchway::defense::anomaly::{Observation, What};

use super::stream::{DAY, HOUR, Stream};

type Ordinary = (&'static str, Stream, usize);

const MORNING: i64 = 20 * DAY + 8 * HOUR;

pub fn all() -> Vec<Ordinary> {
    vec![
        ("an office of 3,000 behind one address, 8 % typos", office(), 0),
        ("a password-policy day: 35 % type the old one first", policy(), 0),
        ("200 services restart and fetch tokens", deploy(), 0),
        ("a client with a wrong secret that does not stop", broken_client(), 0),
        ("20 apps repeat a dead refresh token each minute", dead_tokens(), 0),
        ("phones that change networks all day", phones(), 0),
        ("people who take their laptops home", laptops(), 0),
        ("CI registers 30 clients", ci(), 0),
        ("a load test: 500 tokens/s, 200 logins at once", load_test(), 0),
        ("a person who forgot their password and tries on", forgetful(), 0),
        ("a week of ordinary traffic", week(), 0),
        // Nobody but the operator knows that this was they: it is told of three families, and not of each.
        ("a web app's server moves to another data centre", data_centre(), 3),
    ]
}

fn office() -> Stream {
    let mut day = Stream::new(101);
    for person in 0..3_000 {
        let at = MORNING + day.random.below(90 * 60);
        let typos = if day.random.percent(8) { day.random.between(1, 5) } else { 0 };
        let gets_in = !day.random.percent(1);
        day.person(at, "203.0.113.4", &format!("employee{person}"), typos.max(i64::from(!gets_in) * 4), gets_in);
    }
    day
}

/// Half in the office, half at home; one in 25 has to call somebody.
fn policy() -> Stream {
    let mut day = Stream::new(102);
    for person in 0..3_000 {
        let home = format!("{}.{}.{}.7", 80 + person % 90, person / 250, person % 250);
        let from = if person % 2 == 0 { "203.0.113.4" } else { home.as_str() };
        let at = MORNING + day.random.below(3 * HOUR);
        let typos = if day.random.percent(35) { day.random.between(1, 4) } else { 0 };
        let gets_in = !day.random.percent(4);
        day.person(at, from, &format!("employee{person}"), typos.max(i64::from(!gets_in) * 5), gets_in);
    }
    day
}

/// Three of them still have the secret from before the last rotation.
fn deploy() -> Stream {
    let mut day = Stream::new(103);
    for n in 0..200 {
        let (from, client) = (format!("10.1.{}.{}", n / 50, n), format!("svc{n}"));
        let begin = MORNING + day.random.below(120);
        if n % 67 == 0 {
            for retry in 0..120 {
                let what = What::ClientAuthFailed { secret: Some(u8::try_from(n % 256).expect("a byte")) };
                day.client(begin + retry * 5, &from, &client, what);
            }
        }
        for fetch in 0..6 {
            day.client(begin + fetch * 2, &from, &client, What::ClientServed);
        }
    }
    day
}

/// Twenty a minute are told so; the rest is turned away before it is looked at.
fn broken_client() -> Stream {
    let mut day = Stream::new(104);
    for n in 0..1_200 {
        day.client(MORNING + n * 3, "10.0.3.7", "service3", What::ClientAuthFailed { secret: Some(9) });
    }
    day
}

/// Each is refused, and told so each time.
fn dead_tokens() -> Stream {
    let mut day = Stream::new(112);
    for n in 0..20 * 120 {
        day.client(MORNING + n * 3, &format!("80.1.{}.7", n % 20), "notes", What::ClientRefused);
    }
    day
}

fn phones() -> Stream {
    let mut day = Stream::new(105);
    for _ in 0..20_000 {
        let phone = day.random.below(2_000);
        let at = MORNING + day.random.below(10 * HOUR);
        let moved = if day.random.percent(15) { day.random.below(100) } else { 0 };
        day.family(at, &format!("100.{}.{moved}.9", 64 + phone % 60), "app", &format!("app{phone}"));
    }
    day
}

/// In the office by day, at home in the evening, refreshing every quarter of an hour; from Monday to Thursday.
fn laptops() -> Stream {
    let mut day = Stream::new(106);
    for morning in 0..4 {
        for person in 0..300 {
            let begin = MORNING + morning * DAY + day.random.below(HOUR);
            for n in 0..56 {
                let home = format!("{}.{}.{}.7", 80 + person % 90, person / 250, person % 250);
                let from = if n < 34 { "203.0.113.4" } else { home.as_str() };
                day.family(begin + n * 900, from, "spa", &format!("spa{person}"));
            }
        }
    }
    day
}

fn ci() -> Stream {
    let mut day = Stream::new(107);
    (0..30).for_each(|n| day.push(Observation::new(MORNING + n * 10, What::ClientCreated)));
    day
}

fn load_test() -> Stream {
    let mut day = Stream::new(108);
    for n in 0..60_000 {
        day.client(MORNING + n / 500, "10.5.5.5", "loadtest", What::ClientServed);
    }
    (0..200).for_each(|n| day.login(MORNING + n / 50, "10.5.5.5", &format!("robot{n}"), true));
    day
}

/// Five are looked at; they go on for a while against the pause.
fn forgetful() -> Stream {
    let mut day = Stream::new(109);
    for n in 0..16 {
        let pause = day.random.between(10, 45);
        day.login(MORNING + n * pause, "80.1.2.3", "person9", false);
    }
    day
}

fn week() -> Stream {
    let mut day = Stream::new(110);
    day.ordinary(MORNING, MORNING + 7 * DAY);
    day
}

fn data_centre() -> Stream {
    let mut day = Stream::new(111);
    for n in 0..2_000 {
        let family = day.random.below(300);
        day.family(MORNING + n, "192.0.2.7", "web", &format!("web{family}"));
    }
    day
}
