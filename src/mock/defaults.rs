//! Names and numbers that several files of the mock have to agree on.

/// As whom the mocked API asks about API keys; its secret is its name.
pub const API_CLIENT: &str = "mock-api";

/// The scopes that a client may ask for where its settings name none.
pub const USUAL_SCOPE: &str = "openid profile email offline_access";

/// The run of tests that a request belongs to, as a parameter, for the mocked API's own questions to its issuer.
pub const RUN_PARAMETER: &str = "mock_run";

/// Runs at once, at most.
pub const MAX_RUNS: usize = 64;
