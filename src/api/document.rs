//! What the documents of all versions share.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

/// How requests prove whose they are.
pub struct SecuritySchemes;

impl utoipa::Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let cookie = |name, why| SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, why)));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The access token of a native app"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components
            .add_security_scheme("access_cookie", cookie("__Host-latchway_access", "The access token of a browser"));
        components
            .add_security_scheme("refresh_cookie", cookie("__Host-latchway_refresh", "The refresh token of a browser"));
        let key = ApiKeyValue::with_description("X-API-Key", "An API key, which stands for a program");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let csrf =
            ApiKeyValue::with_description("X-CSRF-Token", "Repeats the value of the cookie `__Host-latchway_csrf`");
        components.add_security_scheme("csrf", SecurityScheme::ApiKey(ApiKey::Header(csrf)));
    }
}
