//! A client: its registration, its policies, and which of them go together.

use url::Url;

use super::client_keys::validate_jwks;
use super::client_policy::{AssertionAudience, ConsentPolicy, IdTokenClaims, MethodCheck, PkcePolicy, RefreshPolicy};
use super::client_validation::ClientValidation;
use super::redirect::leads_to_a_device;
use super::{OPENID, RedirectUri, Scopes, words};
use crate::support::Seconds;
use crate::support::text::is_one_line;

words! {
    /// How a client proves at the token endpoint that it is itself (OIDC Core §9).
    AuthMethod {
        ClientSecretBasic = "client_secret_basic",
        ClientSecretPost = "client_secret_post",
        PrivateKeyJwt = "private_key_jwt",
        None = "none",
    }
}

words! {
    /// A grant that a client may be registered for.
    GrantType {
        AuthorizationCode = "authorization_code",
        RefreshToken = "refresh_token",
        ClientCredentials = "client_credentials",
        /// RFC 8628 §3.4
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
    }
}

words! {
    ClientStatus { Active = "active", Disabled = "disabled", Deleted = "deleted" }
}

words! {
    /// Web or native (OIDC Registration §2).
    ApplicationType { Web = "web", Native = "native" }
}

words! {
    /// Whose app it is. The operator's own may take a password itself (`/api/v1/login`); nobody else's ever may.
    Party { First = "first", Third = "third" }
}

words! {
    /// A signature algorithm (RFC 7518 §3.1, RFC 8037).
    Algorithm { Es256 = "ES256", EdDsa = "EdDSA", Rs256 = "RS256", Ps256 = "PS256" }
}

/// An application, or an API, that this server knows.
#[derive(Debug, Clone)]
pub struct Client {
    pub client_id: String,
    pub name: String,
    pub auth_method: AuthMethod,
    /// SHA-256 of the secret, where there is one.
    pub secret_hash: Option<Vec<u8>>,
    /// The secret before the last rotation, and until when it is still taken.
    pub previous_secret: Option<(Vec<u8>, Seconds)>,
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Vec<GrantType>,
    /// What it may ask for at most.
    pub scope: Scopes,
    /// The APIs that it may ask tokens for (RFC 8707).
    pub audiences: Vec<String>,
    /// The APIs that it is.
    pub resources: Vec<String>,
    /// Public keys for `private_key_jwt` (RFC 7517).
    pub jwks: Option<String>,
    pub application_type: ApplicationType,
    pub party: Party,
    pub pkce: PkcePolicy,
    pub consent: ConsentPolicy,
    pub method_check: MethodCheck,
    pub assertion_audience: AssertionAudience,
    pub id_token_claims: IdTokenClaims,
    pub refresh: RefreshPolicy,
    pub id_token_alg: Option<Algorithm>,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    /// Content type of the stored logo.
    pub logo_type: Option<String>,
    pub status: ClientStatus,
    /// Grows with every change, so that a cached copy can be told from the stored one.
    pub version: i64,
    pub created_at: Seconds,
    pub updated_at: Seconds,
}

impl Client {
    /// A client that may do nothing yet.
    pub fn new(client_id: String, name: String, auth_method: AuthMethod, now: Seconds) -> Self {
        Self {
            client_id,
            name,
            auth_method,
            secret_hash: None,
            previous_secret: None,
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scope: Scopes::default(),
            audiences: Vec::new(),
            resources: Vec::new(),
            jwks: None,
            application_type: ApplicationType::Web,
            party: Party::Third,
            pkce: PkcePolicy::Required,
            consent: ConsentPolicy::Remember,
            method_check: MethodCheck::Lenient,
            assertion_audience: AssertionAudience::Issuer,
            id_token_claims: IdTokenClaims::Standard,
            refresh: RefreshPolicy::Standard,
            id_token_alg: None,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            logo_type: None,
            status: ClientStatus::Active,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    pub fn is_public(&self) -> bool {
        self.auth_method == AuthMethod::None
    }

    /// Whether it authenticates by a secret, by whichever of the two methods.
    pub fn has_secret(&self) -> bool {
        matches!(self.auth_method, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)
    }

    pub fn is_first_party(&self) -> bool {
        self.party == Party::First
    }

    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether an answer may go to this address now (RFC 9700 §4.1.3). Asked at every use, because the operator may have
    /// removed it since.
    pub fn has_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.matches(uri))
    }

    /// Whether a request with this challenge and nonce meets the PKCE policy of now.
    pub fn accepts_challenge(&self, code_challenge: Option<&str>, nonce: Option<&str>) -> bool {
        match self.pkce {
            PkcePolicy::Required => code_challenge.is_some(),
            PkcePolicy::NonceInstead => code_challenge.is_some() || nonce.is_some(),
            PkcePolicy::Optional => true,
        }
    }

    /// When a person is asked whose answer goes to this redirect URI. At a loopback or private-use one any program of that
    /// machine could answer in the client's name, so that a person is asked each time (RFC 8252 §8.6); an https URI that is
    /// compared character by character leads to its owner, whether or not the client has a secret.
    pub fn consent_at(&self, redirect_uri: &str) -> ConsentPolicy {
        if leads_to_a_device(redirect_uri) { ConsentPolicy::Always } else { self.consent }
    }
}

impl Client {
    /// The rules that hold whatever changed last. One place, for creation and for every update.
    pub fn validate(&self) -> Result<(), ClientValidation> {
        let fail = |why: &str| Err(ClientValidation(why.to_owned()));
        validate_name(&self.name)?;
        if self.redirect_uris.len() > 100 {
            return fail("a client can register 100 redirect URIs at most");
        }
        if self.may_use(GrantType::AuthorizationCode) == self.redirect_uris.is_empty() {
            return fail(if self.redirect_uris.is_empty() {
                "the grant authorization_code needs at least one --redirect-uri"
            } else {
                "a redirect URI is of use to the grant authorization_code alone; add --grant authorization_code"
            });
        }
        let has_families =
            self.may_use(GrantType::AuthorizationCode) || self.may_use(GrantType::DeviceCode) || self.is_first_party();
        if self.may_use(GrantType::RefreshToken) && !has_families {
            return fail(
                "the grant refresh_token continues authorization_code or device_code; add --grant authorization_code",
            );
        }
        if self.is_first_party() && !self.is_public() {
            return fail(
                "a first-party client logs people in from phones and browsers, where no secret is one: it must be public",
            );
        }
        if self.application_type == ApplicationType::Web && self.redirect_uris.iter().any(RedirectUri::is_native) {
            return fail(
                "the application type web has no loopback or private-use redirect URI; say --application-type native",
            );
        }
        if self.is_public() && self.may_use(GrantType::ClientCredentials) {
            // RFC 6749 §4.4
            return fail("a public client has no credentials, so it cannot use the grant client_credentials");
        }
        self.validate_policies()?;
        if self.auth_method == AuthMethod::PrivateKeyJwt && self.jwks.is_none() {
            return fail("private_key_jwt needs the client's public keys: --jwks-file");
        }
        if self.auth_method != AuthMethod::PrivateKeyJwt && self.jwks.is_some() {
            return fail("keys are of use to private_key_jwt alone; add --auth-method private_key_jwt");
        }
        if let Some(jwks) = &self.jwks {
            validate_jwks(jwks)?;
        }
        for audience in self.audiences.iter().chain(&self.resources) {
            validate_resource(audience)?;
        }
        for uri in [&self.client_uri, &self.policy_uri, &self.tos_uri].into_iter().flatten() {
            validate_uri(uri)?;
        }
        Ok(())
    }
}

impl Client {
    fn validate_policies(&self) -> Result<(), ClientValidation> {
        let fail = |why: &str| Err(ClientValidation(why.to_owned()));
        if self.is_public() && self.pkce != PkcePolicy::Required {
            return fail("a public client must use PKCE");
        }
        if self.pkce == PkcePolicy::Optional && !self.scope.contains(OPENID) {
            return fail("PKCE is optional for OpenID clients only: add openid to --scope, or keep --pkce required");
        }
        if self.method_check == MethodCheck::Strict && !self.has_secret() {
            return fail(
                "--auth-method-strict is about client_secret_basic and client_secret_post; this client has no secret",
            );
        }
        let has_assertions = self.auth_method == AuthMethod::PrivateKeyJwt;
        if self.assertion_audience == AssertionAudience::TokenEndpoint && !has_assertions {
            return fail("--assertion-audience token-endpoint is of use to private_key_jwt alone");
        }
        Ok(())
    }
}

/// A name that people read, in one line of a page, a table or a log.
fn validate_name(name: &str) -> Result<(), ClientValidation> {
    if name.trim().is_empty() || name.chars().count() > 100 {
        return Err(ClientValidation("name must have 1 to 100 characters".to_owned()));
    }
    if !is_one_line(name) {
        return Err(ClientValidation(
            "name must not have control characters, line breaks or characters that change the direction of text"
                .to_owned(),
        ));
    }
    Ok(())
}

/// RFC 8707 §2: an absolute URI without a fragment.
pub fn validate_resource(text: &str) -> Result<(), ClientValidation> {
    let fail = |why| Err(ClientValidation(format!("audience {text:?} {why}")));
    if text.len() > 500 || text.bytes().any(|b| !(0x21..=0x7e).contains(&b)) {
        return fail("must have at most 500 printable ASCII characters and no space");
    }
    match Url::parse(text) {
        Ok(url) if url.fragment().is_some() => fail("must not have a fragment"),
        Ok(_) => Ok(()),
        Err(_) => fail("must be an absolute URI, such as https://api.example"),
    }
}

/// A link that a person may follow from a page: https, nothing that runs.
pub fn validate_uri(text: &str) -> Result<(), ClientValidation> {
    let fail =
        || Err(ClientValidation(format!("{text:?} must be an https URL in printable ASCII, without a user name")));
    if text.len() > 2000 || text.bytes().any(|b| !(0x21..=0x7e).contains(&b)) {
        return fail();
    }
    match Url::parse(text) {
        Ok(url)
            if text.starts_with("https://")
                && url.scheme() == "https"
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            Ok(())
        }
        _ => fail(),
    }
}
