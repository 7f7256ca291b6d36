//! fallocate(2): holes and zeros. Space is not reserved: a bucket has no place to reserve it in.

use super::base::{Recorded, inode_of};
use super::dirty::Written;
use super::{Content, MAX_FILE};
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::meta::op::Op;
use crate::meta::read;

/// Chunks that one op turns into holes.
const PUNCH_STEP: u64 = 65_536;

impl Content {
    /// fallocate(2) with its mode bits. Allocation only sets the size; punching and zeroing make holes of
    /// whole chunks and zeros at the edges; collapsing takes ranges of whole chunks (the kernel's FUSE does not
    /// pass that on, up to version 6.18 at least).
    ///
    /// # Errors
    /// `NotSupported` for other modes, `Invalid` for a collapse that is not chunk aligned or reaches the
    /// end, `TooBig` past 16 TiB.
    pub fn fallocate(&self, ino: Ino, mode: i32, offset: u64, len: u64) -> Result<(), FsError> {
        const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        const ZERO_KEEP: i32 = libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE;
        if len == 0 {
            return Err(FsError::Invalid("fallocate of zero bytes"));
        }
        let end = offset.checked_add(len).filter(|end| *end <= MAX_FILE).ok_or(FsError::TooBig)?;
        match mode {
            0 => self.grow(ino, end),
            libc::FALLOC_FL_KEEP_SIZE => Ok(()),
            PUNCH | ZERO_KEEP => self.zero(ino, offset, end),
            libc::FALLOC_FL_ZERO_RANGE => {
                self.zero(ino, offset, end)?;
                self.grow(ino, end)
            }
            libc::FALLOC_FL_COLLAPSE_RANGE => self.collapse(ino, offset, len),
            _ => Err(FsError::NotSupported),
        }
    }

    /// Makes `offset..end` read as zeros; the size stays.
    fn zero(&self, ino: Ino, offset: u64, end: u64) -> Result<(), FsError> {
        let size = self.size(ino)?;
        let stop = end.min(size);
        if offset >= stop {
            return Ok(());
        }
        let first = offset.div_ceil(self.chunk_size);
        // The last chunk counts as whole when the range covers all of it that is inside the file.
        let last = if end >= size { size.div_ceil(self.chunk_size) } else { end / self.chunk_size };
        if first > last
            || (first == last && !offset.is_multiple_of(self.chunk_size) && stop <= first * self.chunk_size)
        {
            return self.zero_edge(ino, offset, stop);
        }
        self.zero_edge(ino, offset, first * self.chunk_size)?;
        self.zero_edge(ino, last * self.chunk_size, stop)?;
        self.punch(ino, first, last)
    }

    /// Writes zeros over part of one chunk, unless it is a hole already.
    fn zero_edge(&self, ino: Ino, from: u64, to: u64) -> Result<(), FsError> {
        if from >= to {
            return Ok(());
        }
        let index = from / self.chunk_size;
        let dirty =
            self.table.existing(ino).is_some_and(|file| file.state.lock().chunks.contains_key(&index));
        if !dirty && matches!(self.recorded_one(ino, index)?, Recorded::Hole) {
            return Ok(());
        }
        self.write(ino, from, &vec![0; (to - from) as usize], false).map(|_| ())
    }

    /// Makes holes of the chunks `from..to`.
    fn punch(&self, ino: Ino, from: u64, to: u64) -> Result<(), FsError> {
        let mut at = from;
        while at < to {
            let stop = to.min(at + PUNCH_STEP);
            self.punch_step(ino, at, stop)?;
            at = stop;
        }
        Ok(())
    }

    fn punch_step(&self, ino: Ino, from: u64, to: u64) -> Result<(), FsError> {
        let permit = self.volume.enter()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        let dirty_size = state.attr.map(|attr| attr.size);
        let time = self.time();
        let size = self.volume.transact(&permit, |txn| {
            let inode = inode_of(txn, ino)?;
            let size = dirty_size.unwrap_or(inode.size);
            let chunks =
                read::chunks(txn, ino, from..to)?.into_iter().map(|(index, _)| (index, None)).collect();
            let op = Op::Write {
                ino,
                version: inode.version,
                size,
                chunks,
                perm: None,
                mtime: time,
                ctime: time.unwrap_or(inode.ctime),
            };
            txn.apply(op)?;
            Ok::<_, FsError>(size)
        })?;
        self.table.freed(state.drop_chunks(from, to));
        state.attr = (!state.chunks.is_empty()).then_some(Written { size, time });
        Ok(())
    }

    /// FALLOC_FL_COLLAPSE_RANGE: cheap only where whole chunks move.
    fn collapse(&self, ino: Ino, offset: u64, len: u64) -> Result<(), FsError> {
        if !offset.is_multiple_of(self.chunk_size) || !len.is_multiple_of(self.chunk_size) {
            return Err(FsError::Invalid("collapse range is not chunk aligned"));
        }
        let permit = self.volume.enter()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        self.settle_all(&permit, &file, &mut state)?;
        let time = self.time();
        self.volume.transact(&permit, |txn| {
            let inode = inode_of(txn, ino)?;
            if offset + len >= inode.size {
                return Err(FsError::Invalid("collapse range reaches the end of the file"));
            }
            let op = Op::Collapse {
                ino,
                from: offset / self.chunk_size,
                count: len / self.chunk_size,
                version: inode.version,
                size: inode.size - len,
                mtime: time.unwrap_or(inode.mtime),
                ctime: time.unwrap_or(inode.ctime),
            };
            Ok(txn.apply(op)?)
        })
    }
}
