//! What a machine remembers of a volume, as long as the test lasts.

use std::io;

use hushfs::volume::{Witness, WitnessStore};
use parking_lot::Mutex;

/// A witness in memory; a machine begins without one.
#[derive(Default)]
pub struct MemoryWitness(Mutex<Option<Witness>>);

impl WitnessStore for MemoryWitness {
    fn load(&self) -> io::Result<Option<Witness>> {
        Ok(*self.0.lock())
    }

    fn save(&self, witness: Witness) -> io::Result<()> {
        *self.0.lock() = Some(witness);
        Ok(())
    }

    fn saw_header(&self, _generation: u64) -> io::Result<()> {
        Ok(())
    }
}
