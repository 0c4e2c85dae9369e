//! What this server can do (RFC 8414, OpenID Connect Discovery 1.0), generated from the registries that do it.

use std::sync::PoisonError;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthUrl, AuthenticationContextClass, IssuerUrl, JsonWebKeySetUrl, ProviderMetadata,
    ResponseTypes, Scope, TokenUrl, UserInfoUrl,
};
use serde::{Deserialize, Serialize};

use super::token::GRANTS;
use crate::app::App;
use crate::domain::{ASSERTION_ALGORITHMS, AuthMethod, OFFLINE_ACCESS};
use crate::fault::Fault;
use crate::flow::{Prompt, ResponseMode};
use crate::oidc::{ACR_PASSWORD, SCOPE_CLAIMS};
use crate::protocol::{OAuthError, endpoints};
use crate::storage::{StorageError, scopes};

/// What RFC 8414 and its extensions know and openidconnect's type does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Extensions {
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 8628 §4
    device_authorization_endpoint: String,
    /// RFC 7636
    code_challenge_methods_supported: Vec<String>,
    /// RFC 9207
    authorization_response_iss_parameter_supported: bool,
    /// OpenID Connect Prompt Create 1.0 §4.1
    prompt_values_supported: Vec<String>,
}

impl AdditionalProviderMetadata for Extensions {}

type Metadata = ProviderMetadata<
    Extensions,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The database has so long to list the scopes before those of before are listed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The names of the scopes; while the database is gone those that it had, as clients must find the endpoints all the same.
async fn scope_names(app: &App) -> Vec<String> {
    let mut known = app.scope_names.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let read = tokio::time::timeout(PATIENCE, app.db.read("metadata.scopes", scopes::list)).await;
    match read.unwrap_or(Err(StorageError::Timeout)) {
        Ok(scopes) => {
            known = scopes.into_iter().map(|scope| scope.name).collect();
            app.scope_names.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&known);
        }
        Err(error) => tracing::warn!(%error, "the metadata list the scopes of before"),
    }
    known
}

/// `GET /.well-known/oauth-authorization-server` and `GET /.well-known/openid-configuration`
pub async fn get(app: web::Data<App>) -> Result<HttpResponse, Fault> {
    let scopes = app.listed_scopes.get_with((), scope_names(&app)).await;
    let document = build(&app, scopes)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(document))
}

/// A word of ours as openidconnect's enum has it.
fn typed<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, Fault> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|e| failed(&e))
}

fn all<'a, T: serde::de::DeserializeOwned>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<T>, Fault> {
    words.into_iter().map(typed).collect()
}

fn failed(error: &dyn std::fmt::Display) -> Fault {
    OAuthError::server_error(format!("metadata: {error}")).into()
}

fn build(app: &App, scopes: Vec<String>) -> Result<Metadata, Fault> {
    let url = |path: &str| app.url(path);
    let id_token_algs: Vec<CoreJwsSigningAlgorithm> =
        all(app.keys.snapshot().algorithms(app.now()).iter().map(|alg| alg.as_str()))?;
    let methods: Vec<&str> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
    let confidential: Vec<String> =
        methods.iter().filter(|method| **method != "none").map(|method| (*method).to_owned()).collect();
    let extensions = Extensions {
        introspection_endpoint: url(endpoints::INTROSPECT),
        introspection_endpoint_auth_methods_supported: confidential,
        revocation_endpoint: url(endpoints::REVOKE),
        revocation_endpoint_auth_methods_supported: methods.iter().map(|method| (*method).to_owned()).collect(),
        device_authorization_endpoint: url(endpoints::DEVICE_AUTHORIZATION),
        code_challenge_methods_supported: vec!["S256".to_owned()],
        authorization_response_iss_parameter_supported: true,
        prompt_values_supported: Prompt::ALL.iter().map(|prompt| prompt.as_str().to_owned()).collect(),
    };
    let claims = SCOPE_CLAIMS.iter().flat_map(|(_, claims)| claims.iter().copied());
    let token_claims = ["iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", "sid"];
    Ok(Metadata::new(
        IssuerUrl::new(app.issuer().to_owned()).map_err(|e| failed(&e))?,
        AuthUrl::new(url(endpoints::AUTHORIZE)).map_err(|e| failed(&e))?,
        JsonWebKeySetUrl::new(url(endpoints::JWKS)).map_err(|e| failed(&e))?,
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public],
        id_token_algs,
        extensions,
    )
    .set_token_endpoint(Some(TokenUrl::new(url(endpoints::TOKEN)).map_err(|e| failed(&e))?))
    .set_userinfo_endpoint(Some(UserInfoUrl::new(url(endpoints::USERINFO)).map_err(|e| failed(&e))?))
    .set_scopes_supported(Some(with_offline(scopes)))
    .set_response_modes_supported(Some(all(ResponseMode::ALL.iter().copied())?))
    .set_grant_types_supported(Some(all(GRANTS.iter().map(|grant| grant.grant_type.as_str()))?))
    .set_token_endpoint_auth_methods_supported(Some(all(methods)?))
    .set_token_endpoint_auth_signing_alg_values_supported(Some(all(ASSERTION_ALGORITHMS.iter().copied())?))
    .set_acr_values_supported(Some(vec![AuthenticationContextClass::new(ACR_PASSWORD.to_owned())]))
    .set_claims_supported(Some(claims.chain(token_claims).map(|name| CoreClaimName::new(name.to_owned())).collect()))
    .set_claims_parameter_supported(Some(false))
    .set_request_parameter_supported(Some(false))
    .set_request_uri_parameter_supported(Some(false)))
}

fn with_offline(mut scopes: Vec<String>) -> Vec<Scope> {
    if !scopes.iter().any(|scope| scope == OFFLINE_ACCESS) {
        scopes.push(OFFLINE_ACCESS.to_owned());
    }
    scopes.into_iter().map(Scope::new).collect()
}
