//! Finding an entry by name.

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::read;
use crate::meta::record::{FileKind, MAX_NAME};

impl Filesystem {
    /// What `name` stands for in directory `parent`; `.` and `..` too (for exports over NFS, `.` of any
    /// inode). Counts a lookup.
    ///
    /// # Errors
    /// `NotFound`; `NameTooLong`; `Stale` when an inode the kernel named is gone.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Entry, FsError> {
        if name.len() > MAX_NAME {
            return Err(FsError::NameTooLong);
        }
        self.volume.note_use();
        let (ino, inode) = self.volume.read(|view| {
            let ino = match name {
                b"." => parent,
                b".." => inode_of(view, parent)?.parent,
                _ => match read::lookup(view, parent, name)? {
                    Some(dentry) => dentry.ino,
                    None => return Err(not_found_in(inode_of(view, parent)?.kind)),
                },
            };
            let inode = inode_of(view, ino)?;
            // A handle of name_to_handle_at(2) is good while somebody has the file open.
            if inode.nlink == 0 && !self.inodes.is_open(ino) {
                return Err(FsError::Stale(ino));
            }
            Ok((ino, inode))
        })?;
        Ok(self.entry(ino, &inode))
    }
}

fn not_found_in(kind: FileKind) -> FsError {
    if kind == FileKind::Directory { FsError::NotFound } else { FsError::NotDirectory }
}
