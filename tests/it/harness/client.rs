//! Somebody's app: registered by the command line, then speaking to the server as its way of authentication demands.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::http;
use super::{Answer, CliFailure, EsKey, Request, Server, now, random};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    Basic,
    Post,
    PrivateKeyJwt,
    /// A public client.
    None,
}

/// What to register.
#[derive(Debug, Clone)]
pub struct Spec {
    name: String,
    redirects: Vec<String>,
    grants: Vec<String>,
    scope: String,
    auth: Auth,
    audience: Vec<String>,
    flags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Client {
    pub id: String,
    pub secret: Option<String>,
    pub auth: Auth,
    pub key: Option<Arc<EsKey>>,
    /// The first redirect URI registered.
    pub redirect: String,
    pub scope: String,
    pub issuer: String,
    /// Where it sends its requests: the issuer, or one of several nodes.
    pub node: String,
}

impl Spec {
    pub fn confidential() -> Self {
        let grants = ["authorization_code", "refresh_token", "client_credentials"];
        Self {
            name: format!("App {}", random(6)),
            redirects: Vec::new(),
            grants: grants.map(str::to_owned).to_vec(),
            scope: "openid profile email offline_access".to_owned(),
            auth: Auth::Basic,
            audience: Vec::new(),
            flags: Vec::new(),
        }
    }

    pub fn public() -> Self {
        let spec = Self::confidential().auth(Auth::None);
        spec.grants(&["authorization_code", "refresh_token"])
    }

    /// An API that asks about the tokens that are for it.
    pub fn api(uri: &str) -> Self {
        Self::confidential().grants(&["client_credentials"]).is(uri)
    }

    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a redirect URI. Without any it is `https://app.example/cb`, if there is something to redirect.
    pub fn redirect(mut self, uri: &str) -> Self {
        self.redirects.push(uri.to_owned());
        self
    }

    pub fn grants(mut self, grants: &[&str]) -> Self {
        self.grants = grants.iter().map(|&grant| grant.to_owned()).collect();
        self
    }

    pub fn scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Adds an API that it may ask tokens for.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience.push(audience.to_owned());
        self
    }

    /// Adds an API that it is, whose tokens it may ask about.
    pub fn is(self, uri: &str) -> Self {
        self.flags(&["--resource", uri])
    }

    /// Adds arguments for `client create`.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    #[track_caller]
    pub fn create(self, server: &Server) -> Client {
        let name = self.name.clone();
        self.try_create(server).unwrap_or_else(|failure| panic!("client {name}: {failure:?}"))
    }

    /// `client create`, which may refuse.
    pub fn try_create(mut self, server: &Server) -> Result<Client, CliFailure> {
        if self.redirects.is_empty() && self.grants.iter().any(|grant| grant == "authorization_code") {
            self.redirects.push("https://app.example/cb".to_owned());
        }
        let key = (self.auth == Auth::PrivateKeyJwt).then(|| Arc::new(EsKey::new()));
        let jwks_file = server.dir.join(format!("{}.jwks.json", random(8)));
        let jwks_path = jwks_file.display().to_string();

        let mut args = vec!["client", "create", "--name", &self.name, "--scope", &self.scope];
        self.redirects.iter().for_each(|uri| args.extend(["--redirect-uri", uri]));
        self.grants.iter().for_each(|grant| args.extend(["--grant", grant]));
        self.audience.iter().for_each(|audience| args.extend(["--audience", audience]));
        match self.auth {
            Auth::Basic => args.extend(["--auth-method", "client_secret_basic"]),
            Auth::Post => args.extend(["--auth-method", "client_secret_post"]),
            Auth::None => args.push("--public"),
            Auth::PrivateKeyJwt => args.extend(["--auth-method", "private_key_jwt", "--jwks-file", &jwks_path]),
        }
        if let Some(key) = &key {
            std::fs::write(&jwks_file, key.jwks().to_string()).expect("the JWKS file");
        }
        args.extend(self.flags.iter().map(String::as_str));

        let answer = server.try_cli(&args, "")?;
        let member = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Client {
            id: member("client_id").unwrap_or_else(|| panic!("no client_id in {answer}")),
            secret: member("client_secret"),
            auth: self.auth,
            key,
            redirect: self.redirects.into_iter().next().unwrap_or_default(),
            scope: self.scope,
            issuer: server.issuer.clone(),
            node: server.issuer.clone(),
        })
    }
}

impl Client {
    /// An ordinary confidential app: client_secret_basic, every grant, `https://app.example/cb`.
    #[track_caller]
    pub fn confidential(server: &Server) -> Self {
        Spec::confidential().create(server)
    }

    /// An ordinary public app, `https://app.example/cb`.
    #[track_caller]
    pub fn public(server: &Server) -> Self {
        Spec::public().create(server)
    }

    /// The same client, speaking to another node of the server.
    pub fn at(&self, node: &Server) -> Self {
        Self { node: node.issuer.clone(), ..self.clone() }
    }

    /// A good authorization request with PKCE material of its own.
    pub fn request(&self) -> Request {
        Request::new(&self.issuer, &self.id, &self.redirect, &self.scope)
    }

    /// Posts a form with this client's authentication.
    pub async fn post(&self, path: &str, params: &[(&str, &str)]) -> Answer {
        let mut form: Vec<(&str, &str)> = params.to_vec();
        let secret = self.secret.clone().unwrap_or_default();
        let mut assertion = String::new();
        let mut request = http().post(format!("{}{path}", self.node));
        match self.auth {
            Auth::Basic => request = request.header("Authorization", basic(&self.id, &secret)),
            Auth::Post => form.extend([("client_id", self.id.as_str()), ("client_secret", &secret)]),
            Auth::None => form.push(("client_id", &self.id)),
            Auth::PrivateKeyJwt => {
                assertion.push_str(&self.assertion(&self.assertion_claims()));
                form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                form.push(("client_assertion", &assertion));
            }
        }
        Answer::of(request.form(&form)).await
    }

    pub async fn token(&self, params: &[(&str, &str)]) -> Answer {
        self.post("/oauth2/token", params).await
    }

    /// Redeems a code as its request demands.
    pub async fn redeem(&self, request: &Request, code: &str) -> Answer {
        let redirect = request.get("redirect_uri").unwrap_or_default();
        let verifier = &request.pkce.verifier;
        let form = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", verifier)];
        self.token(&[&form[..], &[("redirect_uri", redirect)]].concat()).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    pub async fn introspect(&self, token: &str) -> Answer {
        self.post("/oauth2/introspect", &[("token", token)]).await
    }

    pub async fn revoke(&self, token: &str) -> Answer {
        self.post("/oauth2/revoke", &[("token", token)]).await
    }

    /// Userinfo with a bearer token, which anybody may try.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let url = format!("{}/oauth2/userinfo", self.node);
        Answer::of(http().get(url).header("Authorization", format!("Bearer {access_token}"))).await
    }

    /// The claims of a client assertion that the server must accept (RFC 7523 §3).
    pub fn assertion_claims(&self) -> Value {
        let (iat, exp) = (now(), now() + 60);
        json!({"iss": self.id, "sub": self.id, "aud": self.issuer, "jti": random(16), "iat": iat, "exp": exp})
    }

    pub fn assertion(&self, claims: &Value) -> String {
        self.key.as_ref().expect("a client with private_key_jwt").sign(claims)
    }
}

/// Basic credentials, form-urlencoded first (RFC 6749 §2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}
