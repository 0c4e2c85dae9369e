//! What the documents of all versions share.

use utoipa::openapi::schema::{OneOf, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem, RefOr, Required};

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

/// A body that may be left out is not a body that may be `null`: the server takes an object or nothing.
pub struct OptionalBodies;

impl utoipa::Modify for OptionalBodies {
    fn modify(&self, document: &mut OpenApi) {
        for body in document.paths.paths.values_mut().flat_map(bodies) {
            for content in body.content.values_mut() {
                if let RefOr::T(content) = content
                    && let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema
                    && let Some(object) = without_null(choice)
                {
                    content.schema = Some(object);
                    body.required = Some(Required::False);
                }
            }
        }
    }
}

fn bodies(item: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::request_body::RequestBody> {
    let operations = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    operations.into_iter().flatten().filter_map(|operation| match &mut operation.request_body {
        Some(RefOr::T(body)) => Some(body),
        _ => None,
    })
}

/// The one choice beside `null`.
fn without_null(choice: &OneOf) -> Option<RefOr<Schema>> {
    let is_null = |item: &RefOr<Schema>| match item {
        RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
        _ => false,
    };
    let mut rest = choice.items.iter().filter(|item| !is_null(item));
    let only = rest.next()?;
    (rest.next().is_none() && choice.items.len() == 2).then(|| only.clone())
}
