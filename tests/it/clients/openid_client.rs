//! npm `openid-client`: the script says what would make it fail.

use super::{app, preset, run_flow};
use crate::harness::*;

async fn whole_flow_confidential(server: Shared) {
    run_flow("node/openid-client.mjs", server, &app(server));
}

async fn whole_flow_public(server: Shared) {
    run_flow("node/openid-client.mjs", server, &Client::public(server));
}

async fn device(server: Shared) {
    run_flow("node/device.mjs", server, &Spec::device().create(server));
}

async fn device_confidential(server: Shared) {
    run_flow("node/device.mjs", server, &Spec::confidential().grants(&[DEVICE_GRANT, "refresh_token"]).create(server));
}

async fn f07_with_its_preset(server: Shared) {
    run_flow("node/openid-client.mjs", server, &preset(server, "generic-web"));
}

both![f07_with_its_preset, whole_flow_confidential, whole_flow_public, device, device_confidential];
