//! Opening and releasing files.

use crate::base::Ino;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::handles::Handle;
use crate::fs::inode_table::After;
use crate::fs::set_id::without_set_id;
use crate::meta::record::{FileKind, Inode};

impl Filesystem {
    /// Opens an inode with `flags` of open(2); the kernel checked the permissions. O_TRUNC truncates.
    ///
    /// # Errors
    /// `Stale` when it is gone or must be looked up again; `IsDirectory` for directories.
    pub fn open(&self, caller: &Caller, ino: Ino, flags: i32) -> Result<Handle, FsError> {
        if self.inodes.is_stale(ino) {
            return Err(FsError::Stale(ino));
        }
        self.volume.note_use();
        let handle = Handle::from_flags(flags);
        self.inodes.opened(ino, handle);
        let opened = self.open_counted(caller, ino, flags);
        if opened.is_err() {
            self.release(ino, handle);
        }
        opened.map(|()| handle)
    }

    fn open_counted(&self, caller: &Caller, ino: Ino, flags: i32) -> Result<(), FsError> {
        let inode = self.volume.read(|view| inode_of(view, ino))?;
        if inode.kind == FileKind::Directory {
            return Err(FsError::IsDirectory);
        }
        if flags & libc::O_TRUNC != 0 && inode.kind == FileKind::Regular {
            self.content.truncate(ino, 0, self.perm_after_write(caller, &inode))?;
        }
        Ok(())
    }

    /// Closes a handle. The last one of an unlinked file has it reaped.
    pub fn release(&self, ino: Ino, handle: Handle) {
        if self.inodes.closed(ino, handle) == After::Reap {
            self.chores.reap(ino);
        }
    }

    /// Checks that a directory is there to be listed. A removed one that is somebody's working directory can
    /// still be opened; the kernel lists it as empty.
    ///
    /// # Errors
    /// `Stale`, `NotDirectory`.
    pub fn open_directory(&self, ino: Ino) -> Result<(), FsError> {
        if self.getattr(ino)?.kind == FileKind::Directory { Ok(()) } else { Err(FsError::NotDirectory) }
    }

    /// The permission bits without set-id bits, if the caller's change of content takes them away.
    pub(super) fn perm_after_write(&self, caller: &Caller, inode: &Inode) -> Option<u16> {
        without_set_id(inode, || caller.is_member(inode.gid)).filter(|_| !caller.keeps_set_id())
    }
}
