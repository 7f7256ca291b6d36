//! copy_file_range(2): whole chunks are shared, only ragged ends are copied.

use super::Content;
use super::MAX_FILE;
use super::base::inode_of;
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::meta::op::Op;
use crate::meta::read;

/// Bytes copied at a time where chunks cannot be shared.
const COPY_STEP: u64 = 1 << 20;

/// A copy of so much, in bytes, ends with a whole chunk where the source goes on: the kernel cuts longer ones at 2 GiB less a
/// page (MAX_RW_COUNT), in the middle of a chunk, which would be copied in two pieces and sent. Who copies that much comes
/// again for the rest, as copy_file_range(2) says.
const LONG: u64 = 1 << 30;

/// A copy that is under way.
struct Range {
    source: Ino,
    from: u64,
    target: Ino,
    to: u64,
    len: u64,
}

impl Content {
    /// Copies up to `len` bytes (fewer at the end of the source, of the quota, at 16 TiB, and of very many); returns how many.
    ///
    /// # Errors
    /// `TooBig` from 16 TiB on, `NoSpace` where the quota has no room at all, `Invalid` when ranges of one file overlap.
    pub fn copy_range(&self, source: Ino, from: u64, target: Ino, to: u64, len: u64) -> Result<u64, FsError> {
        let left = self.size(source)?.saturating_sub(from);
        let len = len.min(left);
        if len > 0 && to >= MAX_FILE {
            return Err(FsError::TooBig);
        }
        let len = len.min(MAX_FILE.saturating_sub(to));
        if source == target && from < to + len && to < from + len {
            return Err(FsError::Invalid("copy ranges overlap"));
        }
        if len == 0 {
            return Ok(0);
        }
        let range = Range { source, from, target, to, len };
        if from % self.chunk_size != to % self.chunk_size {
            return self.copy_bytes(&range);
        }
        let len = if len >= LONG && len < left { len - (from + len) % self.chunk_size } else { len };
        let head = (self.chunk_size - from % self.chunk_size) % self.chunk_size;
        let head = head.min(len);
        let mut done = self.copy_bytes(&Range { len: head, ..range })?;
        if done < head {
            return Ok(done);
        }
        for step in [Self::share, Self::copy_bytes] {
            let rest = Range { source, from: from + done, target, to: to + done, len: len - done };
            match step(self, &rest) {
                Ok(more) => done += more,
                Err(FsError::NoSpace) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Through memory. Ends early where the source does or the quota is reached.
    fn copy_bytes(&self, range: &Range) -> Result<u64, FsError> {
        let mut done = 0;
        while done < range.len {
            let step = COPY_STEP.min(range.len - done) as u32;
            let bytes = self.read(range.source, range.from + done, step)?;
            if bytes.is_empty() {
                break;
            }
            match self.write(range.target, range.to + done, &bytes, false) {
                Err(FsError::NoSpace) if done > 0 => break,
                written => {
                    written?;
                }
            }
            done += bytes.len() as u64;
        }
        Ok(done)
    }

    /// Shares the whole chunks of an aligned range in one op, its last partial chunk too where source and
    /// target both end there; returns how many bytes that covered.
    fn share(&self, range: &Range) -> Result<u64, FsError> {
        let permit = self.volume.enter()?;
        self.settle(range.source, &permit)?;
        let file = self.table.file(range.target);
        let mut state = file.state.lock();
        self.settle_all(&permit, &file, &mut state)?;
        let time = self.time();
        self.volume.transact(&permit, |txn| {
            let source = inode_of(txn, range.source)?;
            let target = inode_of(txn, range.target)?;
            let ends = range.from + range.len >= source.size && range.to + range.len >= target.size;
            let count = if ends { range.len.div_ceil(self.chunk_size) } else { range.len / self.chunk_size };
            if count == 0 {
                return Ok(0);
            }
            let covered = range.len.min(count * self.chunk_size);
            let before = read::superblock(txn)?.allocated;
            txn.apply(Op::Clone {
                source: range.source,
                from: range.from / self.chunk_size,
                ino: range.target,
                to: range.to / self.chunk_size,
                count,
                version: target.version,
                size: target.size.max(range.to + covered),
                mtime: time.unwrap_or(target.mtime),
                ctime: time.unwrap_or(target.ctime),
            })?;
            let after = read::superblock(txn)?;
            if after.allocated > before {
                self.check_room(&after, 0)?;
            }
            Ok(covered)
        })
    }
}
