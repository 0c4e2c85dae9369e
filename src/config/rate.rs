//! How often something may happen, as operators write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `600/1m`: so many in that time. `600/1m burst 50`: as many in the long run, but no more than 50 at once. `0`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; 0 switches the limit off.
    pub count: u32,
    /// In so many seconds.
    pub seconds: u32,
    /// How many at once, after a time of rest.
    pub burst: u32,
}

/// What a rate looks like, for error messages.
pub(super) const WANTED: &str = "must be a rate such as \"600/1m\", \"600/1m burst 50\" (periods in s, m or h, a day at most), or \"0\" for no limit";

/// The text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{WANTED}")]
pub struct InvalidRate;

const DAY: u32 = 86_400;
/// So many in a second are no limit any more, and finer than what time is counted in.
const MAX_COUNT: u32 = 1_000_000_000;

impl Rate {
    /// No limit.
    pub const OFF: Self = Self { count: 0, seconds: 1, burst: 0 };

    /// Whether it limits anything.
    pub fn is_on(&self) -> bool {
        self.count > 0
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let mut words = text.split_whitespace();
        let (rate, burst) = (words.next().ok_or(InvalidRate)?, (words.next(), words.next(), words.next()));
        let Some((count, period)) = rate.split_once('/') else {
            return if rate == "0" && burst.0.is_none() { Ok(Self::OFF) } else { Err(InvalidRate) };
        };
        let count = number(count).ok_or(InvalidRate)?;
        let seconds = seconds(period).ok_or(InvalidRate)?;
        let burst = match burst {
            (None, ..) => count,
            (Some("burst"), Some(burst), None) => number(burst).ok_or(InvalidRate)?,
            _ => return Err(InvalidRate),
        };
        Ok(Self { count, seconds, burst })
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| plain && (1..=MAX_COUNT).contains(n))
}

fn seconds(period: &str) -> Option<u32> {
    let split = period.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = period.split_at(split);
    let count = if count.is_empty() { 1 } else { number(count)? };
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    count.checked_mul(unit).filter(|seconds| *seconds <= DAY)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_on() {
            return f.write_str("0");
        }
        let (count, unit) = match self.seconds {
            seconds if seconds % 3_600 == 0 => (seconds / 3_600, 'h'),
            seconds if seconds % 60 == 0 => (seconds / 60, 'm'),
            seconds => (seconds, 's'),
        };
        write!(f, "{}/{count}{unit}", self.count)?;
        if self.burst == self.count { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whom a limit counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// An IPv4 address or an IPv6 /64.
    Address,
    /// A client that has proved who it is; a public client at each address.
    Client,
}

impl Per {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Client => "client",
        }
    }
}

/// `/oauth2/token per client 600/1m`: a limit of one path, beside those of its group. A path that ends in `*` stands for
/// all that begin like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLimit {
    pub path: String,
    pub per: Per,
    pub rate: Rate,
}

/// What a route's limit looks like, for error messages.
pub(super) const ROUTE_WANTED: &str =
    "must be a list of limits such as [\"/oauth2/token per client 600/1m\", \"/login per address 60/1m burst 20\"]";

/// The text is no limit of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ROUTE_WANTED}")]
pub struct InvalidRouteLimit;

impl RouteLimit {
    /// Whether this limit is that path's.
    pub fn covers(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => self.path == path,
        }
    }
}

impl FromStr for RouteLimit {
    type Err = InvalidRouteLimit;

    fn from_str(text: &str) -> Result<Self, InvalidRouteLimit> {
        let mut parts = text.splitn(4, ' ');
        let (path, per, whom, rate) = (parts.next(), parts.next(), parts.next(), parts.next());
        let per = match (per, whom) {
            (Some("per"), Some("address")) => Per::Address,
            (Some("per"), Some("client")) => Per::Client,
            _ => return Err(InvalidRouteLimit),
        };
        let path = path.filter(|path| path.starts_with('/')).ok_or(InvalidRouteLimit)?;
        let rate = rate.and_then(|rate| rate.parse().ok()).ok_or(InvalidRouteLimit)?;
        Ok(Self { path: path.to_owned(), per, rate })
    }
}

impl fmt::Display for RouteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} {}", self.path, self.per.as_str(), self.rate)
    }
}

impl Serialize for RouteLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RouteLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, rate) in [
            ("600/1m", Rate { count: 600, seconds: 60, burst: 600 }),
            ("5/10s burst 2", Rate { count: 5, seconds: 10, burst: 2 }),
            ("1/24h", Rate { count: 1, seconds: DAY, burst: 1 }),
            ("0", Rate::OFF),
        ] {
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!("60/m".parse::<Rate>(), "60/60s".parse());
        for text in
            ["", "600", "0/1m", "600/1d", "600/", "/1m", "-1/1m", "+1/1m", "600/25h", "1/1m burst", "1/1m burst 0"]
        {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }

    #[test]
    fn a_limit_of_a_route() {
        let text = "/api/v1/* per address 60/1m burst 20";
        let limit: RouteLimit = text.parse().expect("a limit");
        assert_eq!(limit.to_string(), text);
        assert!(limit.covers("/api/v1/me") && !limit.covers("/api/v2/me"));
        let exact: RouteLimit = "/login per client 0".parse().expect("a limit");
        assert!(exact.covers("/login") && !exact.covers("/login/switch") && !exact.rate.is_on());
        for text in ["", "login per address 1/1m", "/login per 1/1m", "/login per key 1/1m", "/login per client"] {
            assert_eq!(text.parse::<RouteLimit>(), Err(InvalidRouteLimit), "{text}");
        }
    }
}
