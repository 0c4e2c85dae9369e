//! The table without a server.

use std::collections::BTreeSet;

use latchway::app::Mode;
use latchway::http::routes::{all, check_limits, index};
use latchway::mock::control;
use latchway::protocol::endpoints;
use latchway::route::{Cors, ErrorFormat, HostPolicy, Modes, Needs, Onward, Priority, RateLimitGroup as Group};

/// A path of a row: each parameter is `x`.
pub fn sample(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn mode(modes: Modes) -> Mode {
    match modes {
        Modes::All => Mode::Production,
        Modes::Dev => Mode::Dev,
        Modes::Mock => Mode::Mock,
    }
}

#[test]
fn route_paths_are_unique_and_each_is_reached() {
    let mut paths = BTreeSet::new();
    for route in all() {
        assert!(paths.insert(route.path), "{} has two rows", route.path);
        assert!(route.path.starts_with('/') && route.is_served(), "{}", route.path);
        let verbs: BTreeSet<&str> = route.handlers.iter().map(|handler| handler.verb.as_str()).collect();
        assert_eq!(verbs.len(), route.handlers.len(), "{} has two handlers of a method", route.path);
        let path = sample(route.path);
        assert_eq!(index(mode(route.modes)).resolve(&path).path, route.path, "{path} is of another row");
    }
    assert!(paths.len() > 60, "the tables are read: {}", paths.len());
}

#[test]
fn route_labels_are_unique_and_valid() {
    let mut labels = BTreeSet::from(["other"]);
    for route in all() {
        assert!(labels.insert(route.label), "{} is the label of two rows", route.label);
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"/.-_{}".contains(&b);
        assert!(!route.label.is_empty() && route.label.bytes().all(fits), "{}", route.label);
    }
}

#[test]
fn route_constants_are_all_in_the_table() {
    for (name, path) in endpoints::ALL {
        assert!(all().any(|route| route.path == *path), "no row has endpoints::{name}, {path}");
    }
    for (path, _) in control::ABOUT {
        assert!(control::ROUTES.iter().any(|route| route.path == *path), "no row has {path}");
    }
}

/// Rows of other modes are not there, and what is not there answers as its neighbours do.
#[test]
fn route_modes_and_paths_without_a_row() {
    for (path, modes) in [("/playground", Modes::Dev), ("/mock/clock", Modes::Mock)] {
        for other in [Mode::Production, Mode::Dev, Mode::Mock] {
            assert_eq!(index(other).resolve(path).is_served(), other == mode(modes), "{path} in {other:?}");
        }
    }
    for (path, errors, group) in [
        ("/oauth2/nothing", ErrorFormat::Json, Some(Group::Pages)),
        ("/oauth2/token/", ErrorFormat::Json, Some(Group::Pages)),
        ("/api/v9/me", ErrorFormat::Json, Some(Group::Api)),
        ("/api/v1/api-keys/a/b/c", ErrorFormat::Json, Some(Group::Api)),
        ("/.well-known/nothing", ErrorFormat::Json, Some(Group::Metadata)),
        ("/mock/nothing", ErrorFormat::Json, Some(Group::Pages)),
        ("/static/a/b", ErrorFormat::Page, None),
        ("/nothing", ErrorFormat::Page, Some(Group::Pages)),
        ("/OAUTH2/token", ErrorFormat::Page, Some(Group::Pages)),
        ("*", ErrorFormat::Page, Some(Group::Pages)),
    ] {
        let route = index(Mode::Production).resolve(path);
        assert!(!route.is_served(), "{path}");
        assert_eq!((route.label, route.errors, route.rate_limit), ("other", errors, group), "{path}");
    }
}

/// What protects the server and other sites, written down a second time: a change of a row must be one of this list.
#[test]
fn route_properties_that_protect_are_as_decided() {
    let paths = |wanted: &dyn Fn(&latchway::route::Route) -> bool| -> Vec<&str> {
        let mut paths: Vec<&str> =
            all().filter(|route| route.modes == Modes::All && wanted(route)).map(|route| route.path).collect();
        paths.sort_unstable();
        paths
    };
    assert_eq!(
        paths(&|route| route.cors == Cors::Public),
        [endpoints::JWKS, endpoints::OAUTH_METADATA, endpoints::OPENID_CONFIGURATION]
    );
    assert_eq!(
        paths(&|route| route.cors == Cors::RegisteredOrigins),
        [endpoints::REVOKE, endpoints::TOKEN, endpoints::USERINFO]
    );
    assert_eq!(
        paths(&|route| route.host == HostPolicy::AppHosts),
        [endpoints::FORWARD_AUTH_CALLBACK, endpoints::FORWARD_AUTH]
    );
    assert_eq!(
        paths(&|route| route.onward == Onward::Redirect),
        [endpoints::FORWARD_AUTH_CALLBACK, endpoints::FORWARD_AUTH_LOGIN, endpoints::AUTHORIZE]
    );
    assert_eq!(
        paths(&|route| route.priority == Priority::High),
        [
            endpoints::FORWARD_AUTH,
            "/api/v1/logout",
            "/api/v1/me",
            "/logout",
            endpoints::INTROSPECT,
            endpoints::REVOKE,
            endpoints::USERINFO
        ]
    );
    assert_eq!(paths(&|route| route.priority == Priority::Normal), ["/api/v1/token/refresh", endpoints::TOKEN]);
    assert_eq!(
        paths(&|route| route.needs == Needs::PublicKeys),
        [endpoints::INTROSPECT, endpoints::REVOKE, endpoints::USERINFO]
    );
    let unlimited = paths(&|route| route.rate_limit.is_none());
    assert_eq!(unlimited, [endpoints::FAVICON, "/livez", "/readyz", "/static/{name}"]);
    // What is always served is what needs nothing, and the other way about but for a text that costs as much as a page.
    let exempt = paths(&|route| route.priority == Priority::Exempt);
    let mut timeless = paths(&|route| route.needs == Needs::Nothing);
    timeless.retain(|path| *path != "/robots.txt");
    assert_eq!(exempt, timeless);
}

/// A limit of a path that does not exist is a typing error, and would protect nothing.
#[test]
fn route_limits_are_for_paths_that_there_are() {
    let check = |text: &str| check_limits(&[text.parse().expect("a limit")]);
    for good in [
        "/oauth2/token per client 600/1m",
        "/login per address 60/1m burst 20",
        "/api/v1/* per address 60/1m",
        "/api/v1/api-keys/* per address 60/1m",
        "/api/v1/api-keys/0198/rotate per address 60/1m",
        "/client-logo/* per address 60/1m",
        "/* per address 60/1m",
    ] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (wrong, hint) in [
        ("/oauth2/tokens per client 600/1m", "did you mean /oauth2/token?"),
        ("/logn per address 60/1m", "did you mean /login?"),
        ("/api/v3/* per address 60/1m", "/api/v3/*"),
        ("/livez per address 60/1m", "no path that has a rate limit"),
        ("/mock/rules per address 60/1m", "no path that has a rate limit"),
    ] {
        let why = check(wrong).expect_err(wrong);
        assert!(why.contains(hint) && why.starts_with("[limits] routes: "), "{why}");
    }
}
