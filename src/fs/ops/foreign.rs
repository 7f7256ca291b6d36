//! What other machines changed: making the kernel look again.

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::meta::read;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Somebody else changed this inode. With write-back caching the kernel believes its own size and times
    /// of a regular file whatever we tell it; such a file is made to be looked up anew as soon as nobody
    /// has it open.
    ///
    /// # Errors
    /// What reading metadata can raise.
    pub fn changed_elsewhere(&self, ino: Ino) -> Result<(), FsError> {
        let kind =
            self.volume.read(|view| Ok::<_, FsError>(read::inode(view, ino)?.map(|inode| inode.kind)))?;
        if self.options.writeback && kind == Some(FileKind::Regular) {
            self.inodes.mark_stale(ino);
        } else {
            self.inodes.changed(ino);
        }
        Ok(())
    }

    /// Names in directory `ino` after `cookie`, a page at a time; empty at the end, and for anything but a
    /// directory. Gives the cookie to go on with.
    ///
    /// # Errors
    /// What reading metadata can raise.
    pub fn names_after(&self, ino: Ino, cookie: u64) -> Result<(Vec<Bytes>, u64), FsError> {
        match self.list(ino, cookie, false) {
            Ok(page) => {
                let next = page.last().map_or(cookie, |entry| entry.cookie);
                Ok((page.into_iter().map(|entry| entry.name).collect(), next))
            }
            Err(FsError::Stale(_) | FsError::NotDirectory) => Ok((Vec::new(), cookie)),
            Err(error) => Err(error),
        }
    }
}
