//! What routes of `mock.toml` require.

use crate::problem::{Fault, Problem};
use crate::security::{Credential, Demand, Gate, KeyPlace, Rejected};
use crate::settings::{HeaderSettings, RequireSettings, Words};
use crate::snapshot::RequestSnapshot;
use crate::who::Who;
use latchway_resource_server::{Refusal, Requirement, all_of, any_of, role, scope};

/// What a request must have, ready to be asked for.
#[derive(Debug, Clone)]
pub struct Requires {
    headers: Vec<(String, Option<String>)>,
    demand: Demand,
    /// Of whoever has shown who they are.
    requirement: Option<Requirement>,
    scopes: Vec<String>,
    audience: Option<String>,
}

impl Requires {
    pub fn new(settings: &RequireSettings) -> Self {
        let some =
            |words: &Option<Words>| -> Vec<String> { words.iter().flat_map(Words::iter).map(str::to_owned).collect() };
        let (scopes, roles) = (some(&settings.scope), some(&settings.role));
        let asks_who = settings.token || !scopes.is_empty() || !roles.is_empty() || settings.audience.is_some();
        let key = Credential::Key { place: KeyPlace::Header, name: "X-API-Key".to_owned() };
        let demand = match (settings.api_key, asks_who) {
            (true, _) if settings.token => Demand::all(vec![key, Credential::Token(Vec::new())]),
            (true, _) => Demand::all(vec![key]),
            (false, true) => Demand::all(vec![Credential::Token(Vec::new())]),
            (false, false) => Demand::default(),
        };
        let mut all: Vec<Requirement> = scopes.iter().cloned().map(scope).collect();
        if !roles.is_empty() {
            all.push(if roles.len() == 1 {
                all_of(roles.into_iter().map(role))
            } else {
                any_of(roles.into_iter().map(role))
            });
        }
        let any = || Some("*".to_owned());
        let headers: Vec<(String, Option<String>)> = match &settings.header {
            None => Vec::new(),
            Some(HeaderSettings::Name(name)) => vec![(name.clone(), any())],
            Some(HeaderSettings::Names(names)) => names.iter().map(|name| (name.clone(), any())).collect(),
            Some(HeaderSettings::Values(values)) => {
                values.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect()
            }
        };
        let headers = headers.into_iter().map(|(name, value)| (name, value.filter(|value| value != "*"))).collect();
        Self {
            headers,
            demand,
            requirement: (!all.is_empty()).then(|| all_of(all)),
            scopes,
            audience: settings.audience.clone(),
        }
    }

    /// The scopes that are asked for.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// Who calls, if they may; `known` is who they were shown to be already.
    ///
    /// # Errors
    /// As the resource server refuses.
    pub async fn pass(&self, gate: &Gate<'_>, known: Who) -> Result<Who, Rejected> {
        if self.demand.is_nothing() {
            return Ok(known);
        }
        let who = gate.pass(&self.demand).await?;
        let refuse = |refused| Rejected { refused, basic: false, token: true };
        if let Some(claims) = &who.claims {
            if let Some(requirement) = &self.requirement {
                gate.server.check(requirement, claims).map_err(refuse)?;
            }
            if let Some(audience) = &self.audience
                && !claims.aud.contains(audience)
            {
                const ELSEWHERE: Refusal = Refusal::InvalidToken("the access token is meant for another API");
                return Err(refuse(gate.server.refused(ELSEWHERE)));
            }
        }
        Ok(who)
    }

    /// Whether the headers are there.
    ///
    /// # Errors
    /// 400, by the names of those that are not.
    pub fn check_headers(&self, seen: &RequestSnapshot) -> Result<(), Problem> {
        let missing = self.headers.iter().filter_map(|(name, wanted)| match (seen.header(name), wanted) {
            (None | Some(""), _) => Some(Fault::parameter("header", name, "is required")),
            (Some(given), Some(wanted)) if given != wanted => {
                Some(Fault::parameter("header", name, format!("must be {wanted:?}")))
            }
            _ => None,
        });
        let missing: Vec<Fault> = missing.collect();
        if missing.is_empty() { Ok(()) } else { Err(Problem::faults(missing)) }
    }
}
