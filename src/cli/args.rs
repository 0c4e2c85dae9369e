//! Flags that describe a client, for `client create` and `client update`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;

use super::context::usage;
use crate::domain::{
    Algorithm, ApplicationType, AuthMethod, Client, GrantType, MethodCheck, Party, RedirectUri, Scopes, unknown_word,
};

/// What can be said of a client when it is made and later.
#[derive(Args, Clone, Default)]
pub struct ClientArgs {
    /// Where answers may be sent; exactly as requests will name it. May be repeated
    #[arg(long = "redirect-uri", value_name = "URI", num_args = 1..)]
    pub redirect_uris: Vec<String>,
    /// authorization_code, refresh_token, client_credentials or device_code (RFC 8628). May be repeated
    #[arg(long = "grant", value_name = "GRANT", num_args = 1..)]
    pub grants: Vec<String>,
    /// All scopes that it may ask for, separated by spaces
    #[arg(long)]
    pub scope: Option<String>,
    /// An API that it may ask tokens for (RFC 8707). May be repeated
    #[arg(long = "audience", value_name = "URI", num_args = 1..)]
    pub audiences: Vec<String>,
    /// An API that this client is, by the URI that its tokens name as audience. May be repeated
    #[arg(long = "resource", value_name = "URI", num_args = 1..)]
    pub resources: Vec<String>,
    /// Your own app: it takes the password itself, at /api/v1/login, where nobody is asked for consent. For logins by
    /// redirect there is --consent.
    /// --first-party=false takes that back
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub first_party: Option<bool>,
    /// web or native: the tokens of a first-party web app never leave the browser's cookies. Not said, the redirect URIs
    /// tell; without any it is native
    #[arg(long, value_name = "TYPE")]
    pub application_type: Option<String>,
    /// Public keys (a JWKS) for private_key_jwt
    #[arg(long, value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,
    /// Whether requests need PKCE. nonce-instead and optional are for confidential OpenID clients that cannot do PKCE;
    /// with nonce-instead they must send a nonce
    #[arg(long, value_name = "required|nonce-instead|optional")]
    pub pkce: Option<String>,
    /// When people are asked: always, once (remember, the default), or never, for your own apps. At a loopback or
    /// private-use redirect URI they are asked each time, because any program on the device could answer there
    #[arg(long, value_name = "never|remember|always")]
    pub consent: Option<String>,
    /// Take the secret only by --auth-method, not also by the other of client_secret_basic and client_secret_post.
    /// --auth-method-strict=false takes that back
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub auth_method_strict: Option<bool>,
    /// The audience of its private_key_jwt assertions; token-endpoint takes the issuer and the URL of the token endpoint
    #[arg(long, value_name = "issuer|token-endpoint")]
    pub assertion_audience: Option<String>,
    /// all puts the claims of the granted scopes (profile, email) into ID tokens, for clients that never ask userinfo
    #[arg(long, value_name = "standard|all")]
    pub id_token_claims: Option<String>,
    /// strict ends a token family when a used refresh token comes again after anything of its answer was used, even
    /// within refresh_retry_seconds
    #[arg(long, value_name = "standard|strict")]
    pub refresh: Option<String>,
    /// How its ID tokens are signed: RS256, ES256, EdDSA or PS256
    #[arg(long)]
    pub id_token_alg: Option<String>,
    /// The app's own page
    #[arg(long, value_name = "URL")]
    pub client_uri: Option<String>,
    /// The app's privacy policy
    #[arg(long, value_name = "URL")]
    pub policy_uri: Option<String>,
    /// The app's terms of use
    #[arg(long, value_name = "URL")]
    pub tos_uri: Option<String>,
    /// A PNG, JPEG or WebP for the consent page, 64 KiB at most
    #[arg(long, value_name = "FILE")]
    pub logo_file: Option<PathBuf>,
}

const MAX_LOGO: usize = 64 * 1024;

impl ClientArgs {
    /// Puts what was said into a client; what was not said stays as it is.
    pub fn apply(&self, client: &mut Client) -> anyhow::Result<()> {
        let word = |flag: &str, e: String| usage(format!("--{flag}: {e}"));
        if !self.redirect_uris.is_empty() {
            client.redirect_uris = self.redirect_uris.iter().map(|uri| redirect_uri(uri)).collect::<Result<_, _>>()?;
            let native = client.redirect_uris.iter().any(RedirectUri::is_native);
            client.application_type = if native { ApplicationType::Native } else { ApplicationType::Web };
        }
        self.apply_party(client)?;
        if !self.grants.is_empty() {
            let mut grants: Vec<GrantType> =
                self.grants.iter().map(|g| grant_type(g).map_err(|e| word("grant", e))).collect::<Result<_, _>>()?;
            grants.sort_unstable();
            grants.dedup();
            if !grants.contains(&GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
                // They go with the one grant that they are of use to, or that grant could never be taken away.
                client.redirect_uris.clear();
            }
            client.grant_types = grants;
        }
        if let Some(scope) = &self.scope {
            client.scope = Scopes::parse(scope).map_err(|e| usage(format!("--scope: {e}")))?;
        }
        if !self.audiences.is_empty() {
            client.audiences.clone_from(&self.audiences);
        }
        if let Some(path) = &self.jwks_file {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            client.jwks = Some(text);
        }
        if !self.resources.is_empty() {
            client.resources.clone_from(&self.resources);
        }
        self.apply_policies(client)?;
        if let Some(algorithm) = &self.id_token_alg {
            client.id_token_alg = Some(algorithm.parse::<Algorithm>().map_err(|e| word("id-token-alg", e))?);
        }
        for (said, kept) in [
            (&self.client_uri, &mut client.client_uri),
            (&self.policy_uri, &mut client.policy_uri),
            (&self.tos_uri, &mut client.tos_uri),
        ] {
            if said.is_some() {
                kept.clone_from(said);
            }
        }
        client.validate().map_err(|e| usage(e.to_string()))
    }

    fn apply_policies(&self, client: &mut Client) -> anyhow::Result<()> {
        put("pkce", self.pkce.as_deref(), &mut client.pkce)?;
        put("consent", self.consent.as_deref(), &mut client.consent)?;
        put("assertion-audience", self.assertion_audience.as_deref(), &mut client.assertion_audience)?;
        put("id-token-claims", self.id_token_claims.as_deref(), &mut client.id_token_claims)?;
        put("refresh", self.refresh.as_deref(), &mut client.refresh)?;
        if let Some(strict) = self.auth_method_strict {
            client.method_check = if strict { MethodCheck::Strict } else { MethodCheck::Lenient };
        }
        Ok(())
    }

    fn apply_party(&self, client: &mut Client) -> anyhow::Result<()> {
        let before = client.party;
        if let Some(first) = self.first_party {
            client.party = if first { Party::First } else { Party::Third };
        }
        if let Some(said) = &self.application_type {
            client.application_type = said.parse().map_err(|e| usage(format!("--application-type: {e}")))?;
        } else if before == Party::Third && client.is_first_party() && client.redirect_uris.is_empty() {
            // A browser is known by its own headers and gets cookies in any case; who sends none wants its tokens.
            client.application_type = ApplicationType::Native;
        }
        Ok(())
    }

    /// The logo, with the content type that its bytes show.
    pub fn logo(&self) -> anyhow::Result<Option<(&'static str, Vec<u8>)>> {
        self.logo_file.as_deref().map(read_logo).transpose()
    }
}

/// Sets what a flag says, if it was given.
fn put<T: FromStr<Err = String>>(flag: &str, said: Option<&str>, kept: &mut T) -> anyhow::Result<()> {
    if let Some(text) = said {
        *kept = text.parse().map_err(|e| usage(format!("--{flag}: {e}")))?;
    }
    Ok(())
}

/// A grant by its name in the RFCs, or by a shorter one where that is a whole URN.
fn grant_type(text: &str) -> Result<GrantType, String> {
    const SHORT: &str = "device_code";
    if text == SHORT {
        return Ok(GrantType::DeviceCode);
    }
    text.parse().map_err(|_| {
        let short = |grant: &GrantType| if *grant == GrantType::DeviceCode { SHORT } else { grant.as_str() };
        unknown_word(text, &GrantType::ALL.iter().map(short).collect::<Vec<_>>())
    })
}

fn redirect_uri(text: &str) -> anyhow::Result<RedirectUri> {
    RedirectUri::register(text).map_err(|e| usage(format!("--redirect-uri {text:?}: {e}")))
}

/// The type is read off the bytes, never believed; an SVG, which can run scripts, is none of them.
fn read_logo(path: &Path) -> anyhow::Result<(&'static str, Vec<u8>)> {
    let image = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if image.len() > MAX_LOGO {
        return Err(usage(format!("--logo-file: {} has more than 64 KiB", path.display())));
    }
    let media = match image.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return Err(usage(format!("--logo-file: {} is no PNG, JPEG or WebP", path.display()))),
    };
    Ok((media, image))
}

/// How a new client proves itself: what was said, or what fits. A first-party client is public.
pub fn auth_method(public: bool, said: Option<&str>) -> anyhow::Result<AuthMethod> {
    match (public, said.map(str::parse::<AuthMethod>)) {
        (_, Some(Err(e))) => Err(usage(format!("--auth-method: {e}"))),
        (true, Some(Ok(method))) if method != AuthMethod::None => {
            Err(usage("--public has no credentials; leave --auth-method out or say none"))
        }
        (true, _) => Ok(AuthMethod::None),
        (false, Some(Ok(method))) => Ok(method),
        (false, None) => Ok(AuthMethod::ClientSecretBasic),
    }
}
