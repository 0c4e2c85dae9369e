//! An audit event before it is written.

/// An event to be recorded. Never a secret in it, and a person only as a hash. Whoever writes it gives it its id and its
/// place in a chain.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub at_millis: i64,
    pub kind: &'static str,
    pub outcome: &'static str,
    pub reason: Option<String>,
    pub client_id: Option<String>,
    pub subject_hash: Option<String>,
    pub operator: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub detail: Option<String>,
}
