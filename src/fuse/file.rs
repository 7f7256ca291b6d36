//! Requests about open files and their bytes.

use fuser::{
    Errno, FileHandle, FopenFlags, Generation, ReplyCreate, ReplyData, ReplyLseek, ReplyOpen, ReplyWrite,
};

use super::adapter::Adapter;
use super::convert;
use super::lanes::{Lane, guarded};
use crate::base::Ino;
use crate::fs::{Caller, Filesystem, FsError, Handle};

/// Most bytes one copy_file_range(2) reports: the reply has 32 bits, and this many are whole pages.
const MAX_COPY: u64 = 0x7fff_f000;

/// Where the bytes of a write request come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Pages that the kernel had cached.
    Cache,
    /// A program's memory, past the page cache.
    Direct,
    /// A program's memory, and the page cache has them, too.
    Through,
}

impl Source {
    /// The kernel has no use for a shorter write than it asked for: what it cached it counts as written, and of
    /// direct I/O it makes EIO. So where the largest file ends that is an error.
    fn is_whole(self) -> bool {
        self != Self::Through
    }
}

impl Adapter {
    /// Pages the kernel has of the file stay: changes from elsewhere take them back one by one.
    pub(super) fn open_file(&self, caller: Caller, ino: Ino, flags: i32, reply: ReplyOpen) {
        let lane = if flags & libc::O_TRUNC == 0 { Lane::Read } else { Lane::Change };
        self.serve(
            lane,
            reply,
            move |fs| fs.open(&caller, ino, flags),
            |reply, result| match result {
                Ok(handle) => reply.opened(FileHandle(handle.number()), FopenFlags::FOPEN_KEEP_CACHE),
                Err(errno) => reply.error(errno),
            },
        );
    }

    /// `mode` is the permission bits asked for and the umask.
    pub(super) fn create_file(
        &self,
        caller: Caller,
        parent: Ino,
        name: Vec<u8>,
        (perm, umask): (u16, u16),
        flags: i32,
        reply: ReplyCreate,
    ) {
        let ttl = self.ttl;
        self.serve(
            Lane::Change,
            reply,
            move |fs| fs.create(&caller, parent, &name, perm & 0o7777, umask, flags),
            move |reply, result| match result {
                Ok((entry, handle)) => reply.created(
                    &ttl,
                    &convert::attr(&entry.attr),
                    Generation(entry.generation),
                    FileHandle(handle.number()),
                    FopenFlags::FOPEN_KEEP_CACHE,
                ),
                Err(errno) => reply.error(errno),
            },
        );
    }

    pub(super) fn read_file(
        &self,
        (ino, fh): (Ino, FileHandle),
        offset: u64,
        size: u32,
        direct: bool,
        reply: ReplyData,
    ) {
        let handle = Handle::from_number(fh.0);
        self.serve(
            Lane::Read,
            reply,
            move |fs| {
                // First: a direct write that these bytes miss must find it.
                if !direct {
                    fs.inodes().cached(ino);
                }
                fs.read(ino, handle, offset, size)
            },
            |reply, result| match result {
                Ok(bytes) => reply.data(&bytes),
                Err(errno) => reply.error(errno),
            },
        );
    }

    /// The data lies in the buffer of the thread that took the request: it is copied only if another thread
    /// has to do the work. A `synced` write is in the bucket when it is answered.
    pub(super) fn write_file(
        &self,
        (ino, fh): (Ino, FileHandle),
        offset: u64,
        data: &[u8],
        (kill_priv, source, synced): (bool, Source, bool),
        reply: ReplyWrite,
    ) {
        let handle = Handle::from_number(fh.0);
        let (pages, refusals, space) = (self.pages.clone(), self.refusals.clone(), self.space.clone());
        let work = move |fs: &Filesystem, data: &[u8]| {
            let result = fs.attempt(|fs| fs.write(ino, handle, offset, data, kill_priv));
            if source == Source::Cache {
                space.grew(ino);
                refusals.note(ino, &result, &pages);
            }
            let written = result?;
            // The kernel drops its pages before a direct write, but after it only if it waited (generic_file_direct_write
            // in mm/filemap.c): what somebody read between would stay for good.
            if source == Source::Direct && written > 0 && fs.inodes().is_cached(ino) {
                pages.drop_range(ino, offset, written as u64);
            }
            if synced {
                fs.sync()?;
            }
            Ok(written)
        };
        if let Some(_serving) = self.lanes.inline() {
            let result = guarded(|| work(&self.fs, data));
            return written(reply, data.len(), source, result);
        }
        let (fs, data) = (self.fs.clone(), data.to_vec());
        self.lanes.hand_over(Lane::Change, move || {
            let result = guarded(|| work(&fs, &data));
            written(reply, data.len(), source, result);
        });
    }

    /// The kernel asks where data is without writing back what it has itself, so that comes first: what was
    /// written through a map is in its pages without write-back caching, too.
    pub(super) fn seek_file(&self, ino: Ino, offset: i64, whence: i32, reply: ReplyLseek) {
        let pages = self.pages.clone();
        let work = move |fs: &Filesystem| {
            if fs.inodes().is_written(ino) {
                pages.write_back(ino);
            }
            let offset = u64::try_from(offset).or(Err(FsError::NoSuchOffset))?;
            let hole = match whence {
                libc::SEEK_HOLE => true,
                libc::SEEK_DATA => false,
                _ => return Err(FsError::Invalid("whence of lseek")),
            };
            let found = fs.seek(ino, offset, hole)?;
            i64::try_from(found).or(Err(FsError::TooBig))
        };
        self.serve(Lane::Read, reply, work, |reply, result| match result {
            Ok(offset) => reply.offset(offset),
            Err(errno) => reply.error(errno),
        });
    }

    /// `from` and `to` are inodes and offsets, `fh` is what is written through.
    pub(super) fn copy_file(
        &self,
        caller: Caller,
        from: (Ino, u64),
        (to, fh): ((Ino, u64), FileHandle),
        len: u64,
        reply: ReplyWrite,
    ) {
        let (len, handle) = (len.min(MAX_COPY), Handle::from_number(fh.0));
        self.serve(
            Lane::Change,
            reply,
            move |fs| fs.copy_file_range(&caller, from, (to, handle), len),
            |reply, result| match result {
                Ok(copied) => reply.written(copied.min(MAX_COPY) as u32),
                Err(errno) => reply.error(errno),
            },
        );
    }
}

fn written(reply: ReplyWrite, len: usize, source: Source, result: Result<usize, Errno>) {
    match result {
        Ok(written) if written < len && source.is_whole() => reply.error(Errno::EFBIG),
        // One request carries 1 MiB at most.
        Ok(written) => reply.written(written as u32),
        Err(errno) => reply.error(errno),
    }
}
