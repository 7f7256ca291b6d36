//! rename, over nothing, over something, and in exchange.
use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::op::{LastLink, Op};
use crate::meta::record::{Dentry, FileKind};
use crate::meta::view::ReadError;

use super::ApplyError;
use super::edit::Edit;
use super::remove::{lose_directory, lose_name, require_empty_directory};

/// Both ends of a move, looked up and found as the caller saw them.
struct Move<'o> {
    from: Ino,
    name: &'o [u8],
    moved: Dentry,
    to: Ino,
    new_name: &'o [u8],
    replaced: Option<Dentry>,
    time: Timestamp,
}

pub(super) fn rename(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::Rename { from, name, ino, to, new_name, replaced: seen, exchange, last, time } = op else {
        return Ok(());
    };
    let moved = edit.expected_entry(*from, name, *ino)?;
    let replaced = edit.entry(*to, new_name)?;
    match (replaced, seen) {
        (Some(_), None) => return Err(ApplyError::Exists),
        (None, Some(_)) if *exchange => return Err(ApplyError::NoEntry),
        (replaced, seen) if replaced.map(|dentry| dentry.ino) != *seen => return Err(ApplyError::Changed),
        // "If oldpath and newpath are existing hard links referring to the same file, then rename() does
        // nothing, and returns a success status": rename(2).
        (Some(replaced), _) if replaced.ino == moved.ino => return Ok(()),
        _ => {}
    }
    let ends = Move { from: *from, name, moved, to: *to, new_name, replaced, time: *time };
    match replaced {
        Some(other) if *exchange => swap(edit, &ends, other),
        _ => replace(edit, &ends, *last),
    }
}

/// The entry moves; what stood at its new name goes.
fn replace(edit: &mut Edit<'_, '_>, ends: &Move<'_>, last: LastLink) -> Result<(), ApplyError> {
    let Move { from, name, moved, to, new_name, replaced, time } = *ends;
    if let Some(replaced) = replaced {
        match (moved.kind, replaced.kind) {
            (FileKind::Directory, FileKind::Directory) => require_empty_directory(edit, replaced.ino)?,
            (FileKind::Directory, _) => return Err(ApplyError::NotDirectory),
            (_, FileKind::Directory) => return Err(ApplyError::IsDirectory),
            _ => {}
        }
    }
    refuse_loop(edit, moved, from, to)?;
    edit.txn.remove(key::dentry(from, name));
    edit.entry_removed(from, moved.kind, time)?;
    if let Some(replaced) = replaced {
        edit.entry_removed(to, replaced.kind, time)?;
        match replaced.kind {
            FileKind::Directory => lose_directory(edit, replaced.ino, time)?,
            _ => lose_name(edit, replaced.ino, last, time)?,
        }
    }
    edit.put_entry(to, new_name, moved.ino, moved.kind);
    edit.entry_added(to, moved.kind, time)?;
    arrive(edit, moved.ino, to, time)
}

/// Both entries stay and swap their inodes.
fn swap(edit: &mut Edit<'_, '_>, ends: &Move<'_>, other: Dentry) -> Result<(), ApplyError> {
    let Move { from, name, moved, to, new_name, time, .. } = *ends;
    refuse_loop(edit, moved, from, to)?;
    refuse_loop(edit, other, to, from)?;
    // Both leave before one arrives, so that no directory passes the limit of links on the way.
    edit.entry_removed(from, moved.kind, time)?;
    edit.entry_removed(to, other.kind, time)?;
    edit.put_entry(to, new_name, moved.ino, moved.kind);
    edit.put_entry(from, name, other.ino, other.kind);
    edit.entry_added(to, moved.kind, time)?;
    edit.entry_added(from, other.kind, time)?;
    arrive(edit, moved.ino, to, time)?;
    arrive(edit, other.ino, from, time)
}

fn arrive(edit: &mut Edit<'_, '_>, ino: Ino, parent: Ino, time: Timestamp) -> Result<(), ApplyError> {
    let inode = edit.inode_mut(ino)?;
    inode.parent = parent;
    inode.ctime = time;
    Ok(())
}

/// A directory must not become its own ancestor: walks from the new parent to the root. Damaged parents that
/// go in circles are noticed by a mark that moves on after 1, 2, 4, 8, … steps (Brent).
fn refuse_loop(edit: &mut Edit<'_, '_>, moved: Dentry, from: Ino, to: Ino) -> Result<(), ApplyError> {
    if moved.kind != FileKind::Directory || from == to {
        return Ok(());
    }
    let (mut at, mut mark) = (to, to);
    let (mut steps, mut limit) = (0_u64, 1_u64);
    while at != Ino::ROOT {
        if at == moved.ino {
            return Err(ApplyError::Loop);
        }
        at = edit.ancestor(at)?;
        if at == mark {
            return Err(ReadError::Corrupt(format!("the parents of inode {to} go in circles")).into());
        }
        steps += 1;
        if steps == limit {
            (mark, steps, limit) = (at, 0, limit.saturating_mul(2));
        }
    }
    Ok(())
}
