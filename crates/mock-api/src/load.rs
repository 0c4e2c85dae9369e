//! An API made of its settings: documents, routes and collections together in one table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::Api;
use crate::collection::{Bound, Collection, Verb};
use crate::document::Document;
use crate::error::ApiError;
use crate::operation::Operation;
use crate::path::Pattern;
use crate::reply::Reply;
use crate::require::Requires;
use crate::route::{Route, Table};
use crate::scopes;
use crate::security::Known;
use crate::settings::{ApiSettings, OverrideSettings};
use crate::shape::shape;
use crate::view::View;
use latchway_oauth_types::ScopeText;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Of equal paths the one of `mock.toml` counts, then that of a document, then what else leads to it.
const SETTINGS: u8 = 0;
const DOCUMENT: u8 = 1;
const WITHOUT_BASE: u8 = 2;

impl Api {
    /// Reads what there is to be mocked. Files are named from `folder`.
    ///
    /// # Errors
    /// The first thing that means nothing, by its file and its place in it.
    pub fn load(settings: &ApiSettings, folder: &Path, seed: u64) -> Result<Self, ApiError> {
        let collections = settings.collections.iter().enumerate();
        let collections =
            collections.map(|(number, (name, one))| Collection::read(name, number, one, folder).map(Arc::new));
        let mut api = Self {
            seed,
            validate: settings.validate,
            table: Table::default(),
            collections: collections.collect::<Result<_, _>>()?,
            known: Known { keys: settings.keys.clone(), basic: settings.basic.clone() },
            views: settings.views.iter().map(View::new).collect(),
            scopes: Vec::new(),
            remarks: Vec::new(),
        };
        for known in &settings.keys {
            if known.key.is_empty() {
                return Err(ApiError::Settings("[[api.keys]] key is empty".to_owned()));
            }
        }
        let (mut bound, mut described) = (vec![false; api.collections.len()], BTreeMap::new());
        for file in &settings.documents {
            let document = Arc::new(Document::read(&folder.join(file))?);
            api.remarks.extend(document.remarks.iter().cloned());
            api.add_document(&document, &mut bound);
            scopes::describe(&document, &mut described);
        }
        for (number, one) in settings.overrides.iter().enumerate() {
            api.add_override(one, folder, number)?;
        }
        for route in &settings.routes {
            let what = format!("[[api.routes]] {} {}", route.method, route.path);
            let method = route.method.to_ascii_uppercase();
            if !METHODS.contains(&method.to_ascii_lowercase().as_str()) {
                return Err(ApiError::Settings(format!("{what}: there is no method {:?}", route.method)));
            }
            let replies = route.answers.iter().map(|answer| Reply::read(answer, folder, &what));
            let route = Route {
                method,
                pattern: Pattern::parse(&route.path).map_err(|why| ApiError::Settings(format!("{what}: {why}")))?,
                source: "mock.toml".to_owned(),
                operation: None,
                requires: vec![Requires::new(&route.requires)],
                replies: replies.collect::<Result<_, _>>()?,
                collection: None,
            };
            api.table.add(route, SETTINGS);
        }
        let free: Vec<Arc<Collection>> =
            api.collections.iter().filter(|one| bound.get(one.number) == Some(&false)).map(Arc::clone).collect();
        free.iter().try_for_each(|collection| api.add_collection(collection))?;
        api.scopes = scopes::all(&api.table, described);
        api.table.prepare();
        api.remarks.extend(api.table.ambiguous());
        Ok(api)
    }

    /// Whether anything is served here.
    pub fn has_path(&self, path: &str) -> bool {
        self.table.has_path(path)
    }

    /// The scopes that are asked for anywhere, with the words that a document has for them.
    pub fn scopes(&self) -> &[ScopeText] {
        &self.scopes
    }

    /// What in the documents means nothing and was left out, or cannot be told apart; each with its place.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What there is, by name.
    pub fn routes(&self) -> Vec<String> {
        self.table.routes.iter().map(Route::name).collect()
    }

    fn add_document(&mut self, document: &Arc<Document>, bound: &mut [bool]) {
        let base = base_path(document.root());
        let paths = document.root().get("paths").and_then(Value::as_object).into_iter().flatten();
        for (path, _) in paths.filter(|(path, _)| !path.starts_with("x-")) {
            let at = format!("/paths/{}", crate::json_pointer::escaped(path));
            let read = || {
                let (_, item) = document.at(&at).ok_or_else(|| "leads nowhere".to_owned())?;
                let item = item.as_object().ok_or_else(|| "must be an object".to_owned())?;
                Ok::<_, String>((item, Pattern::parse(path)?, Pattern::parse(&format!("{base}{path}"))?))
            };
            let (item, pattern, whole) = match read() {
                Ok(read) => read,
                Err(why) => {
                    self.remarks.push(format!("{}#{at}: {why}; the path is left out", document.name));
                    continue;
                }
            };
            for method in METHODS.into_iter().filter(|method| item.contains_key(*method)) {
                let operation = match Operation::read(document, path, method, &mut self.remarks) {
                    Ok(operation) => operation,
                    Err(error) => {
                        self.remarks.push(format!("{error}; the operation is left out"));
                        continue;
                    }
                };
                let collection = self.bound(&operation, &pattern, &whole, method);
                let mut requires = Vec::new();
                if let Some(Bound { collection, verb, .. }) = &collection {
                    requires = of_collection(collection, *verb);
                    bound.get_mut(collection.number).into_iter().for_each(|bound| *bound = true);
                }
                let route = Route {
                    method: method.to_ascii_uppercase(),
                    pattern: whole.clone(),
                    source: document.name.clone(),
                    operation: Some(operation),
                    requires,
                    replies: Vec::new(),
                    collection,
                };
                self.table.add(route, DOCUMENT);
                if !base.is_empty() {
                    self.table.alias(pattern.clone(), WITHOUT_BASE);
                }
            }
        }
    }

    /// The collection that an operation is about.
    fn bound(&self, operation: &Operation, pattern: &Pattern, whole: &Pattern, method: &str) -> Option<Bound> {
        self.collections.iter().find_map(|collection| {
            let all = Pattern::parse(&collection.path).ok()?;
            let one = Pattern::parse(&format!("{}/{{id}}", collection.path)).ok()?;
            let same = |path: &Pattern| pattern.is_like(path) || whole.is_like(path);
            let verb = if same(&all) {
                on_all(method)?
            } else if same(&one) {
                on_one(method)?
            } else {
                return None;
            };
            let numbers = collection.has_numbers().unwrap_or_else(|| numbered(operation, &collection.id));
            Some(Bound { collection: Arc::clone(collection), verb, numbers })
        })
    }

    fn add_override(&mut self, settings: &OverrideSettings, folder: &Path, number: usize) -> Result<(), ApiError> {
        let what = format!("[[api.overrides]] number {}, operation = {:?}", number + 1, settings.operation);
        let is_meant = |route: &Route| {
            let id = route.operation.as_ref().and_then(|operation| operation.id.as_deref());
            let (method, path) = settings.operation.split_once(' ').unwrap_or_default();
            id == Some(settings.operation.as_str())
                || route.method.eq_ignore_ascii_case(method)
                    && route.pattern.as_str().ends_with(path.trim())
                    && !path.is_empty()
        };
        let Some(route) = self.table.routes.iter_mut().find(|route| is_meant(route)) else {
            return Err(ApiError::Settings(format!(
                "{what}: no document has it; an operation is named by its operationId, or like \"GET /orders\""
            )));
        };
        for answer in &settings.answers {
            route.replies.push(Reply::read(answer, folder, &what)?);
        }
        route.requires.push(Requires::new(&settings.requires));
        Ok(())
    }

    /// All routes of a collection that no document describes.
    fn add_collection(&mut self, collection: &Arc<Collection>) -> Result<(), ApiError> {
        let parse = |path: &str| Pattern::parse(path).map_err(ApiError::Settings);
        let (all, one) = (parse(&collection.path)?, parse(&format!("{}/{{id}}", collection.path))?);
        let on_all = [("GET", Verb::List), ("POST", Verb::Create)].map(|route| (route, &all));
        let on_one = [("GET", Verb::Get), ("PUT", Verb::Replace), ("PATCH", Verb::Merge), ("DELETE", Verb::Delete)]
            .map(|route| (route, &one));
        for ((method, verb), pattern) in on_all.into_iter().chain(on_one) {
            let numbers = collection.has_numbers().unwrap_or(false);
            let route = Route {
                method: method.to_owned(),
                pattern: pattern.clone(),
                source: "mock.toml".to_owned(),
                operation: None,
                requires: of_collection(collection, verb),
                replies: Vec::new(),
                collection: Some(Bound { collection: Arc::clone(collection), verb, numbers }),
            };
            self.table.add(route, SETTINGS + 1);
        }
        Ok(())
    }
}

fn of_collection(collection: &Collection, verb: Verb) -> Vec<Requires> {
    let changing = verb.changes().then(|| collection.requires_to_change.clone());
    std::iter::once(collection.requires.clone()).chain(changing).collect()
}

fn on_all(method: &str) -> Option<Verb> {
    Some(match method {
        "get" => Verb::List,
        "post" => Verb::Create,
        "put" => Verb::ReplaceNamed,
        _ => return None,
    })
}

fn on_one(method: &str) -> Option<Verb> {
    Some(match method {
        "get" => Verb::Get,
        "put" => Verb::Replace,
        "patch" => Verb::Merge,
        "delete" => Verb::Delete,
        _ => return None,
    })
}

/// Whether the document says that ids are numbers.
fn numbered(operation: &Operation, id: &str) -> bool {
    let root = operation.document.root();
    let bodies = operation.body.iter().flat_map(|body| &body.content).filter_map(|(_, schema)| schema.as_ref());
    let answers = operation.answers.iter().flat_map(|answer| &answer.content).filter_map(|media| media.schema.as_ref());
    let mut schemas = bodies.chain(answers).filter_map(|schema| operation.document.schema(schema));
    schemas.any(|schema| {
        let id = shape(root, schema).property(id);
        id.is("integer") || id.is("number")
    })
}

/// The path of `servers[0].url`, without its last slash.
fn base_path(root: &Value) -> String {
    let server = root.pointer("/servers/0");
    let Some(mut text) = server.and_then(|server| server.get("url")).and_then(Value::as_str).map(str::to_owned) else {
        return String::new();
    };
    let variables = server.and_then(|server| server.get("variables")).and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        text = text.replace(&format!("{{{name}}}"), default);
    }
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().to_owned(),
        None if text.starts_with('/') => text,
        None => format!("/{text}"),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
    if path.contains(['{', '}']) { String::new() } else { path }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_base_path_is_that_of_the_first_server() {
        for (url, base) in [
            ("https://api.example/v1", "/v1"),
            ("https://api.example/v1/", "/v1"),
            ("https://api.example", ""),
            ("/api/v3", "/api/v3"),
            ("/", ""),
            ("https://{host}/{v}", "/v2"),
        ] {
            let root = json!({"servers": [{"url": url, "variables": {"v": {"default": "v2"}}}]});
            assert_eq!(base_path(&root), base, "{url}");
        }
        assert_eq!(base_path(&json!({})), "");
    }
}
