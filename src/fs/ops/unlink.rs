//! unlink(2).

use bytes::Bytes;

use super::last_link::Parting;
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Removes a name that is not a directory's. An open file stays usable through its handles.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`.
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> Result<(), FsError> {
        let time = self.volume.now();
        let permit = self.volume.enter()?;
        let parting = self.volume.transact(&permit, |txn| {
            let dentry = read::lookup(txn, parent, name)?.ok_or(FsError::NotFound)?;
            if dentry.kind == FileKind::Directory {
                return Err(FsError::IsDirectory);
            }
            let inode = inode_of(txn, dentry.ino)?;
            let parting = Parting::decide(self, txn, dentry.ino, inode)?;
            let name = Bytes::copy_from_slice(name);
            txn.apply(Op::Unlink { parent, name, ino: dentry.ino, last: parting.last(), time })?;
            parting.applied(txn)
        })?;
        self.parted(parting, time);
        Ok(())
    }
}
