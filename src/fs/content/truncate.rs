//! Changing a file's size.

use super::base::inode_of;
use super::dirty::{FileState, Written};
use super::table::File;
use super::{Content, MAX_FILE};
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::meta::key;
use crate::meta::op::Op;
use crate::volume::Permit;

/// Chunks that one op may cut off: what lies further back goes in steps before.
const CUT_STEP: usize = 65_536;

impl Content {
    /// truncate(2): sets the size; what was cut off reads as zeros if the file grows again. A file of
    /// more than 65,536 chunks past `size` shrinks in several ops, each of which a crash may leave last.
    ///
    /// # Errors
    /// `TooBig` past 16 TiB, `Stale` when the file is gone.
    pub fn truncate(&self, ino: Ino, size: u64, perm: Option<u16>) -> Result<(), FsError> {
        if size > MAX_FILE {
            return Err(FsError::TooBig);
        }
        for step in self.cut_steps(ino, size)? {
            self.resize(ino, step, None)?;
        }
        self.resize(ino, size, perm)
    }

    fn resize(&self, ino: Ino, size: u64, perm: Option<u16>) -> Result<(), FsError> {
        let permit = self.volume.enter()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        self.set_size(&permit, &file, &mut state, size, perm)?;
        drop(state);
        drop(file);
        self.table.sweep(ino);
        Ok(())
    }

    /// Sets the size if it is smaller than that.
    pub(super) fn grow(&self, ino: Ino, size: u64) -> Result<(), FsError> {
        let permit = self.volume.enter()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        let now = match state.attr {
            Some(attr) => attr.size,
            None => self.record(ino)?.size,
        };
        if now < size {
            self.set_size(&permit, &file, &mut state, size, None)?;
        }
        Ok(())
    }

    /// Sets the size of a locked file, in its records and in its dirty data.
    fn set_size(
        &self,
        permit: &Permit<'_>,
        file: &File,
        state: &mut FileState,
        size: u64,
        perm: Option<u16>,
    ) -> Result<(), FsError> {
        let time = self.time();
        let ino = file.ino;
        self.volume.transact(permit, |txn| {
            let inode = inode_of(txn, ino)?;
            let (version, ctime) = (inode.version, time.unwrap_or(inode.ctime));
            let op = Op::Write { ino, version, size, chunks: Vec::new(), perm, mtime: time, ctime };
            Ok::<_, FsError>(txn.apply(op)?)
        })?;
        self.table.freed(state.cut(size, self.chunk_size));
        state.attr = (!state.chunks.is_empty()).then_some(Written { size, time });
        Ok(())
    }

    /// Sizes to shrink to first, largest first, so that no op cuts more than `CUT_STEP` chunks.
    fn cut_steps(&self, ino: Ino, size: u64) -> Result<Vec<u64>, FsError> {
        let first = size.div_ceil(self.chunk_size);
        self.volume.read(|view| {
            let mut steps = Vec::new();
            let mut seen = 0_usize;
            view.scan(&key::chunk(ino, first), &key::chunk(ino, u64::MAX), &mut |found, _| {
                seen += 1;
                if seen.is_multiple_of(CUT_STEP)
                    && let Some((_, index)) = key::parse_chunk(found)
                {
                    steps.push((index + 1) * self.chunk_size);
                }
                std::ops::ControlFlow::Continue(())
            })?;
            steps.reverse();
            Ok::<_, FsError>(steps)
        })
    }
}
