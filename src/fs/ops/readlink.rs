//! readlink(2).

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::record::FileKind;

impl Filesystem {
    /// Where a symlink points.
    ///
    /// # Errors
    /// `Invalid` for anything but a symlink; `Stale` when it is gone.
    pub fn readlink(&self, ino: Ino) -> Result<Bytes, FsError> {
        let inode = self.volume.read(|view| inode_of(view, ino))?;
        if inode.kind != FileKind::Symlink {
            return Err(FsError::Invalid("not a symlink"));
        }
        self.touch(ino, false);
        Ok(inode.target)
    }
}
