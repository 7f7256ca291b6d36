//! fallocate(2): space, holes and zeros. Space is taken by chunks of zeros, which all refer to one stored chunk: a bucket
//! has nothing to reserve, but what was allocated counts as used from then on, so no quota refuses it later.

use bytes::Bytes;

use super::base::{Recorded, inode_of};
use super::dirty::{FileState, Written};
use super::{Content, MAX_FILE};
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::meta::op::Op;
use crate::meta::read;

/// Chunks that one op turns into holes.
const PUNCH_STEP: u64 = 65_536;
/// Chunks that one call allocates at most (8 GiB at the usual size of a chunk): each is a record of its own. What lies
/// behind them stays a hole.
const MOST_ALLOCATED: u64 = 131_072;
/// Chunks that one op allocates.
const ALLOCATE_STEP: u64 = 65_536;

impl Content {
    /// fallocate(2) with its mode bits. Allocation turns holes up to the end of the file into chunks of zeros, of
    /// very long ranges the first ones; punching and zeroing make holes of whole chunks and zeros at the edges;
    /// collapsing takes ranges of whole chunks (the kernel's FUSE does not pass that on, up to version 6.18 at
    /// least).
    ///
    /// # Errors
    /// `NoSpace` for an allocation over the quota, `NotSupported` for other modes, `Invalid` for a collapse that is
    /// not chunk aligned or reaches the end, `TooBig` past 16 TiB.
    pub fn fallocate(&self, ino: Ino, mode: i32, offset: u64, len: u64) -> Result<(), FsError> {
        const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        const ZERO_KEEP: i32 = libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE;
        if len == 0 {
            return Err(FsError::Invalid("fallocate of zero bytes"));
        }
        let end = offset.checked_add(len).filter(|end| *end <= MAX_FILE).ok_or(FsError::TooBig)?;
        match mode {
            0 => {
                self.allocate(ino, offset, end, true)?;
                self.grow(ino, end)
            }
            libc::FALLOC_FL_KEEP_SIZE => self.allocate(ino, offset, end, false),
            PUNCH | ZERO_KEEP => self.zero(ino, offset, end),
            libc::FALLOC_FL_ZERO_RANGE => {
                self.zero(ino, offset, end)?;
                self.grow(ino, end)
            }
            libc::FALLOC_FL_COLLAPSE_RANGE => self.collapse(ino, offset, len),
            _ => Err(FsError::NotSupported),
        }
    }

    /// Allocates the holes of `offset..end`, or of what lies inside the file unless it may `grow`.
    fn allocate(&self, ino: Ino, offset: u64, end: u64, grow: bool) -> Result<(), FsError> {
        let stop = if grow { end } else { end.min(self.size(ino)?) };
        let first = offset / self.chunk_size;
        let last = stop.div_ceil(self.chunk_size).min(first + MOST_ALLOCATED);
        let mut at = first;
        while at < last {
            let to = last.min(at + ALLOCATE_STEP);
            self.allocate_step(ino, (at, to), grow.then_some(end))?;
            at = to;
        }
        Ok(())
    }

    /// Allocates the holes among the chunks `from..to`; the file grows to hold them, up to `end` (None: it does not).
    fn allocate_step(&self, ino: Ino, (from, to): (u64, u64), end: Option<u64>) -> Result<(), FsError> {
        let permit = self.volume.enter()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        let now = state.attr.map_or(self.record(ino)?.size, |attr| attr.size);
        let size = end.map_or(now, |end| now.max(end.min(to * self.chunk_size)));
        let holes = self.holes(ino, &state, from, to.min(size.div_ceil(self.chunk_size)))?;
        if holes.is_empty() {
            return Ok(());
        }
        let valid = |index: u64| self.chunk_size.min(size - index * self.chunk_size);
        self.check_quota(holes.iter().map(|index| valid(*index)).sum())?;
        let zeros = self.volume.data().place(Bytes::from(vec![0; self.chunk_size as usize]));
        let chunks: Vec<_> =
            holes.into_iter().map(|index| (index, zeros.clone().cut(valid(index)))).collect();
        let time = self.time();
        self.volume.transact(&permit, |txn| {
            let inode = inode_of(txn, ino)?;
            let (version, ctime) = (inode.version, time.unwrap_or(inode.ctime));
            let chunks = chunks.clone();
            Ok::<_, FsError>(txn.apply(Op::Write {
                ino,
                version,
                size,
                chunks,
                perm: None,
                mtime: time,
                ctime,
            })?)
        })?;
        state.attr = (!state.chunks.is_empty()).then_some(Written { size, time });
        Ok(())
    }

    /// Which of the chunks `from..to` have neither a record nor dirty bytes.
    fn holes(&self, ino: Ino, state: &FileState, from: u64, to: u64) -> Result<Vec<u64>, FsError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let recorded = self.volume.read(|view| Ok::<_, FsError>(read::chunks(view, ino, from..to)?))?;
        let mut recorded = recorded.into_iter().map(|(index, _)| index).peekable();
        let is_hole = |index: &u64| recorded.next_if_eq(index).is_none() && !state.chunks.contains_key(index);
        Ok((from..to).filter(is_hole).collect())
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
