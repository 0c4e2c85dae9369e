use crate::config::{Limits, Per, Rate};
use crate::domain::words;

words! {
    /// Paths that share a limit.
    Group {
        Authorize = "authorize",
        Token = "token",
        Device = "device",
        Introspect = "introspect",
        Revoke = "revoke",
        Userinfo = "userinfo",
        ForwardAuth = "forward-auth",
        Api = "api",
        Metadata = "metadata",
        Pages = "pages",
    }
}

impl Group {
    /// The group of a path; none for health and what is served from memory alone.
    pub fn of(path: &str) -> Option<Self> {
        let starts = |prefix: &str| path.starts_with(prefix);
        Some(match path {
            "/oauth2/authorize" => Self::Authorize,
            "/oauth2/token" => Self::Token,
            "/oauth2/device_authorization" => Self::Device,
            "/oauth2/introspect" => Self::Introspect,
            "/oauth2/revoke" => Self::Revoke,
            "/oauth2/userinfo" => Self::Userinfo,
            "/livez" | "/readyz" | "/favicon.ico" => return None,
            _ if starts("/static/") => return None,
            _ if starts("/.well-known/") => Self::Metadata,
            _ if starts("/api/v1/forward-auth") => Self::ForwardAuth,
            _ if starts("/api/") => Self::Api,
            _ => Self::Pages,
        })
    }

    pub(super) fn rate(self, per: Per, limits: &Limits) -> Rate {
        match (self, per) {
            (Self::Authorize, Per::Address) => limits.authorize_per_address,
            (Self::Token, Per::Address) => limits.token_per_address,
            (Self::Token, Per::Client) => limits.token_per_client,
            (Self::Device, Per::Address) => limits.device_per_address,
            (Self::Device, Per::Client) => limits.device_per_client,
            (Self::Introspect, Per::Address) => limits.introspect_per_address,
            (Self::Introspect, Per::Client) => limits.introspect_per_client,
            (Self::Revoke, Per::Address) => limits.revoke_per_address,
            (Self::Revoke, Per::Client) => limits.revoke_per_client,
            (Self::Userinfo, Per::Address) => limits.userinfo_per_address,
            (Self::ForwardAuth, Per::Address) => limits.forward_auth_per_address,
            (Self::Api, Per::Address) => limits.api_per_address,
            (Self::Metadata, Per::Address) => limits.metadata_per_address,
            (Self::Pages, Per::Address) => limits.pages_per_address,
            _ => Rate::OFF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_group() {
        for (path, group) in [
            ("/oauth2/token", Some(Group::Token)),
            ("/oauth2/device_authorization", Some(Group::Device)),
            ("/device", Some(Group::Pages)),
            ("/oauth2/nothing", Some(Group::Pages)),
            ("/.well-known/jwks.json", Some(Group::Metadata)),
            ("/api/v1/forward-auth", Some(Group::ForwardAuth)),
            ("/api/v1/login", Some(Group::Api)),
            ("/login", Some(Group::Pages)),
            ("/nothing", Some(Group::Pages)),
            ("/livez", None),
            ("/static/style.css", None),
        ] {
            assert_eq!(Group::of(path), group, "{path}");
        }
    }
}
