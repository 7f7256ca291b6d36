//! Conflict copies: the whole content of a file as this machine saw it, beside the one others made.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::conflict::{Conflicts, Place, show};
use super::error::VolumeError;
use super::state::Layers;
use crate::base::Ino;
use crate::meta::apply::ApplyError;
use crate::meta::op::{MAX_OP_CHUNKS, Op};
use crate::meta::read;
use crate::meta::record::{ChunkRef, FileKind, Inode};
use crate::meta::tree::TreeRoot;
use crate::meta::view::View;

/// Entries of a directory that are looked through for a file's name.
const MOST_LOOKED_THROUGH: usize = 200_000;

/// Chunks of a file by their indexes.
type Chunks = Vec<(u64, ChunkRef)>;

impl Conflicts<'_> {
    /// Copies content, attributes and extended attributes of `ino`, as this machine saw it after everything it did,
    /// into a new file: at `wanted` if that is free, else under a conflict name beside the file. Later changes of
    /// the inode are part of the copy. What has no name here needs none.
    pub(super) fn copy_content(&mut self, ino: Ino, wanted: Option<Place>) -> Result<(), VolumeError> {
        if !self.mark_copied(ino) {
            return Ok(());
        }
        self.torn.set(false);
        let seen = self.old_view(|view| Ok(read::inode(view, ino)?))?;
        let Some(seen) = seen.filter(|inode| inode.nlink > 0 && inode.kind == FileKind::Regular) else {
            return Ok(());
        };
        let name = self.name_of(ino, &seen)?;
        let place = match wanted {
            Some(wanted) if self.is_directory(wanted.0)? && self.entry_at(&wanted)?.is_none() => wanted,
            Some(wanted) => self.free_place(&wanted)?,
            None => self.free_place(&name)?,
        };
        self.next_transaction();
        match self.write_copy(ino, &seen, &place)? {
            Ok(()) => {
                let rest = match self.torn.get() {
                    true => {
                        ", which has only what was changed here: gc on another machine has deleted the rest"
                    }
                    false => "",
                };
                let (name, place) = (show(&name.1), show(&place.1));
                self.story(format!("{name} was changed here and there: see {place}{rest}"));
            }
            Err(error) => {
                return Err(VolumeError::Corrupt(format!(
                    "the conflict copy of inode {ino} does not apply: {error}"
                )));
            }
        }
        self.next_transaction();
        Ok(())
    }

    fn write_copy(
        &mut self,
        ino: Ino,
        seen: &Inode,
        place: &Place,
    ) -> Result<Result<(), ApplyError>, VolumeError> {
        let copy = self.volume.next_ino();
        let create = Op::Create {
            parent: place.0,
            name: place.1.clone(),
            ino: copy,
            kind: FileKind::Regular,
            perm: seen.perm,
            uid: seen.uid,
            gid: seen.gid,
            rdev: 0,
            target: Bytes::new(),
            xattrs: Vec::new(),
            time: self.now,
        };
        let mut ops = vec![create];
        ops.extend(self.xattrs(ino)?.into_iter().map(|(name, value)| Op::SetXattr {
            ino: copy,
            name,
            value,
            create: None,
            perm: None,
            ctime: self.now,
        }));
        for op in ops {
            if let Err(error) = self.try_apply(op)? {
                return Ok(Err(error));
            }
        }
        let mut version = 0;
        let mut from = 0;
        loop {
            let (chunks, next) = self.chunks_from(ino, from)?;
            let op = Op::Write {
                ino: copy,
                version,
                // Holes included: the size is right from the first step on.
                size: seen.size,
                chunks: chunks.into_iter().map(|(index, chunk)| (index, Some(chunk))).collect(),
                perm: Some(seen.perm),
                mtime: Some(seen.mtime),
                ctime: self.now,
            };
            if let Err(error) = self.try_apply(op)? {
                return Ok(Err(error));
            }
            version += 1;
            match next {
                Some(next) => from = next,
                None => return Ok(Ok(())),
            }
            self.next_transaction();
        }
    }

    /// As many chunks as one op may carry, and where to go on.
    fn chunks_from(&self, ino: Ino, from: u64) -> Result<(Chunks, Option<u64>), VolumeError> {
        self.old_view(|view| {
            let (mut chunks, mut next) = (Chunks::new(), None);
            read::each_chunk(view, ino, from..u64::MAX, &mut |index, chunk| {
                if chunks.len() == MAX_OP_CHUNKS / 4 {
                    next = Some(index);
                    return ControlFlow::Break(());
                }
                chunks.push((index, chunk));
                ControlFlow::Continue(())
            })?;
            Ok((chunks, next))
        })
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<(Bytes, Bytes)>, VolumeError> {
        self.old_view(|view| {
            let mut found = Vec::new();
            for name in read::xattr_names(view, ino)? {
                if let Some(value) = read::xattr(view, ino, &name)? {
                    found.push((name, value));
                }
            }
            Ok(found)
        })
    }

    /// A clone from a file that others changed: what it made of the file here, spelled out.
    pub(super) fn clone_as_write(&self, op: Op) -> Result<Op, VolumeError> {
        let Op::Clone { ino, to, count, version, size, mtime, ctime, .. } = op else { return Ok(op) };
        let chunk_size = u64::from(self.volume.chunk_size());
        let end = (to + count).min(size.div_ceil(chunk_size));
        let chunks = self.old_view(|view| {
            let mut chunks: Vec<(u64, Option<ChunkRef>)> = (to..end).map(|index| (index, None)).collect();
            for (index, chunk) in read::chunks(view, ino, to..end)? {
                chunks[(index - to) as usize].1 = Some(chunk);
            }
            Ok(chunks)
        })?;
        Ok(Op::Write { ino, version, size, chunks, perm: None, mtime: Some(mtime), ctime })
    }

    /// Where a file stands: in the new state if it is still there, else where it stood here.
    fn name_of(&self, ino: Ino, seen: &Inode) -> Result<Place, VolumeError> {
        let present = self.replay.read(|view| Ok(read::inode(view, ino)?))?;
        if let Some(present) = present
            && let Some(name) = self.replay.read(|view| find_name(view, present.parent, ino))?
        {
            return Ok((present.parent, name));
        }
        let name = self.old_view(|view| find_name(view, seen.parent, ino))?;
        Ok((seen.parent, name.unwrap_or_else(|| Bytes::from(format!("inode {ino}")))))
    }

    /// Reads what all that was acknowledged here had made. Where that lay in the tree and gc has deleted it, what was written
    /// since has to do.
    fn old_view<T>(&self, mut f: impl FnMut(&dyn View) -> Result<T, VolumeError>) -> Result<T, VolumeError> {
        let packs = &self.volume.packs;
        match self.old.read(packs, &mut f) {
            Err(error) if error.is_gone() => {
                log::warn!("{error}; what a file was here is not known any more but for what was written");
                self.torn.set(true);
                let written = Layers { base: TreeRoot::EMPTY, overlays: self.old.overlays.clone() };
                written.read(packs, f)
            }
            outcome => outcome,
        }
    }
}

/// The name of an inode in a directory, if it is among the first entries.
fn find_name(view: &dyn View, parent: Ino, ino: Ino) -> Result<Option<Bytes>, VolumeError> {
    let (mut found, mut looked) = (None, 0);
    read::list(view, parent, 0, &mut |entry| {
        looked += 1;
        if entry.dentry.ino == ino {
            found = Some(entry.name);
        }
        if found.is_some() || looked == MOST_LOOKED_THROUGH {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(found)
}
