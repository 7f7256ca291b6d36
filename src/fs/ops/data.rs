//! Calls on the bytes of files: what they do is [`crate::fs::content`]'s business; here is what they mean
//! for the rest of the inode.

use crate::base::Ino;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::handles::Handle;
use crate::fs::ops::BLOCK;
use crate::meta::op::Op;

impl Filesystem {
    /// Up to `len` bytes from `offset`; short at the end of the file only.
    ///
    /// # Errors
    /// `Stale` when the file is gone; `Data` when its content cannot be fetched or verified.
    pub fn read(&self, ino: Ino, handle: Handle, offset: u64, len: u32) -> Result<Vec<u8>, FsError> {
        let bytes = self.content.read(ino, offset, len)?;
        self.touch(ino, handle.no_atime());
        Ok(bytes)
    }

    /// Writes at `offset`, or at the end when the file was opened for appending and the kernel does not
    /// cache writes (if it does, its offsets are right already: `cached`). Takes set-id bits away if
    /// `kill_priv`. Visible here when it returns, in the bucket with the next commit. Returns how many bytes were
    /// written: fewer than given only up to the largest size of a file.
    ///
    /// # Errors
    /// `NoSpace`, `TooBig`, `Stale`.
    pub fn write(
        &self,
        ino: Ino,
        handle: Handle,
        offset: u64,
        data: &[u8],
        kill_priv: bool,
    ) -> Result<usize, FsError> {
        let at_end = handle.append() && !self.writeback;
        let written = self.with_room(|| match at_end {
            true => self.content.append(ino, data, kill_priv),
            false => self.content.write(ino, offset, data, kill_priv),
        })?;
        self.inodes.changed(ino);
        Ok(written)
    }

    /// fallocate(2) with its mode bits. What does not fit is refused. Takes set-id bits away like a write of the
    /// caller's, and waits like one.
    ///
    /// # Errors
    /// `NotSupported` for modes the volume does not have; `NoSpace`, `TooBig`, `Stale`; why the bucket does not
    /// take it.
    pub fn fallocate(
        &self,
        caller: &Caller,
        (ino, handle): (Ino, Handle),
        mode: i32,
        offset: u64,
        len: u64,
    ) -> Result<(), FsError> {
        self.with_room(|| {
            if mode & libc::FALLOC_FL_PUNCH_HOLE == 0 {
                self.check_allocation(ino, offset, len)?;
            }
            self.content.fallocate(ino, mode, offset, len)
        })?;
        self.drop_set_id(caller, ino)?;
        self.inodes.changed(ino);
        self.sync_through(handle)
    }

    /// Refuses to allocate more past the end of a file than df shows as free.
    fn check_allocation(&self, ino: Ino, offset: u64, len: u64) -> Result<(), FsError> {
        let end = offset.checked_add(len).ok_or(FsError::TooBig)?;
        let growth = end.saturating_sub(self.getattr(ino)?.size.max(offset));
        if growth > self.statfs()?.free_blocks.saturating_mul(BLOCK) { Err(FsError::NoSpace) } else { Ok(()) }
    }

    /// lseek(2) with SEEK_DATA, or with SEEK_HOLE if `hole`.
    ///
    /// # Errors
    /// `NoSuchOffset` when nothing of the kind follows.
    pub fn seek(&self, ino: Ino, offset: u64, hole: bool) -> Result<u64, FsError> {
        self.content.seek(ino, offset, hole)?.ok_or(FsError::NoSuchOffset)
    }

    /// copy_file_range(2): shares whole chunks. Takes set-id bits away like a write of the caller's, and waits like
    /// one. `from` and `to` are files and offsets, `handle` is what is written through. Returns the bytes copied.
    ///
    /// # Errors
    /// `Invalid` for overlapping ranges of one file; `NoSpace`, `TooBig`, `Stale`; why the bucket does not take it.
    pub fn copy_file_range(
        &self,
        caller: &Caller,
        from: (Ino, u64),
        (to, handle): ((Ino, u64), Handle),
        len: u64,
    ) -> Result<u64, FsError> {
        let copied = self.with_room(|| self.content.copy_range(from.0, from.1, to.0, to.1, len))?;
        if copied > 0 {
            self.drop_set_id(caller, to.0)?;
        }
        self.inodes.changed(to.0);
        self.touch(from.0, false);
        self.sync_through(handle)?;
        Ok(copied)
    }

    /// After a write the kernel asks for O_SYNC's commit itself, after other changes of content it does not.
    fn sync_through(&self, handle: Handle) -> Result<(), FsError> {
        if handle.synced() { self.sync() } else { Ok(()) }
    }

    /// Of a write the kernel says whether it takes set-id bits away; of other changes of content it does not.
    fn drop_set_id(&self, caller: &Caller, ino: Ino) -> Result<(), FsError> {
        let inode = self.volume.read(|view| inode_of(view, ino))?;
        if self.perm_after_write(caller, &inode).is_none() {
            return Ok(());
        }
        let ctime = self.volume.now();
        self.change(|txn| {
            let Some(perm) = self.perm_after_write(caller, &inode_of(txn, ino)?) else { return Ok(()) };
            let (perm, uid, gid, atime, mtime) = (Some(perm), None, None, None, None);
            Ok(txn.apply(Op::SetAttr { ino, perm, uid, gid, atime, mtime, ctime })?)
        })
    }
}
