//! A request to the mocked API, from its route to its answer.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::answer::{Draft, Payload};
use crate::near_miss::NearMiss;
use crate::path::Values;
use crate::prefer::Prefer;
use crate::problem::Problem;
use crate::route::{Found, Route};
use crate::security::{Gate, Rejected};
use crate::snapshot::RequestSnapshot;
use crate::state::ApiState;
use crate::who::Who;
use crate::{Api, body, parameters};
use latchway_core::Seconds;
use latchway_resource_server::{Claims, ResourceServer};

/// A request, and the world that it belongs to.
pub struct Call<'a> {
    pub seen: &'a RequestSnapshot,
    pub state: &'a ApiState,
    /// Whose tokens count.
    pub server: &'a ResourceServer,
    /// In Unix seconds.
    pub now: Seconds,
    /// The user name of a subject, if it is a persona.
    pub name_of: &'a (dyn Fn(&str) -> Option<String> + 'a),
}

/// An answer, and what the journal tells of it.
pub struct Served {
    pub response: HttpResponse,
    /// The route: `GET /pets/{petId} (api.yaml)`.
    pub matched: Option<String>,
    pub near: Vec<NearMiss>,
    /// Why there was no better answer.
    pub refused: Option<String>,
    pub claims: Option<Arc<Claims>>,
}

/// A request that has found its route and its rights.
pub(crate) struct Passed<'a> {
    pub call: &'a Call<'a>,
    pub route: &'a Route,
    pub path: Values,
    pub prefer: Prefer,
    pub who: Who,
    pub body: Option<Value>,
    /// What conditions and templates may name.
    pub data: Value,
}

/// What is refused, and how.
pub(crate) enum Refused {
    ByGate(Rejected),
    With(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::With(problem)
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self::ByGate(rejected)
    }
}

impl Api {
    /// Answers a request.
    pub async fn serve(&self, call: Call<'_>) -> Served {
        let (method, path) = (call.seen.method.as_str(), call.seen.path.as_str());
        let (route, values) = match self.table.find(method, path) {
            Found::Routes(routes) => self.of_twins(routes, call.seen),
            Found::Methods(methods) => return self.other_methods(&call, &methods),
            Found::Nothing => {
                let near = self.table.near(method, path);
                let nearest =
                    near.first().map(|near| format!("; {} is near: {}", near.what, near.why)).unwrap_or_default();
                let problem = Problem::new(404, format!("the mocked API has no {method} {path}{nearest}"));
                return Served { near, ..Served::of(problem.response(), Some(problem.detail)) };
            }
        };
        let mut near = Vec::new();
        let mut claims = None;
        let outcome = self.answer(&call, route, values.clone(), &mut near, &mut claims).await;
        let (response, refused) = match outcome {
            Ok((draft, applied)) => (response(draft, applied.as_deref()), None),
            Err(Refused::ByGate(rejected)) => {
                let why = rejected.refused.to_string();
                (unauthorized(&rejected), Some(why))
            }
            Err(Refused::With(problem)) => {
                let shaped = self.shaped(&call, route, &values, &problem);
                (shaped.map_or_else(|| problem.response(), |draft| response(draft, None)), Some(problem.sentence()))
            }
        };
        Served { response, matched: Some(route.name()), near, refused, claims }
    }

    /// Of routes whose paths cannot be told apart the first whose path parameters are met, else the first.
    fn of_twins<'a>(&self, mut routes: Vec<(&'a Route, Values)>, seen: &RequestSnapshot) -> (&'a Route, Values) {
        let fits = |(route, values): &(&Route, Values)| {
            !self.validate || route.operation.as_ref().is_none_or(|one| parameters::path_fits(one, seen, values))
        };
        let at = if routes.len() > 1 { routes.iter().position(fits).unwrap_or(0) } else { 0 };
        routes.swap_remove(at)
    }

    fn other_methods(&self, call: &Call<'_>, methods: &[&str]) -> Served {
        let (method, path, allow) = (call.seen.method.as_str(), call.seen.path.as_str(), methods.join(", "));
        if method == "OPTIONS" {
            let response = HttpResponse::NoContent().insert_header(("Allow", allow)).finish();
            return Served { matched: Some(format!("OPTIONS {path}")), ..Served::of(response, None) };
        }
        let detail = format!("{path} has {allow}, and no {method}");
        let problem = Problem { allow: Some(allow), ..Problem::new(405, detail) };
        Served { near: self.table.near(method, path), ..Served::of(problem.response(), Some(problem.detail)) }
    }

    async fn answer<'a>(
        &'a self,
        call: &'a Call<'a>,
        route: &'a Route,
        path: Values,
        near: &mut Vec<NearMiss>,
        claims: &mut Option<Arc<Claims>>,
    ) -> Result<(Draft, Option<String>), Refused> {
        let seen = call.seen;
        let gate = Gate { seen, server: call.server, known: &self.known, name_of: call.name_of };
        let nothing = crate::security::Demand::default();
        let mut who = gate.pass(route.demand().unwrap_or(&nothing)).await?;
        for requires in &route.requires {
            who = requires.pass(&gate, who).await?;
        }
        claims.clone_from(&who.claims);
        for requires in &route.requires {
            requires.check_headers(seen)?;
        }
        if self.validate
            && let Some(operation) = &route.operation
        {
            body::check_media(operation, seen)?;
            let mut faults = Vec::new();
            parameters::check(operation, seen, &path, &mut faults);
            body::check(operation, seen, &mut faults);
            if !faults.is_empty() {
                return Err(Problem::faults(faults).into());
            }
        }
        let body = body::read(seen);
        let data = data(seen, &who, &path, body.as_ref());
        let prefer = Prefer::of(&seen.headers);
        let passed = Passed { call, route, path, prefer, who, body, data };
        self.choose(&passed, near).map_err(Refused::With)
    }
}

impl Served {
    fn of(response: HttpResponse, refused: Option<String>) -> Self {
        Self { response, matched: None, near: Vec::new(), refused, claims: None }
    }
}

/// What conditions and templates may name.
fn data(seen: &RequestSnapshot, who: &Who, path: &Values, body: Option<&Value>) -> Value {
    let pairs = |pairs: &mut dyn Iterator<Item = (String, String)>| -> Value {
        pairs.map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>().into()
    };
    let headers = seen.headers.iter().filter(|(name, _)| *name != "authorization" && *name != "cookie");
    let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    json!({
        "claims": who.json,
        "path": pairs(&mut path.iter().cloned()),
        "query": pairs(&mut url::form_urlencoded::parse(seen.query.as_bytes()).into_owned()),
        "header": pairs(&mut headers.into_iter()),
        "body": body,
    })
}

fn response(draft: Draft, applied: Option<&str>) -> HttpResponse {
    let status = StatusCode::from_u16(draft.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &draft.headers {
        // Checked where they were read; what templates made of them may be no header any more.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.insert_header((name, value));
        }
    }
    if let Some(applied) = applied {
        response.insert_header(("Preference-Applied", applied));
    }
    let given = draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    if let Some(media) = draft.media.filter(|_| !given && draft.body != Payload::Nothing) {
        response.insert_header((CONTENT_TYPE, media));
    }
    match draft.body {
        Payload::Nothing => response.finish(),
        Payload::Json(value) => response.body(value.to_string()),
        Payload::Bytes(bytes) => response.body(bytes),
    }
}

/// As the resource server refuses; where HTTP Basic would do, as well or alone, that is told (RFC 7617 §2).
fn unauthorized(rejected: &Rejected) -> HttpResponse {
    let mut response = rejected.refused.error_response();
    if rejected.basic && response.status() == StatusCode::UNAUTHORIZED {
        let basic = HeaderValue::from_static("Basic realm=\"mock\", charset=\"UTF-8\"");
        if !rejected.token {
            response.headers_mut().remove(WWW_AUTHENTICATE);
        }
        response.headers_mut().append(WWW_AUTHENTICATE, basic);
    }
    response
}
