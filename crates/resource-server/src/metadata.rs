//! What clients need to know of an API before they can use it (RFC 9728).

use serde_json::{Map, Value, json};

use crate::fetch::secure_url;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What an API tells about itself. Its name, its issuer and how tokens are sent are told in any case.
#[derive(Debug, Clone, Default)]
pub struct ResourceMetadata {
    members: Map<String, Value>,
}

impl ResourceMetadata {
    pub fn new() -> Self {
        Self::default()
    }

    /// The scopes that clients may need.
    #[must_use]
    pub fn scopes<'a>(self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.with("scopes_supported", scopes.into_iter().collect::<Vec<_>>().into())
    }

    /// What people call it.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.with("resource_name", name.into())
    }

    /// Where developers read about it.
    #[must_use]
    pub fn documentation(self, url: &str) -> Self {
        self.with("resource_documentation", url.into())
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }
}

/// The document as it goes over the wire, and where it is.
#[derive(Debug)]
pub struct MetadataDocument {
    path: String,
    url: String,
    body: String,
}

impl MetadataDocument {
    /// `None` if the API has no URL for a name.
    pub(crate) fn new(metadata: &ResourceMetadata, resource: &str, issuer: &str) -> Option<Self> {
        let mut url = secure_url(resource).filter(|url| url.query().is_none())?;
        // RFC 9728 §3.1: the well-known part stands between host and path.
        let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut members = metadata.members.clone();
        members.insert("resource".to_owned(), json!(resource));
        members.insert("authorization_servers".to_owned(), json!([issuer]));
        members.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        Some(Self { path, url: url.to_string(), body: Value::Object(members).to_string() })
    }

    /// The path at which the API serves it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL that refusals point to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The document, in JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The headers of the answer. Public: any page may read it.
    pub fn headers(&self) -> [(&'static str, &'static str); 3] {
        [
            ("content-type", "application/json"),
            ("cache-control", "public, max-age=3600"),
            ("access-control-allow-origin", "*"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_between_host_and_path() {
        let at =
            |resource| MetadataDocument::new(&ResourceMetadata::new(), resource, "https://id.example").map(|p| p.url);
        let root = Some("https://api.example/.well-known/oauth-protected-resource".to_owned());
        assert_eq!(at("https://api.example"), root);
        assert_eq!(at("https://api.example/"), root);
        let path = Some("https://api.example/.well-known/oauth-protected-resource/orders".to_owned());
        assert_eq!(at("https://api.example/orders"), path);
        assert_eq!(at("orders"), None);
        assert_eq!(at("https://api.example/?a"), None);
    }
}
