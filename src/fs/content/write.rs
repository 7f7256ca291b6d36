//! write(2) and appending.

use bytes::Bytes;

use super::base::Recorded;
use super::dirty::{DirtyChunk, Written};
use super::table::File;
use super::{Content, FileState, MAX_FILE};
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::fs::set_id::without_set_id;
use crate::meta::op::Op;
use crate::meta::record::Inode;
use crate::object::Buffer;
use crate::volume::Permit;

/// Where a write goes.
#[derive(Clone, Copy)]
enum Position {
    At(u64),
    End,
}

/// What a chunk held before the write, looked up before the file was locked.
struct Base {
    index: u64,
    recorded: Recorded,
    /// The bytes; empty where the write covers them all.
    bytes: Bytes,
}

impl Content {
    /// Writes `data` at `offset`; returns how many bytes, which are fewer only where the largest file ends.
    /// Visible here when it returns, in the bucket after the next commit. Waits first, without locks, while too
    /// much is dirty or on its way to the bucket.
    ///
    /// # Errors
    /// `TooBig` from 16 TiB on, `NoSpace` over the quota, `Stale` when the file is gone, and what reading
    /// the rest of a partly written chunk can raise. Nothing was written then.
    pub fn write(&self, ino: Ino, offset: u64, data: &[u8], kill_priv: bool) -> Result<usize, FsError> {
        self.write_somewhere(ino, Position::At(offset), data, kill_priv)
    }

    /// Writes `data` at the end of the file, atomically with other appends; returns how many bytes.
    ///
    /// # Errors
    /// As `write`.
    pub fn append(&self, ino: Ino, data: &[u8], kill_priv: bool) -> Result<usize, FsError> {
        self.write_somewhere(ino, Position::End, data, kill_priv)
    }

    fn write_somewhere(
        &self,
        ino: Ino,
        position: Position,
        data: &[u8],
        kill_priv: bool,
    ) -> Result<usize, FsError> {
        loop {
            if let Some(written) = self.try_write(ino, position, data, kill_priv)? {
                return Ok(written);
            }
        }
    }

    /// One attempt: reads what it must without locks, then writes if the file is still what it was (else None).
    fn try_write(
        &self,
        ino: Ino,
        position: Position,
        data: &[u8],
        kill_priv: bool,
    ) -> Result<Option<usize>, FsError> {
        if data.is_empty() {
            return Ok(Some(0));
        }
        let _coming = self.make_room(data.len())?;
        let seen = self.record(ino)?;
        let offset = match position {
            Position::At(offset) => offset,
            Position::End => self.size(ino)?,
        };
        let room = MAX_FILE.checked_sub(offset).filter(|room| *room > 0).ok_or(FsError::TooBig)?;
        let data = &data[..room.min(data.len() as u64) as usize];
        let end = offset + data.len() as u64;
        let bases = self.bases(ino, &seen, offset, end)?;

        // There is room for it among what is dirty.
        let permit = self.volume.enter_with_dirty_data()?;
        let file = self.table.file(ino);
        let mut state = file.state.lock();
        let record = self.record(ino)?;
        let size = state.attr.map_or(record.size, |attr| attr.size);
        // A chunk that was dirty a moment ago and is not any more was settled or cut: the version tells.
        let raced = record.version != seen.version;
        let outrun = matches!(position, Position::End) && offset != size;
        if raced || outrun {
            return Ok(None);
        }
        if kill_priv {
            self.drop_set_id(&permit, ino, &record)?;
        }
        self.promise(self.growth(&state, &bases, offset, data.len()))?;
        self.merge(&file, &mut state, &bases, offset, data);
        state.attr = Some(Written { size: size.max(end), time: self.time() });
        Ok(Some(data.len()))
    }

    /// Looks up what the chunks hold that the write makes dirty, and fetches what it leaves in place.
    fn bases(&self, ino: Ino, seen: &Inode, offset: u64, end: u64) -> Result<Vec<Base>, FsError> {
        // Past the end nothing is recorded: appending does not look.
        let stop = end.min(seen.size).div_ceil(self.chunk_size);
        let fresh: Vec<u64> =
            (offset / self.chunk_size..stop).filter(|index| !self.is_dirty(ino, *index)).collect();
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { return Ok(Vec::new()) };
        let mut bases = Vec::new();
        for (index, recorded) in self.recorded(ino, *first, last + 1)? {
            let start = index * self.chunk_size;
            let covered = offset <= start && end >= seen.size.min(start + self.chunk_size);
            let bytes = if covered {
                Bytes::new()
            } else if let Some(bytes) = self.in_memory(&recorded) {
                bytes
            } else if self.is_dirty(ino, index) {
                // Another write came first, and what was there went with it.
                continue;
            } else {
                self.fetch(std::slice::from_ref(&recorded))?.pop().unwrap_or_default()
            };
            bases.push(Base { index, recorded, bytes });
        }
        Ok(bases)
    }

    fn is_dirty(&self, ino: Ino, index: u64) -> bool {
        self.table.existing(ino).is_some_and(|file| file.state.lock().chunks.contains_key(&index))
    }

    /// Copies `data` into dirty chunks; the file is locked, and what it adds was promised.
    fn merge(&self, file: &File, state: &mut FileState, bases: &[Base], offset: u64, data: &[u8]) {
        let mut grown = 0;
        let mut rest = data;
        for (index, within, len) in self.pieces(offset, data.len()) {
            let (part, more) = rest.split_at(len);
            let chunk = state.chunks.entry(index).or_insert_with(|| {
                self.table.queue(file.ino, index);
                let base = bases.iter().find(|base| base.index == index);
                let bytes = self.buffer(base.map_or(&[], |base| &base.bytes), within + len);
                grown += bytes.len() as u64;
                // Not before: an attempt that was outrun reads it once more.
                if let Some(want) = base.and_then(|base| base.recorded.want()) {
                    self.volume.data().overwritten(want.segment, want.number);
                }
                DirtyChunk { bytes, recorded: base.map_or(0, |base| base.recorded.len()) }
            });
            grown += overwrite(&mut chunk.bytes, within, part);
            rest = more;
        }
        self.table.grew(grown);
    }

    /// Memory for a chunk that begins with `base` and becomes `len` bytes long, or longer.
    fn buffer(&self, base: &[u8], len: usize) -> Buffer {
        let len = len.max(base.len());
        let whole = self.chunk_size as usize;
        let mut bytes = self.buffers.take(if len < whole / 4 * 3 { len } else { whole });
        bytes.extend_from_slice(base);
        bytes
    }

    /// By how much `merge` will let the records grow.
    fn growth(&self, state: &FileState, bases: &[Base], offset: u64, len: usize) -> u64 {
        let of = |(index, within, len): (u64, usize, usize)| {
            let end = (within + len) as u64;
            if let Some(chunk) = state.chunks.get(&index) {
                let after = end.max(chunk.bytes.len() as u64);
                return after.saturating_sub(chunk.recorded) - chunk.growth();
            }
            let base = bases.iter().find(|base| base.index == index);
            base.map_or(end, |base| end.max(base.bytes.len() as u64).saturating_sub(base.recorded.len()))
        };
        self.pieces(offset, len).map(of).sum()
    }

    /// The chunks that `len` bytes at `offset` fall into: index, place within the chunk, length.
    fn pieces(&self, offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let (chunk_size, end) = (self.chunk_size, offset + len as u64);
        let mut at = offset;
        std::iter::from_fn(move || {
            let (index, within) = (at / chunk_size, at % chunk_size);
            let part = (chunk_size - within).min(end - at);
            at += part;
            (part > 0).then_some((index, within as usize, part as usize))
        })
    }

    /// write(2): an unprivileged write takes set-id bits away. The writer counts as a member of the file's group:
    /// the kernel itself takes a set-group-id bit that means locking from files of others.
    fn drop_set_id(&self, permit: &Permit<'_>, ino: Ino, record: &Inode) -> Result<(), FsError> {
        let Some(perm) = without_set_id(record, || true) else { return Ok(()) };
        let ctime = self.volume.now();
        self.volume.transact(permit, |txn| {
            let op =
                Op::SetAttr { ino, perm: Some(perm), uid: None, gid: None, atime: None, mtime: None, ctime };
            Ok(txn.apply(op)?)
        })
    }
}

/// Puts `part` at `at`, with zeros before it where the chunk was shorter; returns by how much it grew.
fn overwrite(chunk: &mut Vec<u8>, at: usize, part: &[u8]) -> u64 {
    let before = chunk.len();
    if chunk.len() < at {
        chunk.resize(at, 0);
    }
    let inside = part.len().min(chunk.len() - at);
    chunk[at..at + inside].copy_from_slice(&part[..inside]);
    chunk.extend_from_slice(&part[inside..]);
    (chunk.len() - before) as u64
}

#[cfg(test)]
mod tests {
    use super::overwrite;

    #[test]
    fn a_write_past_the_end_of_a_chunk_leaves_zeros_between() {
        let mut chunk = vec![1, 2];
        assert_eq!(overwrite(&mut chunk, 4, &[9]), 3);
        assert_eq!(chunk, [1, 2, 0, 0, 9]);
    }

    #[test]
    fn a_write_inside_a_chunk_keeps_what_surrounds_it() {
        let mut chunk = vec![1, 2, 3, 4];
        assert_eq!(overwrite(&mut chunk, 1, &[8, 9]), 0);
        assert_eq!(chunk, [1, 8, 9, 4]);
        assert_eq!(overwrite(&mut chunk, 3, &[5, 6]), 1);
        assert_eq!(chunk, [1, 8, 9, 5, 6]);
    }
}
