//! oxide-auth's state machines, driven with our own storage; the only file that imports them.
//!
//! Each function answers one machine's questions from what was looked up before, and turns its errors into ours. What
//! the machines get wrong or leave out (docs/decisions lists it) is checked before they are asked.

use std::borrow::Cow;
use std::sync::LazyLock;

use oxide_auth::code_grant::accesstoken::{self, AccessToken};
use oxide_auth::code_grant::authorization::{self, Authorization};
use oxide_auth::code_grant::client_credentials::{self, ClientCredentials};
use oxide_auth::code_grant::extensions::Pkce;
use oxide_auth::code_grant::refresh::{self, Refresh};
use oxide_auth::primitives::grant::{Extensions, Grant, Value};
use oxide_auth::primitives::registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl};
use oxide_auth::primitives::scope::Scope;

use crate::domain::Scopes;
use crate::protocol::{ErrorCode, OAuthError};

/// For machines that want a redirect URI where none is in play.
static NOWHERE: LazyLock<Option<RegisteredUrl>> =
    LazyLock::new(|| ExactUrl::new("urn:latchway:none".to_owned()).ok().map(RegisteredUrl::from));

fn machine_failed() -> OAuthError {
    OAuthError::server_error("an oxide-auth machine asked out of order")
}

fn to_machine(scopes: &Scopes) -> Result<Scope, OAuthError> {
    scopes.to_string().parse().map_err(|_| OAuthError::new(ErrorCode::InvalidScope, "scope is malformed"))
}

fn from_machine(scope: &Scope) -> Scopes {
    scope.iter().collect()
}

/// An authorization request whose client and redirect URI are already found to be right.
pub struct AuthorizationInput<'a> {
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    pub response_type: &'a str,
    pub scope: Option<&'a str>,
    pub code_challenge: Option<&'a str>,
    pub code_challenge_method: Option<&'a str>,
    pub pkce_required: bool,
}

impl authorization::Request for AuthorizationInput<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        Some(self.client_id.into())
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Into::into)
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(self.redirect_uri.into())
    }
    fn state(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn response_type(&self) -> Option<Cow<'_, str>> {
        Some(self.response_type.into())
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the authorization machine; `allowed` is what the client is registered for and `default` what it gets when it
/// names no scope. Returns the negotiated scope.
pub fn authorize(input: &AuthorizationInput<'_>, allowed: &Scopes, default: &Scopes) -> Result<Scopes, OAuthError> {
    let pkce = if input.pkce_required { Pkce::required() } else { Pkce::optional() };
    let mut machine = Authorization::new(input);
    let mut next = authorization::Input::None;
    loop {
        next = match machine.advance(next) {
            authorization::Output::Bind { client_id, redirect_uri } => {
                let redirect_uri = redirect_uri.ok_or_else(machine_failed)?;
                authorization::Input::Bound {
                    request: input,
                    bound_client: BoundClient {
                        client_id: Cow::Owned(client_id),
                        redirect_uri: Cow::Owned(RegisteredUrl::from(redirect_uri)),
                    },
                }
            }
            authorization::Output::Extend => {
                pkce.challenge(input.code_challenge_method.map(Into::into), input.code_challenge.map(Into::into))
                    .map_err(|()| OAuthError::invalid_request("code_challenge with the method S256 is required"))?;
                authorization::Input::Extended(Extensions::new())
            }
            authorization::Output::Negotiate { bound_client, scope } => {
                let scope = scope.as_ref().map_or_else(|| default.clone(), from_machine).intersection(allowed);
                if scope.is_empty() {
                    return Err(OAuthError::new(
                        ErrorCode::InvalidScope,
                        "scope names nothing that this client may ask for",
                    ));
                }
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: to_machine(&scope)?,
                };
                authorization::Input::Negotiated { pre_grant, state: None }
            }
            authorization::Output::Ok { pre_grant, .. } => return Ok(from_machine(&pre_grant.scope)),
            authorization::Output::Err(authorization::Error::Redirect(mut url)) => {
                use oxide_auth::code_grant::error::AuthorizationErrorType as Kind;
                return Err(match url.description().kind() {
                    Kind::InvalidScope => OAuthError::new(ErrorCode::InvalidScope, "scope is malformed"),
                    Kind::UnsupportedResponseType => {
                        OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type must be code")
                    }
                    _ => OAuthError::invalid_request("the authorization request is malformed"),
                });
            }
            authorization::Output::Err(_) => return Err(machine_failed()),
        };
    }
}

/// A code as it is presented, and what was stored of it.
pub struct CodeInput<'a> {
    pub client_id: &'a str,
    pub code: &'a str,
    pub redirect_uri: &'a str,
    pub code_verifier: Option<&'a str>,
    pub granted_to: &'a str,
    pub granted_redirect_uri: &'a str,
    pub granted_scope: &'a Scopes,
    pub owner_id: &'a str,
    pub code_challenge: Option<&'a str>,
}

impl accesstoken::Request for CodeInput<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.into())
    }
    fn authorization(&self) -> accesstoken::Authorization<'_> {
        accesstoken::Authorization::Username(self.client_id.into())
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(self.redirect_uri.into())
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some("authorization_code".into())
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Why the machine did not let a code pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRefusal {
    /// The verifier does not fit the challenge (RFC 7636 §4.6).
    Verifier,
    Other,
}

/// Runs the access token machine for a code that was found, and returns the scope that was granted.
pub fn redeem_code(input: &CodeInput<'_>) -> Result<Scopes, CodeRefusal> {
    let mut machine = AccessToken::new(input);
    let mut next = accesstoken::Input::None;
    loop {
        next = match machine.advance(next) {
            // The client proved itself before; see `client_auth`.
            accesstoken::Output::Authenticate { .. } => accesstoken::Input::Authenticated,
            accesstoken::Output::Recover { .. } => {
                let grant = stored_grant(input).ok_or(CodeRefusal::Other)?;
                accesstoken::Input::Recovered(Some(Box::new(grant)))
            }
            accesstoken::Output::Extend { .. } => {
                // The form in which oxide-auth's own challenge is stored: the challenge and a letter for its method.
                let challenge = input.code_challenge.map(|challenge| Value::private(Some(format!("{challenge}S"))));
                Pkce::optional()
                    .verify(challenge, input.code_verifier.map(Into::into))
                    .map_err(|()| CodeRefusal::Verifier)?;
                accesstoken::Input::Extended { access_extensions: Extensions::new() }
            }
            accesstoken::Output::Issue { grant } => return Ok(from_machine(&grant.scope)),
            accesstoken::Output::Ok(_) | accesstoken::Output::Err(_) => return Err(CodeRefusal::Other),
        };
    }
}

fn stored_grant(input: &CodeInput<'_>) -> Option<Grant> {
    Some(Grant {
        owner_id: input.owner_id.to_owned(),
        client_id: input.granted_to.to_owned(),
        scope: to_machine(input.granted_scope).ok()?,
        redirect_uri: input.granted_redirect_uri.parse().ok()?,
        until: never()?,
        extensions: Extensions::new(),
    })
}

/// The machines read the ambient clock; expiry is ours to check, by our own clock, so theirs never strikes.
fn never() -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(253_402_300_799, 0)
}

/// A refresh, of a token that was found.
pub struct RefreshInput<'a> {
    pub client_id: &'a str,
    pub refresh_token: &'a str,
    pub scope: Option<&'a str>,
    pub granted_to: &'a str,
    pub granted_scope: &'a Scopes,
    pub owner_id: &'a str,
}

impl refresh::Request for RefreshInput<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        Some(self.refresh_token.into())
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Into::into)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some("refresh_token".into())
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((self.client_id.into(), Cow::Borrowed(b"")))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the refresh machine and returns the scope of the new access token: what was granted, or less.
pub fn refresh(input: &RefreshInput<'_>) -> Result<Scopes, OAuthError> {
    let mut machine = Refresh::new(input);
    let scope = || input.scope.map(Cow::Borrowed);
    let mut next = refresh::Input::None;
    loop {
        next = match machine.advance(next) {
            refresh::Output::Unauthenticated { .. } => refresh::Input::Authenticated { scope: scope() },
            refresh::Output::RecoverRefresh { .. } => {
                let grant = Grant {
                    owner_id: input.owner_id.to_owned(),
                    client_id: input.granted_to.to_owned(),
                    scope: to_machine(input.granted_scope)?,
                    redirect_uri: NOWHERE.as_ref().ok_or_else(machine_failed)?.to_url(),
                    until: never().ok_or_else(machine_failed)?,
                    extensions: Extensions::new(),
                };
                refresh::Input::Recovered { scope: scope(), grant: Some(Box::new(grant)) }
            }
            refresh::Output::Refresh { grant, .. } => return Ok(from_machine(&grant.scope)),
            refresh::Output::Err(refresh::Error::Invalid(mut description)) => {
                use oxide_auth::code_grant::error::AccessTokenErrorType as Kind;
                return Err(match description.description().kind() {
                    Kind::InvalidScope => OAuthError::new(
                        ErrorCode::InvalidScope,
                        "scope asks for more than was granted, or is malformed",
                    ),
                    _ => OAuthError::invalid_grant("the refresh token is not valid for this client"),
                });
            }
            refresh::Output::Ok(_) | refresh::Output::Err(_) => return Err(machine_failed()),
        };
    }
}

/// A client's own request.
pub struct ClientCredentialsInput<'a> {
    pub client_id: &'a str,
    pub scope: Option<&'a str>,
}

impl client_credentials::Request for ClientCredentialsInput<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((self.client_id.into(), Cow::Borrowed(b"")))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Into::into)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some("client_credentials".into())
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the client credentials machine; `allowed` is also what a client gets that names no scope.
pub fn client_credentials(input: &ClientCredentialsInput<'_>, allowed: &Scopes) -> Result<Scopes, OAuthError> {
    let invalid_scope =
        || OAuthError::new(ErrorCode::InvalidScope, "scope asks for more than this client is registered for");
    let mut machine = ClientCredentials::new(input);
    let mut next = client_credentials::Input::None;
    loop {
        next = match machine.advance(next) {
            client_credentials::Output::Authenticate { .. } => client_credentials::Input::Authenticated,
            client_credentials::Output::Binding { client_id } => {
                let redirect_uri = NOWHERE.as_ref().ok_or_else(machine_failed)?;
                client_credentials::Input::Bound {
                    bound_client: BoundClient {
                        client_id: Cow::Owned(client_id.to_owned()),
                        redirect_uri: Cow::Borrowed(redirect_uri),
                    },
                }
            }
            client_credentials::Output::Extend => client_credentials::Input::Extended { extensions: Extensions::new() },
            client_credentials::Output::Negotiate { bound_client, scope } => {
                let scope = scope.map_or_else(|| to_machine(allowed), Ok)?;
                if !from_machine(&scope).is_subset(allowed) {
                    return Err(invalid_scope());
                }
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope,
                };
                client_credentials::Input::Negotiated { pre_grant }
            }
            client_credentials::Output::Ok { pre_grant, .. } => return Ok(from_machine(&pre_grant.scope)),
            client_credentials::Output::Err(_) => return Err(invalid_scope()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).expect("valid")
    }

    #[test]
    fn a_client_gets_at_most_what_it_is_registered_for() {
        let allowed = scopes("a b");
        let ask = |scope| client_credentials(&ClientCredentialsInput { client_id: "c", scope }, &allowed);
        assert_eq!(ask(None).expect("all"), allowed);
        assert_eq!(ask(Some("a")).expect("less"), scopes("a"));
        assert_eq!(ask(Some("a c")).expect_err("more").code, ErrorCode::InvalidScope);
        assert_eq!(ask(Some("a\"")).expect_err("malformed").code, ErrorCode::InvalidScope);
    }

    #[test]
    fn a_refresh_narrows_and_never_widens() {
        let granted = scopes("a b");
        let ask = |scope| {
            refresh(&RefreshInput {
                client_id: "c",
                refresh_token: "t",
                scope,
                granted_to: "c",
                granted_scope: &granted,
                owner_id: "o",
            })
        };
        assert_eq!(ask(None).expect("all"), granted);
        assert_eq!(ask(Some("b")).expect("less"), scopes("b"));
        assert_eq!(ask(Some("a b c")).expect_err("more").code, ErrorCode::InvalidScope);
    }

    #[test]
    fn a_code_passes_with_its_verifier_alone() {
        let granted = scopes("openid");
        // RFC 7636 appendix B
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let input = |code_verifier, code_challenge| CodeInput {
            client_id: "c",
            code: "x",
            redirect_uri: "https://app.example/cb",
            code_verifier,
            granted_to: "c",
            granted_redirect_uri: "https://app.example/cb",
            granted_scope: &granted,
            owner_id: "o",
            code_challenge,
        };
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(redeem_code(&input(Some(verifier), challenge)), Ok(granted.clone()));
        assert_eq!(redeem_code(&input(Some("x"), challenge)), Err(CodeRefusal::Verifier));
        assert_eq!(redeem_code(&input(None, challenge)), Err(CodeRefusal::Verifier));
        let other = CodeInput { client_id: "d", ..input(Some(verifier), challenge) };
        assert_eq!(redeem_code(&other), Err(CodeRefusal::Other));
    }
}
