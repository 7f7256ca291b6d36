//! fsync(2), fdatasync(2), fsync of directories, and what close(2) reports.

use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::handles::Handle;

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

    /// close(2) of a file that can be written: does not wait for the bucket, but says when the bucket has
    /// not taken anything for two minutes, so that a program that never syncs hears of it. Closing a file that was
    /// opened for reading counts as an access (see [`super::access_time`]): true when its time is another now.
    ///
    /// # Errors
    /// Why commits fail. What was written stays queued here.
    pub fn flush(&self, ino: Ino, handle: Handle) -> Result<bool, FsError> {
        if handle.writable() {
            self.volume.check_commits()?;
            return Ok(false);
        }
        Ok(self.touch(ino, handle.no_atime()))
    }
}
