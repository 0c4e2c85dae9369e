//! Paths of this server that more than one place names: the route tables, metadata, redirects between endpoints and pages,
//! mock mode, the command line.

/// Declares the constants, and [`ALL`] of them for the test that looks for each in the route table.
macro_rules! endpoints {
    ($($(#[doc = $doc:literal])* $name:ident = $path:literal;)+) => {
        $($(#[doc = $doc])* pub const $name: &str = $path;)+

        /// Name and path of every constant of this module.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $path)),+];
    };
}

endpoints! {
    /// RFC 8414 §3
    OAUTH_METADATA = "/.well-known/oauth-authorization-server";
    /// OpenID Connect Discovery 1.0 §4
    OPENID_CONFIGURATION = "/.well-known/openid-configuration";
    /// RFC 7517 §5
    JWKS = "/.well-known/jwks.json";
    /// RFC 9116
    SECURITY_TXT = "/.well-known/security.txt";

    /// RFC 6749 §3.1
    AUTHORIZE = "/oauth2/authorize";
    /// RFC 6749 §3.2
    TOKEN = "/oauth2/token";
    /// RFC 8628 §3.1
    DEVICE_AUTHORIZATION = "/oauth2/device_authorization";
    /// RFC 7662 §2
    INTROSPECT = "/oauth2/introspect";
    /// RFC 7009 §2
    REVOKE = "/oauth2/revoke";
    /// OpenID Connect Core 1.0 §5.3
    USERINFO = "/oauth2/userinfo";

    HOME = "/";
    LOGIN = "/login";
    CONSENT = "/consent";
    DEVICE = "/device";
    ACCOUNT = "/account";
    ACCOUNT_REVOKE = "/account/revoke";
    ACCOUNT_REVOKE_OTHER_SESSIONS = "/account/sessions/revoke-others";
    ACCOUNT_API_KEYS = "/account/api-keys";
    ACCOUNT_REVOKE_API_KEY = "/account/api-keys/revoke";
    LOGGED_OUT = "/logged-out";
    FAVICON = "/favicon.ico";

    API_DOCS = "/api/docs";
    API_DOCUMENT = "/api/v1/openapi.json";
    API_KEYS = "/api/v1/api-keys";
    /// Proxies ask here whether a request may pass.
    FORWARD_AUTH = "/api/v1/forward-auth";
    FORWARD_AUTH_LOGIN = "/api/v1/forward-auth/login";
    /// Below the host of the protected app, where the browser is given the app's own cookie.
    FORWARD_AUTH_CALLBACK = "/.latchway/callback";

    /// Development mode only.
    PLAYGROUND = "/playground";
    /// Where the playground's client is redirected to.
    PLAYGROUND_CALLBACK = "/playground/callback";
    /// Mock mode only: what the mock is, and below it what controls it.
    MOCK = "/mock";
    /// Mock mode only: a login by one click.
    MOCK_LOGIN = "/mock/login";
}
