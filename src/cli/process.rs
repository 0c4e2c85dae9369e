//! What this process must not leave behind.

#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump: it would have the encryption key, the signing keys and the password of the database in it. And no other
/// process of the same user reads them out of this one's memory.
pub fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let limited = limited.and(set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = limited {
        tracing::warn!(%error, "core dumps of this process cannot be switched off; they would contain keys");
    }
}
