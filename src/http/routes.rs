//! The index of the whole server: the route tables of all modules, and the row of a request's path.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::web::ServiceConfig;

use super::health;
use crate::app::Mode;
use crate::config::RouteLimit;
#[cfg(feature = "mock")]
use crate::mock;
use crate::route::{ErrorFormat, Modes, RateLimitGroup, Route};
use crate::{api, oauth, oidc, pages};

/// The tables; those of the versions of the API follow in [`all`].
static TABLES: &[&[Route]] = &[
    oauth::ROUTES,
    oidc::ROUTES,
    pages::ROUTES,
    api::ROUTES,
    health::ROUTES,
    #[cfg(feature = "mock")]
    mock::ROUTES,
    #[cfg(feature = "mock")]
    mock::control::ROUTES,
];

/// How paths answer at which there is nothing, by what they begin with. The last row is for all others.
static NOTHING: &[Route] = &[
    nothing(Route::document("/.well-known/", &[])),
    nothing(Route::file("/static/", &[])),
    nothing(Route::page("/oauth2/", &[])).errors(ErrorFormat::Json),
    nothing(Route::page("/api/", &[])).errors(ErrorFormat::Json).group(RateLimitGroup::Api),
    nothing(Route::page("/mock/", &[])).errors(ErrorFormat::Json),
    nothing(Route::page("", &[])),
];

/// Metrics and the log have one label for all paths at which there is nothing: who sends them chooses them.
const fn nothing(route: Route) -> Route {
    route.label("other")
}

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().chain(api::VERSIONS.iter().map(|version| version.routes)).flatten()
}

/// The labels that metrics of a server may have; those of a mock are not collected.
pub fn labels() -> impl Iterator<Item = &'static str> {
    all().filter(|route| route.modes != Modes::Mock).map(|route| route.label).chain(["other"])
}

fn exists(route: &Route, mode: Mode) -> bool {
    match route.modes {
        Modes::All => true,
        Modes::Dev => mode == Mode::Dev,
        Modes::Mock => mode == Mode::Mock,
    }
}

/// Registers every row that exists in this mode.
pub fn configure(mode: Mode) -> impl Fn(&mut ServiceConfig) {
    move |services| {
        let rows = TABLES.iter().copied().flatten().filter(|route| exists(route, mode));
        rows.for_each(|route| _ = services.service(route.resource("")));
        services.configure(api::configure(api::VERSIONS));
    }
}

/// Finds the row of a path, as the router finds its handlers.
pub struct RouteIndex {
    exact: HashMap<&'static str, &'static Route>,
    patterns: Vec<(ResourceDef, &'static Route)>,
}

impl RouteIndex {
    fn of(mode: Mode) -> Self {
        let rows = all().filter(|route| exists(route, mode));
        let (patterns, exact): (Vec<&'static Route>, Vec<_>) = rows.partition(|route| route.path.contains('{'));
        Self {
            exact: exact.into_iter().map(|route| (route.path, route)).collect(),
            patterns: patterns.into_iter().map(|route| (ResourceDef::new(route.path), route)).collect(),
        }
    }

    /// The row of a path with the escapes resolved that the router resolves (`match_info`), or the one of [`NOTHING`] that
    /// says how to answer there.
    pub fn resolve(&self, path: &str) -> &'static Route {
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, route)| *route);
        let found = self.exact.get(path).copied().or_else(by_pattern);
        found.unwrap_or_else(|| {
            let (others, rest) = NOTHING.split_at(NOTHING.len() - 1);
            others.iter().find(|route| path.starts_with(route.path)).unwrap_or(&rest[0])
        })
    }
}

/// The index of the routes that exist in a mode.
pub fn index(mode: Mode) -> &'static RouteIndex {
    static PRODUCTION: LazyLock<RouteIndex> = LazyLock::new(|| RouteIndex::of(Mode::Production));
    static DEV: LazyLock<RouteIndex> = LazyLock::new(|| RouteIndex::of(Mode::Dev));
    static MOCK: LazyLock<RouteIndex> = LazyLock::new(|| RouteIndex::of(Mode::Mock));
    match mode {
        Mode::Production => &PRODUCTION,
        Mode::Dev => &DEV,
        Mode::Mock => &MOCK,
    }
}

/// Whether the server itself serves a path. A mock gives all other paths to the mocked API.
pub fn is_known(path: &str) -> bool {
    let route = index(Mode::Mock).resolve(path);
    route.is_served() && route.modes == Modes::All
}

/// Whether each limit of `[limits] routes` is for a path that there is and that can be limited.
///
/// # Errors
/// Which is not, in a sentence for the operator.
pub fn check_limits(limits: &[RouteLimit]) -> Result<(), String> {
    let limited = || all().filter(|route| route.modes != Modes::Mock && route.rate_limit.is_some());
    let Some(wrong) = limits.iter().find(|limit| !limited().any(|route| may_cover(limit, route))) else {
        return Ok(());
    };
    let likeness = |route: &&Route| strsim::normalized_damerau_levenshtein(&wrong.path, route.path);
    let nearest = limited().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|route| likeness(route) > 0.6);
    let hint = nearest.map(|route| format!("; did you mean {}?", route.path)).unwrap_or_default();
    Err(format!("[limits] routes: \"{wrong}\": no path that has a rate limit is {}{hint}", wrong.path))
}

/// Whether a limit is for some path of a row.
fn may_cover(limit: &RouteLimit, route: &Route) -> bool {
    let fixed = route.path.split('{').next().unwrap_or_default();
    let is_pattern = fixed.len() < route.path.len();
    match limit.path.strip_suffix('*') {
        Some(prefix) => fixed.starts_with(prefix) || (is_pattern && prefix.starts_with(fixed)),
        None => limit.path == route.path || (is_pattern && ResourceDef::new(route.path).is_match(&limit.path)),
    }
}
