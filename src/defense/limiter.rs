//! The rate limits of one node, with a view of the restrictions that all nodes share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::failure_limits::FailureLimits;
use super::gauge::{Exceeded, Gauge, Left};
use super::group::rate;
use super::restraints::Restraints;
use super::table::Table;
use crate::config::{Limits, Per, Rate, RouteLimit};
use crate::route::{RateLimitGroup, Route};
use crate::support::{Network, Seconds, is_exempt, network};

/// The limits of one node, with a view of those that all nodes share.
#[derive(Clone)]
pub struct Limiter {
    inner: Arc<Inner>,
    /// Who is restrained for a while.
    pub restraints: Restraints,
    pub(super) failures: Arc<FailureLimits>,
}

struct Inner {
    per_address: Vec<(RateLimitGroup, Option<Gauge>)>,
    per_client: Vec<(RateLimitGroup, Option<Gauge>)>,
    routes: Vec<(RouteLimit, Option<Gauge>)>,
    begun: Option<Gauge>,
    misses: Option<Gauge>,
    slowed: Option<Gauge>,
    slowed_client: Option<Gauge>,
    /// One for each rate that API keys have.
    keys: Cache<u32, Option<Arc<Gauge>>>,
    table: Table,
    trusted_proxies: Vec<Network>,
}

/// Numbers of the limits that are none of a group or a route.
const BEGUN: u16 = 1;
const MISSES: u16 = 2;
const SLOWED: u16 = 3;
const SLOWED_CLIENT: u16 = 4;
const KEYS: u16 = 5;
const GROUPS: u16 = 100;
const ROUTES: u16 = 1_000;
/// Different rates of API keys that a node keeps apart.
const MAX_KEY_RATES: u64 = 1_000;

/// Whether a request may go on.
#[derive(Debug, Clone)]
pub enum Passage {
    /// It may, and this is what is left of its narrowest limit, if it has one.
    Open(Option<Left>),
    Closed(Exceeded),
}

impl Limiter {
    pub fn new(limits: &Limits, trusted_proxies: &[Network]) -> Self {
        let table = Table::new();
        let per_minute = |count| Rate { count, seconds: 60, burst: count };
        let named = |number: u16, name: &str, rate: Rate| Gauge::new(&table, number, name, rate);
        let of_groups = |offset: u16, per: Per| {
            let groups = (0_u16..).zip(RateLimitGroup::ALL).map(|(n, group)| {
                let name = format!("{group}-{}", per.as_str());
                (*group, named(GROUPS + 2 * n + offset, &name, rate(*group, per, limits)))
            });
            groups.collect()
        };
        let routes = (0_u16..).zip(&limits.routes).map(|(n, limit)| {
            let name = format!("{} per {}", limit.path, limit.per.as_str());
            (limit.clone(), named(ROUTES.saturating_add(n), &name, limit.rate))
        });
        let inner = Inner {
            per_address: of_groups(0, Per::Address),
            per_client: of_groups(1, Per::Client),
            routes: routes.collect(),
            begun: named(BEGUN, "logins-address", per_minute(limits.authorize_per_address_per_minute)),
            misses: named(MISSES, "introspection-misses-client", per_minute(limits.introspect_misses_per_minute)),
            slowed: named(SLOWED, "slowed-address", limits.slowed),
            slowed_client: named(SLOWED_CLIENT, "slowed-client", limits.slowed),
            keys: Cache::builder().max_capacity(MAX_KEY_RATES).time_to_idle(Duration::from_secs(3600)).build(),
            trusted_proxies: trusted_proxies.to_vec(),
            table,
        };
        let failures = Arc::new(FailureLimits::new(limits));
        Self { inner: Arc::new(inner), restraints: Restraints::default(), failures }
    }

    /// A request for a path of a route, from an address.
    pub fn request(&self, route: &Route, path: &str, address: IpAddr, now: Seconds) -> Passage {
        let inner = &self.inner;
        let Some(group) = route.rate_limit else { return Passage::Open(None) };
        if group != RateLimitGroup::Metadata && !is_exempt(address, &inner.trusted_proxies) {
            if let Some(until) = self.restraints.blocked(address, now) {
                let retry_after = u64::try_from(until - now).unwrap_or(0).max(1);
                return Passage::Closed(Exceeded { retry_after, policy: None });
            }
            if self.restraints.slowed(address, now).is_some()
                && let Err(exceeded) = take(inner.slowed.as_ref(), network(address))
            {
                return Passage::Closed(exceeded);
            }
        }
        let key = network(address);
        let mut narrowest = None;
        let own = inner.routes.iter().filter(|(limit, _)| limit.per == Per::Address && limit.covers(path));
        for gauge in own.map(|(_, gauge)| gauge).chain(gauge_of(&inner.per_address, group)).flatten() {
            match gauge.take(key) {
                Ok(left) => narrowest = narrower(narrowest, left),
                Err(exceeded) => return Passage::Closed(exceeded),
            }
        }
        Passage::Open(narrowest)
    }

    /// A request of a client that has proved who it is; at a public client's name anybody could, so that each address that
    /// speaks in it counts for itself.
    pub fn client(
        &self,
        route: &Route,
        client_id: &str,
        public_at: Option<IpAddr>,
        now: Seconds,
    ) -> Result<(), Exceeded> {
        let inner = &self.inner;
        let key = (client_id, public_at.map(network));
        if self.restraints.slowed_client(client_id, now).is_some() {
            take(inner.slowed_client.as_ref(), key)?;
        }
        let own = inner.routes.iter().filter(|(limit, _)| limit.per == Per::Client && limit.covers(route.path));
        let of_group = route.rate_limit.and_then(|group| gauge_of(&inner.per_client, group));
        for gauge in own.map(|(_, gauge)| gauge).chain(of_group).flatten() {
            gauge.take(key)?;
        }
        Ok(())
    }

    /// A new login transaction from this address.
    pub fn authorize(&self, address: IpAddr) -> Result<(), Exceeded> {
        take(self.inner.begun.as_ref(), network(address))
    }

    /// A token that a client introspected and that is none.
    pub fn introspection_miss(&self, client_id: &str) -> Result<(), Exceeded> {
        take(self.inner.misses.as_ref(), client_id)
    }

    /// A use of an API key that has a limit of its own.
    pub fn key(&self, key_id: &str, per_minute: u32) -> Result<(), Exceeded> {
        let inner = &self.inner;
        let gauge = inner.keys.get_with(per_minute, || {
            let rate = Rate { count: per_minute, seconds: 60, burst: per_minute };
            Gauge::new(&inner.table, KEYS, "api-key", rate).map(Arc::new)
        });
        take(gauge.as_deref(), (key_id, per_minute))
    }
}

fn take(gauge: Option<&Gauge>, key: impl std::hash::Hash) -> Result<(), Exceeded> {
    gauge.map_or(Ok(()), |gauge| gauge.take(key).map(|_| ()))
}

fn gauge_of(gauges: &[(RateLimitGroup, Option<Gauge>)], group: RateLimitGroup) -> Option<&Option<Gauge>> {
    gauges.iter().find(|(of, _)| *of == group).map(|(_, gauge)| gauge)
}

fn narrower(known: Option<Left>, left: Left) -> Option<Left> {
    match known {
        Some(known) if known.remaining <= left.remaining => Some(known),
        _ => Some(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::restraints::Restraint;

    fn limiter(change: impl FnOnce(&mut Limits)) -> Limiter {
        let overrides = crate::config::Overrides { dev: crate::config::Dev::Yes, ..Default::default() };
        let mut limits = crate::config::load(&overrides, std::iter::empty()).expect("the defaults").limits;
        change(&mut limits);
        Limiter::new(&limits, &["10.0.0.0/8".parse().expect("a network")])
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    const TOKEN: Route = Route::oauth("/oauth2/token", RateLimitGroup::Token, &[]);

    /// A row as the tables have it.
    fn route(path: &'static str) -> Route {
        match path {
            "/oauth2/token" => TOKEN,
            "/livez" => Route::file(path, &[]),
            path if path.starts_with("/.well-known/") => Route::document(path, &[]),
            path => Route::page(path, &[]),
        }
    }

    fn opens(limiter: &Limiter, path: &'static str, address: &str) -> bool {
        matches!(limiter.request(&route(path), path, at(address), 0), Passage::Open(_))
    }

    #[test]
    fn a_group_and_a_path_have_limits_of_their_own() {
        let limiter = limiter(|limits| {
            limits.pages_per_address = rate("3/1h");
            limits.routes = vec!["/login per address 2/1h".parse().expect("a limit")];
        });
        let tries = |path: &'static str, address: &str| (0..5).filter(|_| opens(&limiter, path, address)).count();
        assert_eq!(tries("/login", "192.0.2.1"), 2);
        assert_eq!(tries("/account", "192.0.2.1"), 1, "the group's limit counts all of its pages");
        assert_eq!(tries("/login", "192.0.2.2"), 2, "another address");
        assert_eq!(tries("/login", "2001:db8::1"), 2);
        assert_eq!(tries("/login", "2001:db8::2"), 0, "an IPv6 /64 is one");
        assert_eq!(tries("/livez", "192.0.2.1"), 5);
        assert_eq!(tries("/.well-known/jwks.json", "192.0.2.1"), 5);
    }

    #[test]
    fn what_is_told_is_the_narrowest() {
        let limiter = limiter(|limits| {
            limits.token_per_address = rate("100/1h");
            limits.routes = vec!["/oauth2/token per address 10/1h".parse().expect("a limit")];
        });
        let Passage::Open(Some(left)) = limiter.request(&TOKEN, TOKEN.path, at("192.0.2.1"), 0) else { panic!("open") };
        assert_eq!((left.policy.name.as_str(), left.remaining), ("/oauth2/token per address", 9));
    }

    #[test]
    fn a_confidential_client_is_one_wherever_it_is() {
        let limiter = limiter(|limits| limits.token_per_client = rate("2/1h"));
        let may = |client: &str, public: Option<&str>| limiter.client(&TOKEN, client, public.map(at), 0).is_ok();
        assert_eq!([may("a", None), may("a", None), may("a", None)], [true, true, false]);
        assert!(may("b", None) && may("p", Some("192.0.2.1")) && may("p", Some("192.0.2.1")));
        assert!(!may("p", Some("192.0.2.1")) && may("p", Some("192.0.2.2")), "a public client at each address");
        assert!(limiter.client(&Route::oauth("/oauth2/revoke", RateLimitGroup::Revoke, &[]), "a", None, 0).is_ok());
    }

    #[test]
    fn a_block_spares_documents_proxies_and_this_machine() {
        let limiter = limiter(|_| ());
        let row = |kind: &str, subject: &str| Restraint {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            reason: String::new(),
            created_at: 0,
            expires_at: 60,
        };
        let rows = [row("block", "192.0.2.1/32"), row("block", "127.0.0.1/32"), row("block", "10.0.0.1/32")];
        limiter.restraints.replace(&rows, &[], limiter.restraints.asking());
        assert!(!opens(&limiter, "/login", "192.0.2.1") && !opens(&limiter, "/oauth2/token", "192.0.2.1"));
        for (path, address) in [
            ("/.well-known/jwks.json", "192.0.2.1"),
            ("/livez", "192.0.2.1"),
            ("/login", "127.0.0.1"),
            ("/login", "10.0.0.1"),
        ] {
            assert!(opens(&limiter, path, address), "{path} from {address}");
        }
        let rows = [row("slow_address", "192.0.2.0/24"), row("slow_client", "app")];
        limiter.restraints.replace(&rows, &[], limiter.restraints.asking());
        let through = (0..40).filter(|_| opens(&limiter, "/login", "192.0.2.7")).count();
        assert!((10..=12).contains(&through), "{through} of a burst of 10");
        let through = (0..40).filter(|_| limiter.client(&TOKEN, "app", None, 0).is_ok()).count();
        assert!((10..=12).contains(&through), "{through} of a burst of 10");
    }

    #[test]
    fn a_key_has_its_own_rate() {
        let limiter = limiter(|_| ());
        assert!(limiter.key("k", 2).is_ok() && limiter.key("k", 2).is_ok() && limiter.key("k", 2).is_err());
        assert!(limiter.key("other", 2).is_ok() && limiter.key("k", 0).is_ok(), "0 is no limit");
    }
}
