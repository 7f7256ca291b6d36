//! link(2).

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::name;
use crate::meta::op::Op;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Gives `ino` one more name. Counts a lookup.
    ///
    /// # Errors
    /// `NotPermitted` for directories; `Stale` when its last name is gone; `Exists`, `NameTooLong`,
    /// `TooManyLinks`.
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<Entry, FsError> {
        name::check(name)?;
        let time = self.volume.now();
        let inode = self.change(|txn| {
            let inode = inode_of(txn, ino)?;
            if inode.kind == FileKind::Directory {
                return Err(FsError::NotPermitted);
            }
            // The kernel refuses descriptors of such files itself; whoever came by a name looks it up again.
            if inode.nlink == 0 {
                return Err(FsError::Stale(ino));
            }
            let name = Bytes::copy_from_slice(name);
            txn.apply(Op::Link { ino, parent, name, time })?;
            inode_of(txn, ino)
        })?;
        self.commit_if_contested(parent, name, ino)?;
        Ok(self.entry(ino, &inode))
    }
}
