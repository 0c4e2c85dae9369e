//! Routes: what a path and a method lead to, whoever described them.

use crate::collection::Bound;
use crate::near_miss::NearMiss;
use crate::operation::Operation;
use crate::path::{Pattern, Values};
use crate::reply::Reply;
use crate::require::Requires;
use crate::security::Demand;

pub struct Route {
    /// In capitals.
    pub method: String,
    pub pattern: Pattern,
    /// The file that has it.
    pub source: String,
    pub operation: Option<Operation>,
    pub requires: Vec<Requires>,
    /// Tried in order.
    pub replies: Vec<Reply>,
    pub collection: Option<Bound>,
}

impl Route {
    /// What a journal calls it.
    pub fn name(&self) -> String {
        format!("{} {} ({})", self.method, self.pattern.as_str(), self.source)
    }

    pub fn demand(&self) -> Option<&Demand> {
        self.operation.as_ref().map(|operation| &operation.demand)
    }

    /// The answers as there are names for them, and why they are not given.
    pub fn near_reply(&self, number: usize, why: String) -> NearMiss {
        NearMiss { what: format!("answer {} of {}", number + 1, self.name()), why }
    }
}

/// All routes, by path.
#[derive(Default)]
pub struct Table {
    pub routes: Vec<Route>,
    /// A path, what it is worth beside an equal one, and its route.
    entries: Vec<(Pattern, u8, usize)>,
}

/// What a request leads to.
pub enum Found<'a> {
    /// Routes of the same method whose paths cannot be told apart, the one that counts first.
    Routes(Vec<(&'a Route, Values)>),
    /// The path is there, with other methods.
    Methods(Vec<&'a str>),
    Nothing,
}

impl Table {
    /// Adds a route at its own path.
    pub fn add(&mut self, route: Route, worth: u8) {
        let pattern = route.pattern.clone();
        self.routes.push(route);
        self.entries.push((pattern, worth, self.routes.len() - 1));
    }

    /// Adds another path to the route that was added last.
    pub fn alias(&mut self, pattern: Pattern, worth: u8) {
        if let Some(last) = self.routes.len().checked_sub(1) {
            self.entries.push((pattern, worth, last));
        }
    }

    /// Brings the paths into the order in which they are looked at.
    pub fn prepare(&mut self) {
        self.entries.sort_by_key(|(pattern, worth, _)| (pattern.rank(), *worth));
    }

    pub fn has_path(&self, path: &str) -> bool {
        self.entries.iter().any(|(pattern, ..)| pattern.matches(path).is_some())
    }

    /// The route of a request. Of the paths that fit the most definite one decides which methods there are (OpenAPI, Paths
    /// Object).
    pub fn find(&self, method: &str, path: &str) -> Found<'_> {
        let mut fitting = self.entries.iter().filter_map(|entry| Some((entry, entry.0.matches(path)?)));
        let Some((first, values)) = fitting.next() else { return Found::Nothing };
        let same = fitting.filter(|(entry, _)| entry.0.is_like(&first.0));
        let all: Vec<(&Route, Values)> = std::iter::once((first, values))
            .chain(same)
            .filter_map(|((_, _, number), values)| Some((self.routes.get(*number)?, values)))
            .collect();
        let named = |wanted: &str| all.iter().position(|(route, _)| route.method == wanted);
        let served = match named(method) {
            Some(_) => method,
            None if method == "HEAD" => "GET",
            None => "",
        };
        let routes: Vec<(&Route, Values)> = all
            .iter()
            .filter(|(route, _)| route.method == served)
            .map(|(route, values)| (*route, values.clone()))
            .collect();
        match routes.is_empty() {
            false => Found::Routes(routes),
            true => {
                let mut methods: Vec<&str> = all.iter().map(|(route, _)| route.method.as_str()).collect();
                if methods.contains(&"GET") && !methods.contains(&"HEAD") {
                    methods.push("HEAD");
                }
                if !methods.contains(&"OPTIONS") {
                    methods.push("OPTIONS");
                }
                methods.dedup();
                Found::Methods(methods)
            }
        }
    }

    /// Routes of one document that no path can tell apart (OpenAPI, Paths Object: they must not exist).
    pub fn ambiguous(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (at, route) in self.routes.iter().enumerate() {
            let twin = self.routes.iter().skip(at + 1).find(|other| {
                other.method == route.method
                    && other.source == route.source
                    && other.operation.is_some()
                    && other.pattern.is_like(&route.pattern)
            });
            remarks.extend(twin.filter(|_| route.operation.is_some()).map(|twin| {
                format!(
                    "{}: {method} {} and {method} {} differ only in the names of their parameters; a request goes to the \
                     first whose parameters it meets",
                    route.source,
                    route.pattern.as_str(),
                    twin.pattern.as_str(),
                    method = route.method,
                )
            }));
        }
        remarks
    }

    /// The three routes that would have fitted best, had the path or the method been another.
    pub fn near(&self, method: &str, path: &str) -> Vec<NearMiss> {
        let mut found: Vec<(usize, NearMiss)> = Vec::new();
        for (pattern, _, number) in &self.entries {
            let Some(route) = self.routes.get(*number) else { continue };
            let what = || format!("{} {} ({})", route.method, pattern.as_str(), route.source);
            let other_method = route.method != method;
            if pattern.matches(path).is_some() {
                let why = format!("the method {method} differs from {}", route.method);
                found.push((1, NearMiss { what: what(), why }));
            } else if let Some((count, why)) = pattern.differs(path) {
                let why = if other_method { format!("{why}, and so does the method") } else { why };
                if count * 2 <= pattern.segments().max(2) {
                    found.push((2 * count + usize::from(other_method), NearMiss { what: what(), why }));
                }
            } else if !path.ends_with('/') && pattern.matches(&format!("{path}/")).is_some()
                || path.strip_suffix('/').is_some_and(|path| pattern.matches(path).is_some())
            {
                found.push((1, NearMiss { what: what(), why: "a slash at the end differs".to_owned() }));
            }
        }
        found.sort_by_key(|(distance, _)| *distance);
        found.into_iter().map(|(_, near)| near).take(3).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &str)]) -> Table {
        let mut table = Table::default();
        for (method, path) in routes {
            let route = Route {
                method: (*method).to_owned(),
                pattern: Pattern::parse(path).expect("a path"),
                source: "t".to_owned(),
                operation: None,
                requires: Vec::new(),
                replies: Vec::new(),
                collection: None,
            };
            table.add(route, 0);
        }
        table.prepare();
        table
    }

    fn name(found: Found<'_>) -> String {
        match found {
            Found::Routes(routes) => {
                routes.first().map(|(route, values)| format!("{} {values:?}", route.name())).unwrap_or_default()
            }
            Found::Methods(methods) => methods.join(" "),
            Found::Nothing => String::new(),
        }
    }

    const ROUTES: &[(&str, &str)] = &[
        ("GET", "/pets/{id}"),
        ("DELETE", "/pets/{id}"),
        ("GET", "/pets/mine"),
        ("POST", "/pets"),
        ("PUT", "/pets/{other}"),
    ];

    #[test]
    fn the_most_definite_path_decides() {
        let table = table(ROUTES);
        assert_eq!(name(table.find("GET", "/pets/mine")), "GET /pets/mine (t) []");
        assert_eq!(name(table.find("GET", "/pets/7")), "GET /pets/{id} (t) [(\"id\", \"7\")]");
        assert_eq!(name(table.find("PUT", "/pets/7")), "PUT /pets/{other} (t) [(\"other\", \"7\")]");
        assert_eq!(name(table.find("HEAD", "/pets/7")), "GET /pets/{id} (t) [(\"id\", \"7\")]");
        assert_eq!(name(table.find("DELETE", "/pets/mine")), "GET HEAD OPTIONS");
        assert_eq!(name(table.find("GET", "/pets")), "POST OPTIONS");
        assert_eq!(name(table.find("GET", "/cats")), "");
    }

    #[test]
    fn near_misses_say_why() {
        let table = table(ROUTES);
        let near = table.near("GET", "/pets/");
        assert_eq!(near.first().map(|near| near.why.as_str()), Some("a slash at the end differs"));
        let near = table.near("GET", "/pet/7");
        assert_eq!(near.len(), 3);
        let NearMiss { what, why } = &near[0];
        assert_eq!((what.as_str(), why.as_str()), ("GET /pets/{id} (t)", "the segment \"pet\" differs from \"pets\""));
        assert_eq!(table.near("PATCH", "/pets/7")[0].why, "the method PATCH differs from GET");
        assert!(table.near("GET", "/a/b/c/d").is_empty());
    }
}
