//! What must hold of an authorization request, in this order. A check is a few lines and has a name.

use serde_json::Value;

use super::{KNOWN, hint, target};
use crate::app::App;
use crate::audit::EventKind;
use crate::domain::{Client, OFFLINE_ACCESS, OPENID, PkcePolicy, Scopes};
use crate::flow::{AuthorizationRequest, Prompt, ResponseMode, Target};
use crate::oauth::{oxide, wanted};
use crate::oidc::ACR_PASSWORD;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::support::Id;

/// A refusal that goes to the client, and what the audit trail calls it.
pub struct Refused {
    pub error: OAuthError,
    pub kind: EventKind,
}

impl From<OAuthError> for Refused {
    fn from(error: OAuthError) -> Self {
        Self { error, kind: EventKind::AuthzRefused }
    }
}

/// A request whose client and target are known, while it is looked at.
struct Candidate<'a> {
    app: &'a App,
    client: &'a Client,
    params: &'a Params,
}

type Check = fn(&Candidate<'_>) -> Result<(), Refused>;

const CHECKS: &[Check] = &[
    once_each,
    state_is_bounded,
    nothing_unsupported,
    response_mode_is_known,
    response_type_is_code,
    pkce_is_sound,
    nonce_is_bounded,
    prompt_is_sound,
    authentication_context_can_be_met,
    resources_are_allowed,
];

const MAX_NONCE: usize = 1024;
const MAX_HINT: usize = 320;
const MAX_CLAIMS: usize = 8192;

/// Runs all checks and then oxide-auth's machine over what they let pass.
pub fn run(app: &App, client: &Client, params: &Params, target: Target) -> Result<AuthorizationRequest, Refused> {
    let candidate = Candidate { app, client, params };
    for check in CHECKS {
        check(&candidate)?;
    }
    let scope = negotiate_scope(&candidate, &target)?;
    let text = |name: &str| params.get(name).map(str::to_owned);
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        target,
        redirect_uri_sent: params.has("redirect_uri"),
        scope: scope.to_string(),
        resources: wanted::resources(client, params)?,
        nonce: text("nonce"),
        code_challenge: text("code_challenge"),
        prompt: prompts(params).map(str::to_owned).collect(),
        max_age: max_age(params)?,
        login_hint: text("login_hint").filter(|hint| hint.len() <= MAX_HINT),
        hinted_user: hinted_user(&candidate)?,
    })
}

fn once_each(it: &Candidate<'_>) -> Result<(), Refused> {
    match it.params.first_repeated(KNOWN) {
        Some(name) => Err(OAuthError::invalid_request(format!("{name} is given more than once")).into()),
        None => Ok(()),
    }
}

fn state_is_bounded(it: &Candidate<'_>) -> Result<(), Refused> {
    match it.params.get("state") {
        Some(state) if state.len() > target::MAX_STATE => {
            Err(OAuthError::invalid_request(format!("state is longer than {} bytes", target::MAX_STATE)).into())
        }
        _ => Ok(()),
    }
}

/// A parameter that carries a security meaning is honoured or refused, never ignored.
fn nothing_unsupported(it: &Candidate<'_>) -> Result<(), Refused> {
    let refusals = [
        ("request", ErrorCode::RequestNotSupported, "request objects are not supported"),
        ("request_uri", ErrorCode::RequestUriNotSupported, "request_uri is not supported"),
        ("registration", ErrorCode::RegistrationNotSupported, "registration is not supported"),
        ("authorization_details", ErrorCode::InvalidRequest, "authorization_details is not supported"),
        ("dpop_jkt", ErrorCode::InvalidRequest, "dpop_jkt is not supported"),
    ];
    match refusals.into_iter().find(|(name, ..)| it.params.get(name).is_some()) {
        Some((_, code, sentence)) => Err(OAuthError::new(code, sentence).into()),
        None => Ok(()),
    }
}

fn response_mode_is_known(it: &Candidate<'_>) -> Result<(), Refused> {
    match it.params.get("response_mode") {
        Some(mode) if ResponseMode::parse(mode).is_none() => {
            Err(OAuthError::invalid_request("response_mode must be query or form_post").into())
        }
        _ => Ok(()),
    }
}

fn response_type_is_code(it: &Candidate<'_>) -> Result<(), Refused> {
    match it.params.get("response_type") {
        // RFC 9700 §2.1.2: no token ever comes through the front channel.
        Some("code") => Ok(()),
        Some(_) => Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type must be code").into()),
        None => Err(OAuthError::invalid_request("response_type is missing").into()),
    }
}

/// RFC 7636 §4.2, §4.3; the method plain is not offered (RFC 9700 §2.1.1).
fn pkce_is_sound(it: &Candidate<'_>) -> Result<(), Refused> {
    let fail = |sentence: &'static str, kind| Err(Refused { error: OAuthError::invalid_request(sentence), kind });
    match (it.params.get("code_challenge"), it.params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if wanted::is_challenge(challenge) => Ok(()),
        (Some(_), Some("S256")) => fail("code_challenge must be 43 characters of base64url", EventKind::AuthzRefused),
        (Some(_), _) => fail("code_challenge_method must be S256", EventKind::AuthzRefused),
        (None, Some(_)) => fail("code_challenge_method stands without code_challenge", EventKind::PkceMissing),
        (None, None) if it.client.pkce == PkcePolicy::Required => {
            fail("code_challenge is missing: this server requires PKCE with S256", EventKind::PkceMissing)
        }
        (None, None) if !asks_openid(it.params) => {
            fail("without code_challenge the request needs the scope openid", EventKind::PkceMissing)
        }
        // RFC 9700 §2.1.1: the nonce binds the code to the browser in place of the verifier.
        (None, None) if it.client.pkce == PkcePolicy::NonceInstead && it.params.get("nonce").is_none() => {
            fail("without code_challenge the request needs a nonce", EventKind::PkceMissing)
        }
        (None, None) => Ok(()),
    }
}

fn asks_openid(params: &Params) -> bool {
    params.get("scope").is_some_and(|scope| scope.split(' ').any(|token| token == OPENID))
}

fn nonce_is_bounded(it: &Candidate<'_>) -> Result<(), Refused> {
    match it.params.get("nonce") {
        Some(nonce) if nonce.len() > MAX_NONCE => Err(OAuthError::invalid_request("nonce is too long").into()),
        _ => Ok(()),
    }
}

fn prompts(params: &Params) -> impl Iterator<Item = &str> {
    params.get("prompt").unwrap_or_default().split(' ').filter(|prompt| !prompt.is_empty())
}

/// OIDC Core §3.1.2.1: `none` stands alone.
fn prompt_is_sound(it: &Candidate<'_>) -> Result<(), Refused> {
    if let Some(unknown) = prompts(it.params).find(|prompt| prompt.parse::<Prompt>().is_err()) {
        let shown = crate::support::text::for_log(unknown, 40);
        return Err(OAuthError::invalid_request(format!("prompt has the unknown value {shown}")).into());
    }
    let silent = prompts(it.params).any(|prompt| prompt == Prompt::None.as_str());
    if silent && prompts(it.params).count() > 1 {
        return Err(OAuthError::invalid_request("prompt=none must stand alone").into());
    }
    Ok(())
}

/// An essential `acr` that this server cannot reach is refused, never lowered in silence.
fn authentication_context_can_be_met(it: &Candidate<'_>) -> Result<(), Refused> {
    let Some(claims) = it.params.get("claims") else { return Ok(()) };
    let malformed =
        || OAuthError::invalid_request("claims is not a JSON object of the form of OpenID Connect Core 5.5");
    if claims.len() > MAX_CLAIMS {
        return Err(malformed().into());
    }
    let claims: Value = serde_json::from_str(claims).map_err(|_| malformed())?;
    if !claims.is_object() {
        return Err(malformed().into());
    }
    let acr = &claims["id_token"]["acr"];
    let wanted: Vec<&str> = match (&acr["value"], &acr["values"]) {
        (Value::String(value), _) => vec![value.as_str()],
        (_, Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if acr["essential"] == Value::Bool(true) && !wanted.is_empty() && !wanted.contains(&ACR_PASSWORD) {
        let sentence = "the essential acr cannot be reached at this server";
        return Err(OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, sentence).into());
    }
    Ok(())
}

fn resources_are_allowed(it: &Candidate<'_>) -> Result<(), Refused> {
    Ok(wanted::resources(it.client, it.params).map(|_| ())?)
}

fn max_age(params: &Params) -> Result<Option<i64>, Refused> {
    match params.get("max_age") {
        None => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(seconds)),
            _ => Err(OAuthError::invalid_request("max_age must be a whole number of seconds").into()),
        },
    }
}

fn hinted_user(it: &Candidate<'_>) -> Result<Option<Id>, Refused> {
    match it.params.get("id_token_hint") {
        None => Ok(None),
        Some(token) => match hint::hinted_user(it.app, it.client, token) {
            Some(user) => Ok(Some(user)),
            None => {
                Err(OAuthError::invalid_request("id_token_hint is no ID token that this server issued to this client")
                    .into())
            }
        },
    }
}

fn negotiate_scope(it: &Candidate<'_>, target: &Target) -> Result<Scopes, Refused> {
    if let Some(scope) = it.params.get("scope")
        && let Err(error) = Scopes::parse(scope)
    {
        return Err(OAuthError::new(ErrorCode::InvalidScope, error.to_string()).into());
    }
    let input = oxide::AuthorizationInput {
        client_id: &it.client.client_id,
        redirect_uri: &target.redirect_uri,
        response_type: it.params.get("response_type").unwrap_or_default(),
        scope: it.params.get("scope"),
        code_challenge: it.params.get("code_challenge"),
        code_challenge_method: it.params.get("code_challenge_method"),
        pkce_required: it.client.pkce == PkcePolicy::Required,
    };
    let default = it.client.scope.without(OFFLINE_ACCESS);
    let scope = oxide::authorize(&input, &it.client.scope, &default)?;
    let may_refresh = it.client.may_use(crate::domain::GrantType::RefreshToken);
    Ok(if may_refresh { scope } else { scope.without(OFFLINE_ACCESS) })
}
