//! What other machines changed: making the kernel look again.

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::meta::key::{self, Parsed};
use crate::meta::read;
use crate::meta::record::FileKind;

/// What the kernel may have cached of a changed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed<'k> {
    /// That this name is there, or is not.
    Name { parent: Ino, name: &'k [u8] },
    /// Attributes and pages of this inode.
    Inode(Ino),
}

impl<'k> Changed<'k> {
    /// Reads a key as the volume reports it; `None` for records the kernel never sees.
    pub fn of(key: &'k [u8]) -> Option<Self> {
        match key::parse(key)? {
            Parsed::Dentry { parent, name } => Some(Self::Name { parent, name }),
            Parsed::Inode(ino) | Parsed::Chunk(ino, _) | Parsed::Xattr(ino, _) => Some(Self::Inode(ino)),
            Parsed::Superblock
            | Parsed::Orphan(_)
            | Parsed::Segment(_)
            | Parsed::Session(_)
            | Parsed::Condemned(_) => None,
        }
    }
}

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
        if self.writeback && kind == Some(FileKind::Regular) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_attributes_count_as_their_inode() {
        for key in [key::inode(Ino(7)), key::chunk(Ino(7), 3), key::xattr(Ino(7), b"user.a")] {
            assert_eq!(Changed::of(&key), Some(Changed::Inode(Ino(7))));
        }
        let dentry = key::dentry(Ino(7), b"a");
        assert_eq!(Changed::of(&dentry), Some(Changed::Name { parent: Ino(7), name: b"a" }));
        assert_eq!(Changed::of(&key::orphan(Ino(7))), None);
        assert_eq!(Changed::of(b"\xff"), None);
    }
}
