//! Collections: things that are kept while the mock runs, and changed by whoever may.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::generate::dice::Dice;
use crate::problem::{Fault, Problem};
use crate::reply;
use crate::require::Requires;
use crate::settings::CollectionSettings;
use crate::who::Who;

/// No collection has more items than these.
pub const MAX_ITEMS: usize = 10_000;

/// A collection as it is described; what is in it belongs to a world.
pub struct Collection {
    pub name: String,
    pub path: String,
    pub id: String,
    /// Its place among all collections.
    pub number: usize,
    pub requires: Requires,
    pub requires_to_change: Requires,
    pub items: Vec<Arc<Value>>,
    owner: Option<String>,
    owner_field: String,
    all: Vec<String>,
}

/// What a route does with a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    List,
    Create,
    Get,
    Replace,
    /// With the id in the body, and none in the path.
    ReplaceNamed,
    Merge,
    Delete,
}

impl Verb {
    pub fn changes(self) -> bool {
        !matches!(self, Self::List | Self::Get)
    }
}

/// A route's collection.
pub struct Bound {
    pub collection: Arc<Collection>,
    pub verb: Verb,
    /// Whether new ids are numbers.
    pub numbers: bool,
}

/// Who does it to what.
pub struct Act<'a> {
    pub who: &'a Who,
    pub id: Option<&'a str>,
    pub query: &'a [(String, String)],
    pub body: Option<Value>,
    pub dice: Dice,
}

/// What comes of it.
#[derive(Debug, PartialEq)]
pub enum Done {
    List { items: Vec<Arc<Value>>, total: usize },
    Item(Arc<Value>),
    Created { item: Arc<Value>, id: String },
    Deleted,
}

/// What is in a collection now.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default, Clone)]
struct Kept {
    items: Vec<Arc<Value>>,
    /// The last number that was given as an id. None is given twice, even of what is gone.
    last: u64,
}

impl Clone for Shelf {
    fn clone(&self) -> Self {
        Self { kept: Mutex::new(self.lock().clone()) }
    }
}

impl Shelf {
    pub fn of(collection: &Collection) -> Self {
        let last = collection.items.iter().filter_map(|item| item.get(&collection.id)?.as_u64()).max().unwrap_or(0);
        Self { kept: Mutex::new(Kept { items: collection.items.clone(), last }) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collection {
    /// Reads one.
    ///
    /// # Errors
    /// Items that are none, a path with braces, a file that cannot be read.
    pub fn read(name: &str, number: usize, settings: &CollectionSettings, folder: &Path) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::Settings(format!("[api.collections.{name}] {why}"));
        if !settings.path.starts_with('/') || settings.path.ends_with('/') || settings.path.contains(['{', '}']) {
            return Err(wrong(format!(
                "path = {:?} must begin with a slash, end without one, and have no braces",
                settings.path
            )));
        }
        let mut items: Vec<Value> = settings.items.iter().cloned().map(reply::plain).collect();
        if let Some(file) = &settings.file {
            let file = folder.join(file);
            let bytes = std::fs::read(&file).map_err(|why| ApiError::Read { file: file.clone(), why })?;
            match reply::json(&file, &bytes)? {
                Value::Array(more) => items.extend(more),
                _ => return Err(wrong(format!("{} must have a list", file.display()))),
            }
        }
        if items.len() > MAX_ITEMS {
            return Err(wrong(format!("{} items are more than {MAX_ITEMS}", items.len())));
        }
        for (number, item) in items.iter().enumerate() {
            let id = item.get(&settings.id).filter(|id| id.is_string() || id.is_number());
            let Some(id) = id else { return Err(wrong(format!("item {number} has no {}", settings.id))) };
            if items[..number].iter().any(|other| other.get(&settings.id) == Some(id)) {
                return Err(wrong(format!("there are two items with {} = {id}", settings.id)));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            path: settings.path.clone(),
            id: settings.id.clone(),
            number,
            requires: Requires::new(&settings.requires),
            requires_to_change: Requires::new(&settings.requires_to_change),
            items: items.into_iter().map(Arc::new).collect(),
            owner: settings.owner.clone(),
            owner_field: settings.owner_field.clone(),
            all: settings.all.iter().map(str::to_owned).collect(),
        })
    }

    /// Whether the ids that are there are numbers.
    pub fn has_numbers(&self) -> Option<bool> {
        self.items.first().map(|item| item.get(&self.id).is_some_and(Value::is_number))
    }

    /// Does what a request wants.
    ///
    /// # Errors
    /// 400, 404, 409, or 507 when it is full.
    pub fn act(&self, verb: Verb, numbers: bool, shelf: &Shelf, act: Act<'_>) -> Result<Done, Problem> {
        let mut kept = shelf.lock();
        let items = &mut kept.items;
        let find = |items: &[Arc<Value>], id: &str| {
            let at = items.iter().position(|item| self.id_of(item).as_deref() == Some(id));
            at.filter(|&at| items.get(at).is_some_and(|item| self.may(act.who, item)))
        };
        let missing = |id: &str| Problem::new(404, format!("there is no item {id:?} in {}", self.name));
        let id = act.id.unwrap_or_default();
        match verb {
            Verb::List => self.list(items, &act),
            Verb::Get => {
                let at = find(items, id).ok_or_else(|| missing(id))?;
                items.get(at).cloned().map(Done::Item).ok_or_else(|| missing(id))
            }
            Verb::Delete => {
                let at = find(items, id).ok_or_else(|| missing(id))?;
                items.remove(at);
                Ok(Done::Deleted)
            }
            Verb::Create => self.create(&mut kept, numbers, act),
            Verb::Replace | Verb::ReplaceNamed | Verb::Merge => {
                let body = object(act.body.clone())?;
                let named = body.get(&self.id).and_then(as_id);
                let id = match (verb, &named) {
                    (Verb::ReplaceNamed, Some(named)) => named.clone(),
                    (Verb::ReplaceNamed, None) => {
                        return Err(Problem::new(404, format!("the body names no item: it has no {}", self.id)));
                    }
                    _ => id.to_owned(),
                };
                let at = find(items, &id).ok_or_else(|| missing(&id))?;
                let slot = items.get_mut(at).ok_or_else(|| missing(&id))?;
                if named.is_some_and(|named| named != id) {
                    // RFC 9110 §9.3.4
                    return Err(Problem::new(
                        409,
                        format!("the body is of another item: {} cannot be changed", self.id),
                    ));
                }
                let mut changed = if verb == Verb::Merge { (**slot).clone() } else { Value::Object(Map::new()) };
                merge(&mut changed, Value::Object(body));
                if let Value::Object(members) = &mut changed {
                    for kept in [Some(&self.id), self.owner.as_ref().map(|_| &self.owner_field)].into_iter().flatten() {
                        let admin_gives =
                            *kept == self.owner_field && self.sees_all(act.who) && members.contains_key(kept);
                        if let Some(value) = slot.get(kept).filter(|_| !admin_gives) {
                            members.insert(kept.clone(), value.clone());
                        }
                    }
                }
                *slot = Arc::new(changed);
                Ok(Done::Item(Arc::clone(slot)))
            }
        }
    }

    fn list(&self, items: &[Arc<Value>], act: &Act<'_>) -> Result<Done, Problem> {
        let number = |name: &str, default: usize| match act.query.iter().find(|(known, _)| known == name) {
            None => Ok(default),
            Some((_, text)) => text.parse().map_err(|_| {
                Problem::faults(vec![Fault::parameter("query", name, format!("{text:?} is no number of items"))])
            }),
        };
        let (limit, offset) = (number("limit", MAX_ITEMS)?, number("offset", 0)?);
        let of_items = |name: &str| items.iter().any(|item| item.get(name).is_some());
        let filters: Vec<&(String, String)> =
            act.query.iter().filter(|(name, _)| name != "limit" && name != "offset" && of_items(name)).collect();
        let fits = |item: &Value| {
            filters.iter().all(|(name, _)| {
                let mut wanted = filters.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
                wanted.any(|wanted| item.get(name).is_some_and(|given| is(given, wanted)))
            })
        };
        let found: Vec<Arc<Value>> =
            items.iter().filter(|item| self.may(act.who, item) && fits(item)).cloned().collect();
        let total = found.len();
        Ok(Done::List { items: found.into_iter().skip(offset).take(limit).collect(), total })
    }

    fn create(&self, kept: &mut Kept, numbers: bool, mut act: Act<'_>) -> Result<Done, Problem> {
        let Kept { items, last } = kept;
        let mut item = object(act.body.take())?;
        if items.len() >= MAX_ITEMS {
            return Err(Problem::new(507, format!("{} has {MAX_ITEMS} items, and takes no more", self.name)));
        }
        let taken = |id: &str| items.iter().any(|item| self.id_of(item).as_deref() == Some(id));
        let id = match item.get(&self.id).and_then(as_id) {
            Some(id) if taken(&id) => {
                return Err(Problem::new(409, format!("there is an item {id:?} in {} already", self.name)));
            }
            Some(id) => id,
            None if numbers => {
                let mut next = last.saturating_add(1);
                while taken(&next.to_string()) {
                    next += 1;
                }
                *last = next;
                item.insert(self.id.clone(), next.into());
                next.to_string()
            }
            None => {
                let mut id = act.dice.uuid().to_string();
                while taken(&id) {
                    id = act.dice.uuid().to_string();
                }
                item.insert(self.id.clone(), id.clone().into());
                id
            }
        };
        if let Some(claim) = &self.owner
            && !(self.sees_all(act.who) && item.contains_key(&self.owner_field))
            && let Some(owner) = act.who.json.get(claim)
        {
            item.insert(self.owner_field.clone(), owner.clone());
        }
        let item = Arc::new(Value::Object(item));
        items.push(Arc::clone(&item));
        Ok(Done::Created { item, id })
    }

    fn id_of(&self, item: &Value) -> Option<String> {
        item.get(&self.id).and_then(as_id)
    }

    fn sees_all(&self, who: &Who) -> bool {
        self.all.iter().any(|role| who.has_role(role))
    }

    /// Whether somebody sees and changes an item.
    fn may(&self, who: &Who, item: &Value) -> bool {
        let Some(claim) = &self.owner else { return true };
        if self.sees_all(who) {
            return true;
        }
        let Some(owner) = item.get(&self.owner_field) else { return false };
        let is_claim = who.json.get(claim).is_some_and(|value| value == owner);
        is_claim || claim == "sub" && owner.as_str().is_some_and(|owner| who.persona() == Some(owner))
    }
}

fn as_id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn object(body: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match body {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(Problem::faults(vec![Fault::body("", "must be a JSON object")])),
    }
}

/// Whether a member is what a query names.
fn is(given: &Value, wanted: &str) -> bool {
    match given {
        Value::String(text) => text == wanted,
        Value::Array(several) => several.iter().any(|one| is(one, wanted)),
        other => serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *other),
    }
}

/// RFC 7396
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(members) = target {
        for (name, value) in patch {
            if value.is_null() {
                members.remove(&name);
            } else {
                merge(members.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::KeySettings;

    fn who(name: &str, role: &str) -> Who {
        let (persona, roles) = (Some(name.to_owned()), vec![role.to_owned()]);
        Who::of_key(&KeySettings { persona, roles, ..KeySettings::default() })
    }

    fn orders() -> (Collection, Shelf) {
        let settings: CollectionSettings = toml::from_str(
            "path = '/orders'\nowner = 'sub'\nitems = [{ id = 1, owner = 'alice', total = 5 }, { id = 2, owner = 'bob', total = 5 }]",
        )
        .expect("settings");
        let collection = Collection::read("orders", 0, &settings, Path::new(".")).expect("a collection");
        let shelf = Shelf::of(&collection);
        (collection, shelf)
    }

    fn act(
        name: &str,
        verb: Verb,
        id: Option<&str>,
        query: &str,
        body: Value,
        on: &(Collection, Shelf),
    ) -> Result<Value, u16> {
        let role = if name == "root" { "admin" } else { "user" };
        let who = who(name, role);
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let body = (!body.is_null()).then_some(body);
        let act = Act { who: &who, id, query: &query, body, dice: Dice::new(1, &["t"]) };
        on.0.act(verb, true, &on.1, act).map_err(|problem| problem.status).map(|done| match done {
            Done::List { items, total } => {
                json!({"items": items.iter().map(|item| (**item).clone()).collect::<Vec<_>>(), "total": total})
            }
            Done::Item(item) => (*item).clone(),
            Done::Created { item, .. } => (*item).clone(),
            Done::Deleted => json!("gone"),
        })
    }

    #[test]
    fn each_sees_and_changes_their_own_and_an_admin_all() {
        let on = orders();
        let ids = |name| act(name, Verb::List, None, "", json!(null), &on).expect("a list")["total"].clone();
        assert_eq!((ids("alice"), ids("bob"), ids("root"), ids("eve")), (json!(1), json!(1), json!(2), json!(0)));
        for verb in [Verb::Get, Verb::Delete] {
            assert_eq!(act("alice", verb, Some("2"), "", json!(null), &on), Err(404));
        }
        assert_eq!(act("alice", Verb::Merge, Some("2"), "", json!({"total": 0}), &on), Err(404));
        assert_eq!(act("root", Verb::Get, Some("2"), "", json!(null), &on).expect("bob's")["owner"], "bob");
        let stolen =
            act("alice", Verb::Merge, Some("1"), "", json!({"owner": "bob", "total": 6}), &on).expect("changed");
        assert_eq!(stolen, json!({"id": 1, "owner": "alice", "total": 6}));
    }

    #[test]
    fn things_live_and_die() {
        let on = orders();
        let made = act("alice", Verb::Create, None, "", json!({"total": 9, "owner": "bob"}), &on).expect("made");
        assert_eq!(made, json!({"id": 3, "total": 9, "owner": "alice"}));
        assert_eq!(act("alice", Verb::Create, None, "", json!({"id": 3}), &on), Err(409));
        assert_eq!(act("alice", Verb::Create, None, "", json!([1]), &on), Err(400));
        let put = act("alice", Verb::Replace, Some("3"), "", json!({"note": "x"}), &on).expect("put");
        assert_eq!(put, json!({"id": 3, "owner": "alice", "note": "x"}));
        assert_eq!(act("alice", Verb::Replace, Some("3"), "", json!({"id": 4}), &on), Err(409));
        let named = act("alice", Verb::ReplaceNamed, None, "", json!({"id": 3, "note": "y"}), &on).expect("put");
        assert_eq!(named["note"], "y");
        let merged =
            act("alice", Verb::Merge, Some("3"), "", json!({"note": null, "a": {"b": 1}}), &on).expect("merged");
        assert_eq!(merged, json!({"id": 3, "owner": "alice", "a": {"b": 1}}));
        assert_eq!(act("alice", Verb::Delete, Some("3"), "", json!(null), &on), Ok(json!("gone")));
        for verb in [Verb::Get, Verb::Delete] {
            assert_eq!(act("alice", verb, Some("3"), "", json!(null), &on), Err(404));
        }
    }

    #[test]
    fn lists_are_cut_and_filtered() {
        let on = orders();
        let list = |query: &str| act("root", Verb::List, None, query, json!(null), &on);
        assert_eq!(list("limit=1&offset=1").expect("a list")["items"][0]["id"], 2);
        assert_eq!(list("limit=1").expect("a list")["total"], 2);
        assert_eq!(list("owner=bob").expect("a list")["total"], 1);
        assert_eq!(list("id=2&owner=bob&unknown=x").expect("a list")["total"], 1);
        assert_eq!(list("id=1&id=2").expect("a list")["total"], 2);
        assert_eq!(list("limit=x"), Err(400));
        assert_eq!(list("offset=99").expect("a list")["items"], json!([]));
    }

    #[test]
    fn a_snapshot_is_left_alone() {
        let on = orders();
        let copy = on.1.clone();
        act("root", Verb::Delete, Some("1"), "", json!(null), &on).expect("deleted");
        assert_eq!((on.1.lock().items.len(), copy.lock().items.len()), (1, 2));
    }

    #[test]
    fn what_cannot_be_a_collection_is_refused() {
        for (settings, why) in [
            ("path = 'orders'", "path = \"orders\" must begin"),
            ("path = '/a/{b}'", "no braces"),
            ("path = '/a'\nitems = [{ x = 1 }]", "item 0 has no id"),
            ("path = '/a'\nitems = [{ id = 1 }, { id = 1 }]", "two items with id = 1"),
            ("path = '/a'\nfile = 'nothing.json'", "cannot read"),
        ] {
            let settings: CollectionSettings = toml::from_str(settings).expect("settings");
            let error =
                Collection::read("c", 0, &settings, Path::new(".")).map(|_| ()).expect_err("refused").to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
