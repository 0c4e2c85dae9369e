//! What a document or a route demands of whoever calls, and whether they have it. Who counts, `resource_server` says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::document::Document;
use crate::error::ApiError;
use crate::json_pointer::escaped;
use crate::settings::{BasicSettings, KeySettings};
use crate::snapshot::RequestSnapshot;
use crate::who::Who;
use latchway_core::constant_time_eq;
use latchway_resource_server::{Refusal, Refused, ResourceServer, all_of, scope};

/// Ways in, of which one is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    ways: Vec<Vec<Credential>>,
}

/// One of the credentials of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An access token with these words in its scope.
    Token(Vec<String>),
    Key {
        place: KeyPlace,
        name: String,
    },
    Basic,
    /// What a mock on this machine cannot see, such as a client's certificate.
    Unseen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    Header,
    Query,
    Cookie,
}

impl Demand {
    /// All of these together.
    pub fn all(credentials: Vec<Credential>) -> Self {
        Self { ways: vec![credentials] }
    }

    /// Whether nothing is demanded.
    pub fn is_nothing(&self) -> bool {
        self.ways.is_empty()
    }

    /// The scopes that tokens are asked for.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.ways
            .iter()
            .flatten()
            .flat_map(|credential| match credential {
                Credential::Token(scopes) => scopes.as_slice(),
                _ => &[],
            })
            .map(String::as_str)
    }

    /// What an operation demands; by default what its document does.
    ///
    /// # Errors
    /// A scheme that nobody has defined, or that means nothing.
    pub fn read(document: &Document, operation: &Value, pointer: &str) -> Result<Self, ApiError> {
        let fault = |at: &str, why: String| ApiError::At { file: document.name.clone(), pointer: at.to_owned(), why };
        let (at, security) = match operation.get("security") {
            Some(own) => (format!("{pointer}/security"), Some(own)),
            None => ("/security".to_owned(), document.root().get("security")),
        };
        let mut demand = Self::default();
        let Some(security) = security else { return Ok(demand) };
        let ways = security.as_array().ok_or_else(|| fault(&at, "must be a list".to_owned()))?;
        for (number, way) in ways.iter().enumerate() {
            let at = format!("{at}/{number}");
            let way = way.as_object().ok_or_else(|| fault(&at, "must be an object".to_owned()))?;
            let read = way.iter().map(|(name, scopes)| {
                let scopes = scopes.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
                let place = format!("/components/securitySchemes/{}", escaped(name));
                let (place, scheme) =
                    document.at(&place).ok_or_else(|| fault(&at, format!("there is no security scheme {name:?}")))?;
                credential(scheme, scopes.collect()).map_err(|why| fault(&place, why))
            });
            demand.ways.push(read.collect::<Result<_, _>>()?);
        }
        Ok(demand)
    }
}

/// OpenAPI, Security Scheme Object.
fn credential(scheme: &Value, scopes: Vec<String>) -> Result<Credential, String> {
    let text = |name: &str| scheme.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(match text("type") {
        "oauth2" | "openIdConnect" => Credential::Token(scopes),
        "http" => match text("scheme").to_ascii_lowercase().as_str() {
            // What stands with these are no scopes of a token.
            "bearer" => Credential::Token(Vec::new()),
            "basic" => Credential::Basic,
            _ => Credential::Unseen,
        },
        "apiKey" => {
            let place = match text("in") {
                "header" => KeyPlace::Header,
                "query" => KeyPlace::Query,
                "cookie" => KeyPlace::Cookie,
                other => return Err(format!("an API key is in: header, query or cookie, and not {other:?}")),
            };
            let name = text("name");
            if name.is_empty() {
                return Err("an API key must have a name".to_owned());
            }
            Credential::Key { place, name: name.to_owned() }
        }
        "mutualTLS" => Credential::Unseen,
        other => return Err(format!("{other:?} is no type of a security scheme")),
    })
}

/// Credentials that the settings know.
#[derive(Debug, Default)]
pub struct Known {
    pub keys: Vec<KeySettings>,
    pub basic: Vec<BasicSettings>,
}

/// What one request is asked with.
pub struct Gate<'a> {
    pub seen: &'a RequestSnapshot,
    pub server: &'a ResourceServer,
    pub known: &'a Known,
    /// The user name of a subject.
    pub name_of: &'a (dyn Fn(&str) -> Option<String> + 'a),
}

/// How somebody is refused.
pub struct Rejected {
    pub refused: Refused,
    /// Whether HTTP Basic would be a way in, and whether a token would.
    pub basic: bool,
    pub token: bool,
}

impl Gate<'_> {
    /// Who calls, if they may.
    ///
    /// # Errors
    /// The refusal that helps most: of somebody known who may not, then of credentials that do not count, then of none.
    pub async fn pass(&self, demand: &Demand) -> Result<Who, Rejected> {
        let mut refusals: Vec<Refused> = Vec::new();
        for way in &demand.ways {
            match self.try_way(way).await {
                Ok(who) => return Ok(who),
                Err(refused) => refusals.push(refused),
            }
        }
        if demand.is_nothing() {
            // Nobody has to say who they are, and whoever does not quite is a stranger.
            return Ok(self.token().await.unwrap_or_else(|_| Who::stranger()));
        }
        refusals.sort_by_key(|refused| match refused.refusal {
            Refusal::Missing => 2,
            Refusal::InvalidToken(_) => 1,
            _ => 0,
        });
        let takes = |kind: fn(&Credential) -> bool| demand.ways.iter().flatten().any(kind);
        let refused = refusals.into_iter().next().unwrap_or_else(|| self.server.refused(Refusal::Missing));
        Err(Rejected {
            refused,
            basic: takes(|credential| *credential == Credential::Basic),
            token: takes(|credential| matches!(credential, Credential::Token(_))),
        })
    }

    /// A way in with nothing to show is open, but not to what does not count.
    async fn try_way(&self, way: &[Credential]) -> Result<Who, Refused> {
        if way.is_empty() {
            return self.anybody().await;
        }
        let mut who: Option<Who> = None;
        for credential in way {
            let shown = self.show(credential, way.len() > 1).await?;
            who = match (who, shown) {
                // A person says more about who asks than a key.
                (Some(known), Some(shown)) if known.is_person() && !shown.is_person() => Some(known),
                (_, Some(shown)) => Some(shown),
                (known, None) => known,
            };
        }
        Ok(who.unwrap_or_else(Who::stranger))
    }

    async fn show(&self, credential: &Credential, of_several: bool) -> Result<Option<Who>, Refused> {
        match credential {
            Credential::Unseen => Ok(None),
            Credential::Basic => self.basic().map(Some),
            Credential::Key { place, name } => self.key(*place, name).await.map(Some),
            Credential::Token(scopes) => {
                let who = if of_several { self.bearer().await? } else { self.token().await? };
                let Some(claims) = &who.claims else { return Err(self.server.refused(Refusal::Missing)) };
                self.server.check(&all_of(scopes.iter().cloned().map(scope)), claims)?;
                Ok(Some(who))
            }
        }
    }

    /// Whoever the request says, as the resource server reads it.
    async fn token(&self) -> Result<Who, Refused> {
        let target = self.seen.target();
        Ok(match self.server.authenticate(self.seen.head(&target)).await? {
            Some(claims) => Who::of_token(claims, self.seen, self.name_of),
            None => Who::stranger(),
        })
    }

    async fn anybody(&self) -> Result<Who, Refused> {
        match self.token().await {
            // A credential of another kind is none here.
            Err(refused) if refused.refusal == Refusal::Missing => Ok(Who::stranger()),
            other => other,
        }
    }

    /// A Bearer token beside another credential, which the resource server does not want to see.
    async fn bearer(&self) -> Result<Who, Refused> {
        let value = self.seen.header("authorization").unwrap_or_default();
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => {
                let claims = self.server.verify(token.trim()).await?;
                Ok(Who::of_token(claims, self.seen, self.name_of))
            }
            _ => Err(self.server.refused(Refusal::Missing)),
        }
    }

    async fn key(&self, place: KeyPlace, name: &str) -> Result<Who, Refused> {
        let given = match place {
            KeyPlace::Header => self.seen.header(name).map(str::to_owned),
            KeyPlace::Query => url::form_urlencoded::parse(self.seen.query.as_bytes())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned()),
            KeyPlace::Cookie => {
                let lines = self.seen.headers.get_all("cookie").filter_map(|line| line.to_str().ok());
                let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
                pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
            }
        };
        let given = given.filter(|given| !given.is_empty()).ok_or_else(|| self.server.refused(Refusal::Missing))?;
        let same = |key: &&KeySettings| constant_time_eq(key.key.as_bytes(), given.as_bytes());
        if let Some(key) = self.known.keys.iter().find(same) {
            return Ok(Who::of_key(key));
        }
        if given.starts_with("lw_") {
            let claims = self.server.verify_api_key(&given, self.seen.peer).await?;
            return Ok(Who::of_token(claims, self.seen, self.name_of));
        }
        if self.known.keys.is_empty() {
            return Ok(Who::of_any_key());
        }
        Err(self.server.refused(Refusal::InvalidToken("the API key is unknown, expired or revoked")))
    }

    fn basic(&self) -> Result<Who, Refused> {
        let missing = || self.server.refused(Refusal::Missing);
        let value = self.seen.header("authorization").ok_or_else(missing)?;
        let (scheme, encoded) = value.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Err(missing());
        }
        const WRONG: Refusal = Refusal::InvalidToken("the user name or the password is wrong");
        let text = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (username, password) =
            text.as_deref().and_then(|text| text.split_once(':')).ok_or_else(|| self.server.refused(WRONG))?;
        let same = |known: &&BasicSettings| known.username == username && known.password == password;
        match self.known.basic.iter().find(same) {
            Some(known) => Ok(Who::of_basic(known)),
            None if self.known.basic.is_empty() && !username.is_empty() => {
                Ok(Who::of_basic(&BasicSettings { username: username.to_owned(), ..BasicSettings::default() }))
            }
            None => Err(self.server.refused(WRONG)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(operation: &str) -> Result<Demand, String> {
        let text = format!(
            "openapi: 3.1.0\nsecurity: [{{oauth: ['a:b']}}]\ncomponents: {{securitySchemes: {{oauth: {{type: oauth2}}, key: {{type: apiKey, in: header, name: X-Key}}, basic: {{type: http, scheme: Basic}}, bearer: {{type: http, scheme: bearer}}, odd: {{type: apiKey, in: body, name: a}}}}}}\npaths: {{/a: {{get: {operation}}}}}"
        );
        let document = Document::parse("api.yaml", &text).expect("a document");
        let operation = document.root()["paths"]["/a"]["get"].clone();
        Demand::read(&document, &operation, "/paths/~1a/get").map_err(|why| why.to_string())
    }

    #[test]
    fn demands_are_read() {
        let token = |scopes: &[&str]| Credential::Token(scopes.iter().map(|&scope| scope.to_owned()).collect());
        let key = Credential::Key { place: KeyPlace::Header, name: "X-Key".to_owned() };
        assert_eq!(demand("{}"), Ok(Demand { ways: vec![vec![token(&["a:b"])]] }));
        assert_eq!(demand("{security: []}"), Ok(Demand::default()));
        assert_eq!(
            demand("{security: [{key: [], oauth: [x]}, {bearer: [role]}, {basic: []}, {}]}"),
            Ok(Demand { ways: vec![vec![key, token(&["x"])], vec![token(&[])], vec![Credential::Basic], vec![]] })
        );
    }

    #[test]
    fn what_nobody_has_defined_is_refused_with_its_place() {
        let missing = demand("{security: [{no: []}]}").expect_err("refused");
        assert_eq!(missing, "api.yaml#/paths/~1a/get/security/0: there is no security scheme \"no\"");
        let odd = demand("{security: [{odd: []}]}").expect_err("refused");
        assert!(odd.starts_with("api.yaml#/components/securitySchemes/odd: an API key is in"), "{odd}");
    }
}
