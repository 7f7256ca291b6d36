//! Content of files: replacing chunks and changing the size.
//!
//! Invariant: no chunk and no byte of a chunk lies at or past the size, so a file that grows again reads
//! zeros there; `allocated` is the sum of the lengths of the chunks.
use std::ops::{ControlFlow, Range};

use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::op::{MAX_OP_CHUNKS, Op};
use crate::meta::read;
use crate::meta::record::{ChunkRef, FileKind};

use super::ApplyError;
use super::edit::{Edit, add, subtract};

/// A change of one file's content.
pub(super) struct Content {
    pub ino: Ino,
    /// Bytes of a chunk.
    pub chunk_size: u64,
    /// Size before and after, in bytes.
    pub old_size: u64,
    pub size: u64,
    added: u64,
    freed: u64,
}

impl Content {
    /// Starts a change of a regular file that still has the version the caller built on.
    pub fn begin(edit: &mut Edit<'_, '_>, ino: Ino, version: u64, size: u64) -> Result<Self, ApplyError> {
        let chunk_size = u64::from(edit.superblock()?.chunk_size);
        require_regular(edit, ino)?;
        let inode = edit.inode(ino)?;
        if inode.version != version {
            return Err(ApplyError::Changed);
        }
        Ok(Self { ino, chunk_size, old_size: inode.size, size, added: 0, freed: 0 })
    }

    /// Sets one chunk (None: a hole), as far as it lies before the size.
    pub fn set(
        &mut self,
        edit: &mut Edit<'_, '_>,
        index: u64,
        chunk: Option<ChunkRef>,
    ) -> Result<(), ApplyError> {
        let room = self.room(index, self.size);
        let chunk = chunk.and_then(|chunk| chunk.cut(room));
        let key = key::chunk(self.ino, index);
        // Past the old size there is nothing to replace: appending does not look.
        let old = match self.room(index, self.old_size) {
            0 => None,
            _ => read::chunk(edit.txn, self.ino, index)?,
        };
        match (&old, &chunk) {
            (_, Some(chunk)) => edit.txn.put(key, chunk.encode()),
            (Some(_), None) => edit.txn.remove(key),
            (None, None) => {}
        }
        add(&mut self.freed, old.map_or(0, |old| old.len()), "the bytes of an inode")?;
        add(&mut self.added, chunk.map_or(0, |chunk| chunk.len()), "the bytes of an inode")
    }

    /// How many bytes of chunk `index` lie before `size`. Indexes are checked to be far from overflow.
    fn room(&self, index: u64, size: u64) -> u64 {
        size.saturating_sub(index.saturating_mul(self.chunk_size)).min(self.chunk_size)
    }

    /// Removes what lies past the size and cuts the chunk at its end.
    pub fn cut(&mut self, edit: &mut Edit<'_, '_>) -> Result<(), ApplyError> {
        if self.size >= self.old_size {
            return Ok(());
        }
        let gone = self.size.div_ceil(self.chunk_size)..u64::MAX;
        for (index, _) in collect(edit, self.ino, gone, "the number of chunks past the size")? {
            self.set(edit, index, None)?;
        }
        let end = self.size / self.chunk_size;
        match read::chunk(edit.txn, self.ino, end)? {
            Some(chunk) if chunk.len() > self.room(end, self.size) => self.set(edit, end, Some(chunk)),
            _ => Ok(()),
        }
    }

    /// Counts the change in the inode and the volume.
    pub fn finish(
        self,
        edit: &mut Edit<'_, '_>,
        mtime: Option<Timestamp>,
        ctime: Timestamp,
    ) -> Result<(), ApplyError> {
        let inode = edit.inode_mut(self.ino)?;
        add(&mut inode.allocated, self.added, "the bytes of an inode")?;
        subtract(&mut inode.allocated, self.freed, "the bytes of an inode")?;
        add(&mut inode.version, 1, "the versions of an inode")?;
        inode.size = self.size;
        inode.mtime = mtime.unwrap_or(inode.mtime);
        inode.ctime = ctime;
        edit.charge(self.added, self.freed)
    }
}

pub(super) fn require_regular(edit: &mut Edit<'_, '_>, ino: Ino) -> Result<(), ApplyError> {
    match edit.inode(ino)?.kind {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(ApplyError::IsDirectory),
        _ => Err(ApplyError::Invalid("a file without content")),
    }
}

/// The chunks in a range, unless they are more than one op may touch.
pub(super) fn collect(
    edit: &Edit<'_, '_>,
    ino: Ino,
    range: Range<u64>,
    bound: &'static str,
) -> Result<Vec<(u64, ChunkRef)>, ApplyError> {
    let mut found = Vec::new();
    let mut too_many = false;
    read::each_chunk(edit.txn, ino, range, &mut |index, chunk| {
        too_many = found.len() == MAX_OP_CHUNKS;
        if too_many {
            return ControlFlow::Break(());
        }
        found.push((index, chunk));
        ControlFlow::Continue(())
    })?;
    if too_many { Err(ApplyError::Invalid(bound)) } else { Ok(found) }
}

pub(super) fn write(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::Write { ino, version, size, chunks, perm, mtime, ctime } = op else { return Ok(()) };
    let mut content = Content::begin(edit, *ino, *version, *size)?;
    for (index, chunk) in chunks {
        if chunk.as_ref().is_some_and(|chunk| chunk.len() > content.chunk_size) {
            return Err(ApplyError::Invalid("the length of a chunk"));
        }
        content.set(edit, *index, chunk.clone())?;
    }
    content.cut(edit)?;
    let inode = edit.inode_mut(*ino)?;
    inode.perm = perm.unwrap_or(inode.perm);
    content.finish(edit, *mtime, *ctime)
}
