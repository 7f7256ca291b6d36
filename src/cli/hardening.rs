//! What the process does before it touches a secret.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns off core dumps and forbids other processes of this user to attach (prctl(2),
/// PR_SET_DUMPABLE), so that keys stay in this process.
///
/// # Errors
/// When the kernel refuses, which it has no reason to.
pub fn keep_memory_private() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
