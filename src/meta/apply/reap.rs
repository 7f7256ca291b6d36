//! Taking an inode without a name away, at once or in steps.
use std::ops::ControlFlow;

use crate::base::Ino;
use crate::meta::key;
use crate::meta::op::REAP_STEP;
use crate::meta::read;
use crate::meta::record::{ChunkRef, Orphan};
use crate::meta::view::View;

use super::ApplyError;
use super::edit::{Edit, subtract};

/// Records of an inode besides its own: keys of chunks and xattrs, and the bytes of those chunks.
pub(super) struct Parts {
    keys: Vec<Vec<u8>>,
    bytes: u64,
    /// Whether these are all.
    pub complete: bool,
}

/// The first `limit` chunks and xattrs of an inode. What the inode says it lacks is not searched for.
pub(super) fn parts(edit: &mut Edit<'_, '_>, ino: Ino, limit: usize) -> Result<Parts, ApplyError> {
    let mut parts = Parts { keys: Vec::new(), bytes: 0, complete: true };
    let inode = edit.any_inode_mut(ino)?;
    let (has_chunks, has_xattrs) = (inode.allocated > 0, inode.has_xattrs);
    if has_chunks {
        add_chunks(edit, ino, limit, &mut parts)?;
    }
    if has_xattrs {
        add_xattrs(edit, ino, limit, &mut parts)?;
    }
    Ok(parts)
}

fn add_chunks(edit: &Edit<'_, '_>, ino: Ino, limit: usize, parts: &mut Parts) -> Result<(), ApplyError> {
    read::each_chunk(edit.txn, ino, 0..u64::MAX, &mut |index, chunk: ChunkRef| {
        if parts.keys.len() == limit {
            parts.complete = false;
            return ControlFlow::Break(());
        }
        parts.keys.push(key::chunk(ino, index));
        // 16384 chunks of 128 KiB at most: far from overflow.
        parts.bytes += chunk.len();
        ControlFlow::Continue(())
    })?;
    Ok(())
}

fn add_xattrs(edit: &Edit<'_, '_>, ino: Ino, limit: usize, parts: &mut Parts) -> Result<(), ApplyError> {
    let (start, end) = key::xattrs(ino);
    edit.txn.scan(&start, &end, &mut |key, _| {
        if parts.keys.len() == limit {
            parts.complete = false;
            return ControlFlow::Break(());
        }
        parts.keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Removes all parts of an inode and the inode.
pub(super) fn take_all(edit: &mut Edit<'_, '_>, ino: Ino, parts: Parts) -> Result<(), ApplyError> {
    take(edit, ino, parts)?;
    edit.remove_inode(ino);
    subtract(&mut edit.superblock_mut()?.inodes, 1, "the volume's inodes")
}

fn take(edit: &mut Edit<'_, '_>, ino: Ino, parts: Parts) -> Result<(), ApplyError> {
    subtract(&mut edit.any_inode_mut(ino)?.allocated, parts.bytes, "the bytes of an inode")?;
    for key in parts.keys {
        edit.txn.remove(key);
    }
    edit.charge(0, parts.bytes)
}

/// One step. An orphan of another session that is still open stays: a file is in use there.
pub(super) fn reap(edit: &mut Edit<'_, '_>, ino: Ino) -> Result<(), ApplyError> {
    edit.any_inode_mut(ino)?;
    let slot = read::orphan(edit.txn, ino)?.ok_or(ApplyError::Changed)?.slot;
    let own = slot == 0 || slot == edit.context.slot;
    if !own && read::session(edit.txn, slot)?.is_some() {
        return Err(ApplyError::Changed);
    }
    let parts = parts(edit, ino, REAP_STEP)?;
    if parts.complete {
        edit.txn.remove(key::orphan(ino));
        return take_all(edit, ino, parts);
    }
    // Half of its content is gone: from here on it exists for nobody.
    edit.txn.put(key::orphan(ino), Orphan { slot: 0 }.encode());
    take(edit, ino, parts)
}
