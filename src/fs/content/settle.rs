//! Turning dirty chunks into operations: when too much is dirty, on demand, and at the cut (see [`super::cut`]).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::MutexGuard;

use super::Content;
use super::base::inode_of;
use super::dirty::{Amount, DirtyChunk, FileState};
use super::table::{Coming, File};
use crate::base::{Ino, Timestamp};
use crate::fs::error::FsError;
use crate::meta::op::Op;
use crate::meta::record::{ChunkRef, FileKind, MAX_INLINE};
use crate::volume::Permit;

/// Bytes settled at a time when too much is dirty: one segment's worth.
pub(super) const SETTLE_STEP: u64 = 8 * 1024 * 1024;
/// Dirty chunks above which the oldest are settled, however small: each costs memory of its own (M7).
const MAX_DIRTY_CHUNKS: usize = 16_384;
/// Chunks so small that a frame of their own would cost more than the bytes.
const ALWAYS_INLINE: usize = 64;

impl Content {
    /// Waits (without locks) until `len` bytes may become dirty, and counts them as dirty until what is returned is
    /// dropped: when too much is, settles chunks of the files that have been dirty for longest, of each the first ones.
    ///
    /// The kernel writes back by requests that several threads take: what was written in order comes out of order, by some
    /// MiB. Most of what is dirty stays, and the first chunks go, by one thread at a time: so a file lies in its
    /// segments in its own order, and whoever reads it fetches whole segments.
    pub(super) fn make_room(&self, len: usize) -> Result<Coming<'_>, FsError> {
        let coming = self.table.coming(len as u64);
        if self.has_room() && !self.settling.is_locked() {
            return Ok(coming);
        }
        let turn = self.settling.lock();
        let settled = self.settle_oldest();
        // To whoever has waited for longest, not to the next that comes: who is overtaken for long writes his part of a file
        // far behind the rest.
        MutexGuard::unlock_fair(turn);
        settled.map(|()| coming)
    }

    /// Settles a segment's worth if too much is dirty. The caller has the turn.
    fn settle_oldest(&self) -> Result<(), FsError> {
        if self.has_room() {
            return Ok(());
        }
        let permit = self.volume.enter()?;
        if self.has_room() {
            return Ok(());
        }
        self.settle_step(&permit)
    }

    /// Settles a segment's worth of what has been dirty for longest. The caller has the turn.
    pub(super) fn settle_step(&self, permit: &Permit<'_>) -> Result<(), FsError> {
        for (ino, count) in self.take_oldest() {
            let Some(file) = self.table.existing(ino) else { continue };
            let mut state = file.state.lock();
            let first: Vec<u64> = state.chunks.keys().take(count).copied().collect();
            self.settle_chunks(permit, &file, &mut state, Some(&first), false)?;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        let easing = self.easing.load(Ordering::Relaxed);
        let limit = if easing { SETTLE_STEP.min(self.dirty_limit) } else { self.dirty_limit };
        self.table.occupied() < limit && self.table.queued() < MAX_DIRTY_CHUNKS
    }

    /// How many chunks of which files have been dirty for longest, about `SETTLE_STEP` bytes of them.
    fn take_oldest(&self) -> BTreeMap<Ino, usize> {
        let most = (SETTLE_STEP / self.chunk_size).max(1) as usize;
        let mut oldest: BTreeMap<Ino, usize> = BTreeMap::new();
        for _ in 0..most {
            let Some((ino, _)) = self.table.oldest() else { break };
            *oldest.entry(ino).or_default() += 1;
        }
        oldest
    }

    /// Turns the dirty data of one file into a pending op, so that its records are true.
    ///
    /// # Errors
    /// What reading and changing metadata can raise; the data stays dirty then.
    pub fn settle(&self, ino: Ino, permit: &Permit<'_>) -> Result<(), FsError> {
        if let Some(file) = self.table.existing(ino) {
            let mut state = file.state.lock();
            self.settle_all(permit, &file, &mut state)?;
        }
        self.table.sweep(ino);
        Ok(())
    }

    /// Settles everything of a locked file.
    pub(super) fn settle_all(
        &self,
        permit: &Permit<'_>,
        file: &File,
        state: &mut FileState,
    ) -> Result<(), FsError> {
        self.settle_chunks(permit, file, state, None, false)
    }

    /// Settles the chunks `only` (None: all) of a locked file. Placed chunks can be read from the data
    /// layer before the op makes them visible, so no reader finds a gap.
    pub(super) fn settle_chunks(
        &self,
        permit: &Permit<'_>,
        file: &File,
        state: &mut FileState,
        only: Option<&[u64]>,
        inline: bool,
    ) -> Result<(), FsError> {
        let Some(attr) = state.attr else { return Ok(()) };
        let mut indexes: Vec<u64> = match only {
            Some(some) => some.iter().copied().filter(|index| state.chunks.contains_key(index)).collect(),
            None => state.chunks.keys().copied().collect(),
        };
        if indexes.is_empty() && !state.chunks.is_empty() {
            return Ok(());
        }
        // The queue has them in the order of writing, ops want the order of the file.
        indexes.sort_unstable();
        let taken = take(state, &indexes);
        let bytes = taken.iter().map(|(_, _, bytes)| bytes.len() as u64).sum();
        let growth =
            taken.iter().map(|(_, recorded, bytes)| (bytes.len() as u64).saturating_sub(*recorded)).sum();
        // Before the records have it: counted twice, it could refuse a writer who has room.
        self.table.fulfil(growth);
        let placed = |(index, recorded, bytes): &(u64, u64, Bytes)| {
            // One that only became longer is a new one: files grow in pieces.
            let again = *recorded >= bytes.len() as u64;
            (*index, self.reference(bytes, again, inline))
        };
        let chunks = taken.iter().map(placed).collect();
        let written = self.record_write(permit, file.ino, attr.size, chunks, attr.time);
        if written.is_ok() {
            self.table.freed(Amount { bytes, growth: 0 });
            if state.chunks.is_empty() {
                state.attr = None;
            }
            if let Some(heard) = self.settled.get() {
                heard(file.ino);
            }
        } else {
            self.table.promise(growth);
            self.put_back(file.ino, state, taken);
        }
        written
    }

    /// The op could not be made: the chunks stay dirty, so that the next attempt finds them.
    fn put_back(&self, ino: Ino, state: &mut FileState, taken: Vec<(u64, u64, Bytes)>) {
        for (index, recorded, bytes) in taken {
            state.chunks.insert(index, DirtyChunk { bytes: bytes.to_vec().into(), recorded });
            self.table.queue(ino, index);
        }
    }

    /// Where a chunk's bytes go: nowhere if they are all zeros, into the commit if that is cheaper, else
    /// into the open segment. `again`: in place of what it held before.
    fn reference(&self, bytes: &Bytes, again: bool, inline: bool) -> Option<ChunkRef> {
        if is_zero(bytes) {
            None
        } else if bytes.len() <= ALWAYS_INLINE || (inline && bytes.len() <= MAX_INLINE) {
            Some(ChunkRef::Inline(bytes.clone()))
        } else if again {
            Some(self.volume.data().place_again(bytes.clone()))
        } else {
            Some(self.volume.data().place(bytes.clone()))
        }
    }

    /// Makes the write an op, which no quota refuses: it was asked when the bytes came. A file that another machine removed meanwhile keeps its new bytes elsewhere.
    fn record_write(
        &self,
        permit: &Permit<'_>,
        ino: Ino,
        size: u64,
        chunks: Vec<(u64, Option<ChunkRef>)>,
        time: Option<Timestamp>,
    ) -> Result<(), FsError> {
        let written = self.volume.transact(permit, |txn| {
            let inode = inode_of(txn, ino)?;
            let op = Op::Write {
                ino,
                version: inode.version,
                size,
                chunks: chunks.clone(),
                perm: None,
                mtime: time,
                ctime: time.unwrap_or(inode.ctime),
            };
            Ok(txn.apply_accepted(op)?)
        });
        match written {
            Err(FsError::Stale(_)) => {
                self.rescue(permit, ino, size, chunks, time.unwrap_or_else(|| self.volume.now()))
            }
            other => other,
        }
    }

    /// Another machine removed the file for good while bytes were dirty here: they become a file of their
    /// own in the root directory, so that nothing accepted is dropped.
    fn rescue(
        &self,
        permit: &Permit<'_>,
        lost: Ino,
        size: u64,
        chunks: Vec<(u64, Option<ChunkRef>)>,
        time: Timestamp,
    ) -> Result<(), FsError> {
        let ino = self.volume.next_ino();
        let name = Bytes::from(format!("inode {lost} (conflict, rescued as {ino})"));
        log::warn!(
            "inode {lost} was removed by another machine while being written here; its new data is in /{}",
            String::from_utf8_lossy(&name)
        );
        self.volume.transact(permit, |txn| {
            txn.apply_accepted(Op::Create {
                parent: Ino::ROOT,
                name: name.clone(),
                ino,
                kind: FileKind::Regular,
                perm: 0o600,
                uid: 0,
                gid: 0,
                rdev: 0,
                target: Bytes::new(),
                xattrs: Vec::new(),
                time,
            })?;
            let version = inode_of(txn, ino)?.version;
            let op = Op::Write {
                ino,
                version,
                size,
                chunks: chunks.clone(),
                perm: None,
                mtime: Some(time),
                ctime: time,
            };
            Ok(txn.apply_accepted(op)?)
        })
    }
}

/// Takes chunks out of a file: index, recorded length, bytes.
fn take(state: &mut FileState, indexes: &[u64]) -> Vec<(u64, u64, Bytes)> {
    let taken = indexes.iter().filter_map(|index| Some((*index, state.chunks.remove(index)?)));
    taken.map(|(index, chunk)| (index, chunk.recorded, chunk.bytes.freeze())).collect()
}

/// True for bytes that a hole reads as.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(256).all(|part| part.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::is_zero;

    #[test]
    fn one_bit_anywhere_makes_a_chunk_data() {
        let mut bytes = vec![0; 65536];
        assert!(is_zero(&bytes));
        for at in [0, 255, 256, 65535] {
            bytes[at] = 1;
            assert!(!is_zero(&bytes));
            bytes[at] = 0;
        }
    }
}
