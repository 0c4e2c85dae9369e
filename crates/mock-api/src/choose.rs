//! Which answer is given, once a request may have one.

use serde_json::Value;

use crate::Api;
use crate::answer::{Draft, Payload, Wish};
use crate::collection::{Act, Bound, Done};
use crate::generate::Examples;
use crate::generate::dice::Dice;
use crate::near_miss::NearMiss;
use crate::negotiate::{choose, is_json};
use crate::operation::Operation;
use crate::path::Values;
use crate::problem::Problem;
use crate::reply::{Content, Reply};
use crate::route::Route;
use crate::serve::{Call, Passed};
use crate::template::{Filler, Scope};
use crate::when::Asked;

/// An answer, and the preferences that it meets.
type Chosen = (Draft, Option<String>);

impl Api {
    pub(crate) fn choose(&self, passed: &Passed<'_>, near: &mut Vec<NearMiss>) -> Result<Chosen, Problem> {
        let (mut draft, applied) = self.first(passed, near)?;
        let asked = Asked { who: &passed.who, data: &passed.data };
        if let Payload::Json(body) = &mut draft.body
            && draft.status < 400
        {
            self.views.iter().for_each(|view| view.apply(&asked, body));
        }
        Ok((draft, applied))
    }

    /// What is preferred by name, else what `mock.toml` says, else what the collection has, else what the document says.
    fn first(&self, passed: &Passed<'_>, near: &mut Vec<NearMiss>) -> Result<Chosen, Problem> {
        let Passed { route, prefer, .. } = passed;
        if let Some(operation) = &route.operation
            && (prefer.code.is_some() || prefer.example.is_some())
        {
            return self.documented(passed, operation, None, None);
        }
        let asked = Asked { who: &passed.who, data: &passed.data };
        for (number, reply) in route.replies.iter().enumerate() {
            match reply.when.lacks(&asked) {
                None => return self.reply(passed, reply, number, near),
                Some(why) => near.push(route.near_reply(number, why)),
            }
        }
        if let Some(bound) = &route.collection {
            return self.kept(passed, bound).map(|draft| (draft, None));
        }
        match &route.operation {
            Some(operation) => self.documented(passed, operation, None, None),
            None if route.replies.is_empty() => Ok((Draft::new(204), None)),
            None => {
                Err(Problem::new(404, "none of the answers of this route is for this request; the journal tells why"))
            }
        }
    }

    fn dice(&self, route: &Route, path: &Values, dynamic: Option<u64>) -> Dice {
        let (name, dynamic) = (route.name(), dynamic.map(|number| number.to_string()));
        let mut words = vec![name.as_str()];
        words.extend(path.iter().map(|(_, value)| value.as_str()));
        words.extend(dynamic.as_deref());
        Dice::new(self.seed, &words)
    }

    /// As the document says.
    fn documented(
        &self,
        passed: &Passed<'_>,
        operation: &Operation,
        status: Option<u16>,
        example: Option<&str>,
    ) -> Result<Chosen, Problem> {
        let Passed { call, route, path, prefer, .. } = passed;
        let dynamic = prefer.dynamic.then(|| call.state.next());
        let wish = Wish {
            status: prefer.code.or(status).unwrap_or_else(|| operation.success()),
            example: prefer.example.as_deref().or(example),
            accept: call.seen.header("accept"),
            examples: if prefer.dynamic { Examples::Ignored } else { Examples::Used },
            path,
            dice: self.dice(route, path, dynamic),
        };
        let draft = operation.answer(&wish)?;
        let mut applied = Vec::new();
        applied.extend(prefer.code.map(|code| format!("code={code}")));
        applied.extend(prefer.example.as_ref().map(|name| format!("example={name}")));
        applied.extend(prefer.dynamic.then(|| "dynamic=true".to_owned()));
        Ok((draft, (!applied.is_empty()).then(|| applied.join(", "))))
    }

    /// A problem as the document has it.
    pub(crate) fn shaped(&self, call: &Call<'_>, route: &Route, path: &Values, problem: &Problem) -> Option<Draft> {
        let operation = route.operation.as_ref()?;
        let wish = Wish {
            status: problem.status,
            example: None,
            accept: call.seen.header("accept"),
            examples: Examples::Used,
            path,
            dice: self.dice(route, path, None),
        };
        operation.shape(problem, &wish)
    }

    /// An answer of `mock.toml`.
    fn reply(
        &self,
        passed: &Passed<'_>,
        reply: &Reply,
        number: usize,
        near: &mut Vec<NearMiss>,
    ) -> Result<Chosen, Problem> {
        let Passed { call, route, path, .. } = passed;
        let mut draft = match (&route.operation, &reply.body) {
            (Some(operation), None) => self.documented(passed, operation, reply.status, reply.example.as_deref())?.0,
            (None, None) => Draft::new(reply.status.unwrap_or(204)),
            (operation, Some(_)) => {
                Draft::new(reply.status.or_else(|| operation.as_ref().map(Operation::success)).unwrap_or(200))
            }
        };
        let scope = Scope { data: &passed.data, now: call.now };
        let mut filler = Filler::new(&scope, self.dice(route, path, None));
        let said = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let said = said.map(|(_, value)| value.as_str());
        let described = route.operation.as_ref().and_then(|operation| operation.documented(draft.status));
        let described = described.and_then(|documented| documented.content.first()).map(|media| media.name.as_str());
        match &reply.body {
            None => {}
            // A text alone is meant as it stands, unless somebody says that it is JSON.
            Some(Content::Json(Value::String(text))) if !said.or(described).is_some_and(is_json) => {
                draft.media = Some(described.unwrap_or("text/plain; charset=utf-8").to_owned());
                draft.body = Payload::Bytes(filler.fill_string(text).into_bytes());
            }
            Some(Content::Json(value)) => {
                let media = described.filter(|media| is_json(media)).unwrap_or("application/json");
                draft.media = Some(media.to_owned());
                draft.body = Payload::Json(filler.fill(value));
            }
            Some(Content::Text { media, text }) => {
                draft.media = Some((*media).to_owned());
                draft.body = Payload::Bytes(filler.fill_string(text).into_bytes());
            }
            Some(Content::Bytes { media, bytes }) => {
                draft.media = Some((*media).to_owned());
                draft.body = Payload::Bytes(bytes.clone());
            }
        }
        let media = said.or(draft.media.as_deref());
        if let Some(media) = media
            && draft.status < 400
            && reply.body.is_some()
            && choose(call.seen.header("accept"), &[media]).is_none()
        {
            return Err(Problem::new(406, format!("the answer is there as {media}")));
        }
        for (name, value) in &reply.headers {
            draft.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            draft.headers.push((name.clone(), filler.fill_string(value)));
        }
        for unknown in filler.unknown {
            near.push(
                route.near_reply(number, format!("the template {{{{{unknown}}}}} names nothing, and was left empty")),
            );
        }
        Ok((draft, None))
    }

    /// What a collection has, or becomes.
    fn kept(&self, passed: &Passed<'_>, bound: &Bound) -> Result<Draft, Problem> {
        let Passed { call, route, path, who, .. } = passed;
        let Bound { collection, verb, numbers } = bound;
        let operation = route.operation.as_ref();
        if choose(call.seen.header("accept"), &["application/json"]).is_none() && operation.is_none() {
            return Err(Problem::new(406, "the answer is there as application/json"));
        }
        let shelf = call.state.shelves.get(collection.number);
        let shelf = shelf.ok_or_else(|| Problem::new(500, "the collection is not there"))?;
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(call.seen.query.as_bytes()).into_owned().collect();
        let mut body = passed.body.clone();
        if let (Some(operation), true, Some(given)) = (operation, *verb == super::collection::Verb::Create, &body) {
            body = Some(self.completed(passed, operation, given.clone()));
        }
        let done = collection.act(
            *verb,
            *numbers,
            shelf,
            Act {
                who,
                id: path.last().map(|(_, value)| value.as_str()),
                query: &query,
                body,
                dice: self.dice(route, path, Some(call.state.next())),
            },
        )?;
        let (status, value, headers) = match done {
            Done::List { items, total } => {
                let list = items.iter().map(|item| Value::clone(item)).collect();
                (200, Some(Value::Array(list)), vec![("X-Total-Count".to_owned(), total.to_string())])
            }
            Done::Item(item) => (200, Some(Value::clone(&item)), Vec::new()),
            Done::Created { item, id } => {
                let escaped = percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
                let location = format!("{}/{escaped}", call.seen.full_path.trim_end_matches('/'));
                (201, Some(Value::clone(&item)), vec![("Location".to_owned(), location)])
            }
            Done::Deleted => (204, None, Vec::new()),
        };
        let mut draft = match operation {
            None => {
                let draft = Draft::new(status);
                value.map_or_else(|| draft.clone(), |value| draft.clone().json(value))
            }
            Some(operation) => self.as_described(passed, operation, status, value)?,
        };
        draft.headers.retain(|(known, _)| !headers.iter().any(|(name, _)| known.eq_ignore_ascii_case(name)));
        draft.headers.extend(headers);
        Ok(draft)
    }

    /// What a collection says, in the status and the form that the document has for it.
    fn as_described(
        &self,
        passed: &Passed<'_>,
        operation: &Operation,
        status: u16,
        value: Option<Value>,
    ) -> Result<Draft, Problem> {
        let status = operation.status_of(status);
        let mut draft = self.documented(passed, operation, Some(status), None)?.0;
        let schema = operation.documented(status).and_then(|documented| {
            documented.content.iter().find(|media| is_json(&media.name)).and_then(|media| media.schema.as_ref())
        });
        let validator = schema.and_then(|schema| operation.document.validator(schema).ok());
        if let (Payload::Json(made), Some(mut value)) = (&mut draft.body, value) {
            if let Some(text) = schema.and_then(|schema| operation.document.schema(schema)) {
                super::generate::strip(operation.document.root(), text, &mut value);
            }
            let fits = |value: &Value| validator.is_none_or(|validator| validator.is_valid(value));
            match wrapped(made, &value) {
                _ if fits(&value) => *made = value,
                Some(wrapped) if fits(&wrapped) => *made = wrapped,
                // What somebody configured is given, even where the document says otherwise.
                _ if value.is_object() || value.is_array() => *made = value,
                _ => {}
            }
        }
        Ok(draft)
    }

    /// What is made, with what the document demands of the answer and whoever makes it did not say.
    fn completed(&self, passed: &Passed<'_>, operation: &Operation, given: Value) -> Value {
        let documented = operation.documented(operation.status_of(201));
        let media = documented.and_then(|known| known.content.iter().find(|media| is_json(&media.name)));
        let schema = media.and_then(|media| media.schema.as_ref());
        let Some((schema, Value::Object(said))) = schema.zip(Some(&given)) else { return given };
        let (Some(text), Ok(validator)) = (operation.document.schema(schema), operation.document.validator(schema))
        else {
            return given;
        };
        if validator.is_valid(&given) {
            return given;
        }
        let dice = self.dice(passed.route, &passed.path, Some(passed.call.state.next()));
        let made = super::generate::least(operation.document.root(), text, Some(validator), &dice);
        let (Value::Object(made), mut whole) = (made, said.clone()) else { return given };
        let id = passed.route.collection.as_ref().map(|bound| bound.collection.id.as_str());
        for (name, value) in made.into_iter().filter(|(name, _)| Some(name.as_str()) != id) {
            whole.entry(name).or_insert(value);
        }
        Value::Object(whole)
    }
}

/// A list inside the object that the document wraps it in.
fn wrapped(made: &Value, list: &Value) -> Option<Value> {
    let (Value::Object(made), Value::Array(items)) = (made, list) else { return None };
    let mut wrapper = made.clone();
    let (_, slot) = wrapper.iter_mut().find(|(_, value)| value.is_array())?;
    *slot = list.clone();
    for (name, value) in &mut wrapper {
        if value.is_number() && ["total", "count", "totalCount", "total_count", "size"].contains(&name.as_str()) {
            *value = items.len().into();
        }
    }
    Some(Value::Object(wrapper))
}
