//! The witness: what this machine has seen of the log, so that nobody can show it less (M6).

use crate::base::Seq;

/// Highest log position this machine saw, and that entry's hash (M6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    pub seq: Seq,
    pub hash: [u8; 32],
}

/// Where the witness is kept (the local keyring; the cli adapts it).
pub trait WitnessStore: Send + Sync {
    /// What was saved last; `None` when this machine never saw the volume.
    fn load(&self) -> Result<Option<Witness>, std::io::Error>;
    /// Replaces it; durable when it returns.
    fn save(&self, witness: Witness) -> Result<(), std::io::Error>;
    /// Notes that a volume header of this generation was accepted: older ones are refused from now on.
    fn saw_header(&self, generation: u64) -> Result<(), std::io::Error>;
}
