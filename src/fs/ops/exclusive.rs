//! Operations whose point is exclusivity, while other machines write.
//!
//! Two machines that make the same name at the same moment both succeed locally; the log decides later. So
//! while others are active, making a name waits for its commit, and whoever lost says so.

use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::meta::read;

impl Filesystem {
    /// After `name` in `parent` was made to stand for `ino`: waits for the commit if another machine wrote
    /// lately, and looks whether it still does.
    ///
    /// # Errors
    /// `Exists` when another machine was first; why the commit did not succeed.
    pub(super) fn commit_if_contested(&self, parent: Ino, name: &[u8], ino: Ino) -> Result<(), FsError> {
        if !self.volume.others_are_active() {
            return Ok(());
        }
        self.volume.sync()?;
        let dentry = self.volume.read(|view| Ok::<_, FsError>(read::lookup(view, parent, name)?))?;
        if dentry.is_some_and(|dentry| dentry.ino == ino) { Ok(()) } else { Err(FsError::Exists) }
    }
}
