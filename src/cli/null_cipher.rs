//! Builds that encrypt nothing say so, and do nothing for whoever does not know it.

use super::exit::Exit;

const WORD: &str = "HUSHFS_NULL_CIPHER";
const VALUE: &str = "nothing-is-encrypted";

/// Warns, and goes on only if the environment says that this is what is wanted.
///
/// # Errors
/// The exit code, after the message.
pub fn insist() -> Result<(), Exit> {
    eprintln!("hushfs: THIS BUILD ENCRYPTS NOTHING: it has a null cipher, to measure with (scripts/bench)");
    if std::env::var_os(WORD).is_some_and(|value| value == VALUE) {
        return Ok(());
    }
    eprintln!("hushfs: build it without the feature null-cipher, or set {WORD}={VALUE}");
    Err(Exit::Failure)
}
