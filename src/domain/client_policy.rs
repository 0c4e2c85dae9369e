//! What an operator decides for one client. In each list the strictest choice comes first.

use super::words;

words! {
    /// Whether a client may leave PKCE out (RFC 7636).
    PkcePolicy {
        Required = "required",
        /// RFC 9700 §2.1.1: a confidential OpenID client may rely on `nonce` instead, which is then demanded.
        NonceInstead = "nonce-instead",
        /// A confidential OpenID client may leave both out (OIDC Core §3.1.2.1 demands neither).
        Optional = "optional",
    }
}

words! {
    /// When a person is asked whether a client may have what it asks for.
    ConsentPolicy {
        Always = "always",
        /// What was allowed once is not asked again.
        Remember = "remember",
        /// Nobody is asked. For the operator's own apps.
        Never = "never",
    }
}

words! {
    /// Whether a client secret is taken only by the method that the client is registered for.
    MethodCheck {
        Strict = "strict",
        /// By `client_secret_basic` and `client_secret_post` alike: RFC 6749 §2.3.1 has a server support both for one secret.
        Lenient = "lenient",
    }
}

words! {
    /// The audience of a client's assertions (RFC 7523 §3).
    AssertionAudience {
        /// The issuer alone, so that an assertion for another server is of no use here (draft-ietf-oauth-rfc7523bis).
        Issuer = "issuer",
        /// The issuer, or the token endpoint's URL, which OIDC Core §9 asks of clients.
        TokenEndpoint = "token-endpoint",
    }
}

words! {
    /// Which claims about a person an ID token has.
    IdTokenClaims {
        /// Who logged in, when and how; the rest is for userinfo (OIDC Core §5.4).
        Standard = "standard",
        /// Also the claims of the granted scopes, for clients that never ask userinfo.
        All = "all",
    }
}

words! {
    /// What a used refresh token gets that comes again within `refresh_retry_seconds`.
    RefreshPolicy {
        /// The same successor, as long as nothing of the first answer was used.
        Strict = "strict",
        /// The live successor of its family, so that parallel requests of one client get along.
        Standard = "standard",
    }
}
