//! stat(2).

use crate::base::Ino;
use crate::fs::attr::Attr;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};

impl Filesystem {
    /// The attributes of an inode, those of a removed one too while the kernel refers to it.
    ///
    /// # Errors
    /// `Stale` when it is gone, and when it was changed elsewhere so that the kernel must look it up again.
    pub fn getattr(&self, ino: Ino) -> Result<Attr, FsError> {
        if self.inodes.is_stale(ino) {
            return Err(FsError::Stale(ino));
        }
        let shown = self.volume.read(|view| inode_of(view, ino)).map(|inode| self.attr(ino, &inode));
        self.or_ghost(shown, ino, |ghost| {
            Ok(Attr::new(ino, &ghost.inode, None, None, self.volume.chunk_size()))
        })
    }
}
