//! What a credential is asked for: the volume, as far as its header says before anything is unlocked.

use serde::{Deserialize, Serialize};

/// A volume that wants to be unlocked. It goes from the process that found the volume to the one that talks
/// to the user, and nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The bucket as the user wrote it.
    pub place: String,
}

impl Challenge {
    /// Asks for what opens the volume at `place`.
    pub fn new(place: &str) -> Self {
        Self { place: place.to_owned() }
    }
}
