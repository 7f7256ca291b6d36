//! Making an op speak of the inodes and names of the new state.

use std::collections::HashMap;

use bytes::Bytes;

use super::conflict::Place;
use crate::base::Ino;
use crate::meta::op::{LastLink, Op};

/// The op with every inode number that has changed.
pub(super) fn renumber(mut op: Op, numbers: &HashMap<Ino, Ino>) -> Op {
    if numbers.is_empty() {
        return op;
    }
    let change = |ino: &mut Ino| {
        if let Some(new) = numbers.get(ino) {
            *ino = *new;
        }
    };
    match &mut op {
        Op::Create { parent, ino, .. }
        | Op::Link { parent, ino, .. }
        | Op::Unlink { parent, ino, .. }
        | Op::Rmdir { parent, ino, .. } => {
            change(parent);
            change(ino);
        }
        Op::Rename { from, ino, to, replaced, .. } => {
            [from, ino, to].into_iter().for_each(change);
            replaced.iter_mut().for_each(change);
        }
        Op::Clone { source, ino, .. } => {
            change(source);
            change(ino);
        }
        Op::SetAttr { ino, .. }
        | Op::Write { ino, .. }
        | Op::Collapse { ino, .. }
        | Op::SetXattr { ino, .. }
        | Op::RemoveXattr { ino, .. }
        | Op::Reap { ino }
        | Op::Relocate { ino, .. } => change(ino),
        Op::AddSegment { .. }
        | Op::RemoveSegments { .. }
        | Op::OpenSession { .. }
        | Op::CloseSession { .. }
        | Op::Condemn { .. }
        | Op::Pardon { .. }
        | Op::PublishBoundary { .. }
        | Op::SetQuota { .. } => {}
    }
    op
}

/// Ops that name this session's slot name the one it has now.
pub(super) fn move_slot(op: &mut Op, from: u32, to: u32) {
    match op {
        Op::Unlink { last, .. } | Op::Rename { last, .. } if *last == LastLink::Keep(from) => {
            *last = LastLink::Keep(to);
        }
        Op::CloseSession { slot } if *slot == from => *slot = to,
        _ => {}
    }
}

/// Ops that name an entry by place and inode find it where it stands now.
pub(super) fn follow_names(op: &mut Op, moved: &HashMap<(Place, Ino), Place>) {
    if moved.is_empty() {
        return;
    }
    let follow = |parent: &mut Ino, name: &mut Bytes, ino: Ino| {
        if let Some(place) = moved.get(&((*parent, name.clone()), ino)) {
            (*parent, *name) = place.clone();
        }
    };
    match op {
        Op::Unlink { parent, name, ino, .. } | Op::Rmdir { parent, name, ino, .. } => {
            follow(parent, name, *ino)
        }
        Op::Rename { from, name, ino, to, new_name, replaced, .. } => {
            follow(from, name, *ino);
            if let Some(replaced) = replaced {
                follow(to, new_name, *replaced);
            }
        }
        _ => {}
    }
}
