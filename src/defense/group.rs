//! Groups of paths that share a rate limit, and their settings.

use crate::config::{Limits, Per, Rate};
use crate::route::RateLimitGroup;

/// The rate that the settings give a group, for each address or for each client.
pub(super) fn rate(group: RateLimitGroup, per: Per, limits: &Limits) -> Rate {
    match (group, per) {
        (RateLimitGroup::Authorize, Per::Address) => limits.authorize_per_address,
        (RateLimitGroup::Token, Per::Address) => limits.token_per_address,
        (RateLimitGroup::Token, Per::Client) => limits.token_per_client,
        (RateLimitGroup::Device, Per::Address) => limits.device_per_address,
        (RateLimitGroup::Device, Per::Client) => limits.device_per_client,
        (RateLimitGroup::Introspect, Per::Address) => limits.introspect_per_address,
        (RateLimitGroup::Introspect, Per::Client) => limits.introspect_per_client,
        (RateLimitGroup::Revoke, Per::Address) => limits.revoke_per_address,
        (RateLimitGroup::Revoke, Per::Client) => limits.revoke_per_client,
        (RateLimitGroup::Userinfo, Per::Address) => limits.userinfo_per_address,
        (RateLimitGroup::ForwardAuth, Per::Address) => limits.forward_auth_per_address,
        (RateLimitGroup::Api, Per::Address) => limits.api_per_address,
        (RateLimitGroup::Metadata, Per::Address) => limits.metadata_per_address,
        (RateLimitGroup::Pages, Per::Address) => limits.pages_per_address,
        _ => Rate::OFF,
    }
}
