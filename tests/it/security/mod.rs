//! `docs/security/catalogue.md`, a file a section, a test a line, named after it.

mod consent_apis;
mod family;
mod held;
mod lock;
mod p_costs;
mod p_limits;
mod p_trail;
mod s10_machines;
mod s10_process;
mod s1_1_order;
mod s1_2_redirect;
mod s1_2_redirect_native;
mod s1_3_pkce;
mod s1_4_parameters;
mod s1_4_prompt;
mod s1_4_response;
mod s1_5_consent;
mod s1_5_session;
mod s1_6_code;
mod s1_7_request_objects;
mod s2_1_client_auth;
mod s2_1_clients;
mod s2_1_transport;
mod s2_2_assertions;
mod s2_2_replay;
mod s2_3_matrix;
mod s2_3_refresh;
mod s2_3_rotation;
mod s2_5_responses;
mod s3_forged;
mod s3_issued;
mod s3_rotation;
mod s4_api_keys;
mod s4_introspection;
mod s4_revocation;
mod s4_userinfo;
mod s5_1_device;
mod s5_1_device_page;
mod s5_1_matrix;
mod s6_api;
mod s6_api_guessing;
mod s6_login;
mod s6_sessions;
mod s6_setup;
mod s6_storm;
mod s7_api;
mod s7_fuzz;
mod s7_http;
mod s7_limits;
mod s7_wire;

use crate::harness::*;
pub use family::{Family, assert_active, assert_inactive, live_leaves};
pub use held::Held;

/// Sends each request in a browser of its own; every one must be answered by `PAGE`, and audited as `kind`.
async fn refused_with_page(server: &Server, requests: impl IntoIterator<Item = Request>, kind: &str) {
    for request in requests {
        let answer = Browser::new(server).authorize(&request).await;
        assert_page(&answer);
        assert_audit(server, &answer, kind);
    }
}

/// Sends each request in a browser of its own; every one must be answered by `RED(error)`.
async fn refused_at_the_app(server: &Server, requests: impl IntoIterator<Item = Request>, error: &str) {
    for request in requests {
        let answer = Browser::new(server).authorize(&request).await;
        assert_red(&answer, &request, error);
    }
}

/// Optional features: what metadata does not offer must not be there in silence either.
async fn metadata(server: &Server) -> serde_json::Value {
    let answer = Browser::new(server).get("/.well-known/openid-configuration").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}
