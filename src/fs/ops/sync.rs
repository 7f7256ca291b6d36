//! fsync(2), fdatasync(2), fsync of directories.

use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;

impl Filesystem {
    /// Everything done before is in the bucket when it returns. One commit serves all that ask at the same
    /// time, whichever file they ask for; the log has one order, so there is nothing smaller to wait for.
    ///
    /// # Errors
    /// Why the bucket does not take it; nothing is dropped, and the next call tries again.
    pub fn sync(&self) -> Result<(), FsError> {
        if self.volume.is_read_only() {
            return Ok(());
        }
        Ok(self.volume.sync()?)
    }
}
