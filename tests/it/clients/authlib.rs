//! PyPI `Authlib`: the script says what would make it fail.

use super::{app, preset, run_flow};
use crate::harness::*;

async fn whole_flow_confidential(server: Shared) {
    run_flow("python/authlib_client.py", server, &app(server));
}

async fn whole_flow_public(server: Shared) {
    run_flow("python/authlib_client.py", server, &Client::public(server));
}

async fn f07_with_its_preset(server: Shared) {
    run_flow("python/authlib_client.py", server, &preset(server, "authlib"));
}

both![f07_with_its_preset, whole_flow_confidential, whole_flow_public];
