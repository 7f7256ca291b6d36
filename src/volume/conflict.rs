//! What becomes of local operations that do not fit any more, because others committed first.
//!
//! Rules: nobody's data is dropped. A second entry of the same name, and a second content of the same file, get a
//! conflict name; directories merge; a file that was changed there stays although it was removed here. What only
//! describes or removes something that is gone is reported and dropped. Later operations follow what was renamed
//! or renumbered.
//!
//! All reads are of three states that stand still: `old` (all that was acknowledged here), `before` (committed, as
//! known here) and the new committed state with the replays so far. gc elsewhere may have deleted packs of the first two
//! while this machine slept: what cannot be told then counts as changed by others, and a copy has only what was written here.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::conflict_name::conflict_name;
use super::error::VolumeError;
use super::gc::SINCE_EVER;
use super::mounted::Volume;
use super::refit::{follow_names, move_slot, renumber};
use super::replay::Replay;
use super::session::free_slot;
use super::state::{Layers, Pending, Transaction};
use crate::base::{Ino, Timestamp};
use crate::meta::apply::ApplyError;
use crate::meta::op::Op;
use crate::meta::overlay::Overlay;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};

/// Conflict names tried before giving up.
const MOST_NAMES: u32 = 10_000;

/// A place in a directory.
pub(super) type Place = (Ino, Bytes);

/// One rebase's replays and what came of them.
pub(super) struct Conflicts<'a> {
    pub(super) volume: &'a Volume,
    pub(super) old: &'a Layers,
    /// Something of `old` was deleted, and what was written here had to do.
    pub(super) torn: Cell<bool>,
    before: &'a Layers,
    after: &'a Layers,
    pub(super) replay: Replay<'a>,
    transactions: Vec<Transaction>,
    /// Inodes that others' stand for now (merged directories), or whose number was taken.
    renumbered: HashMap<Ino, Ino>,
    /// Where entries stand whose place was taken, by the place and the inode the local operations know.
    moved: HashMap<(Place, Ino), Place>,
    /// Inodes whose content and attributes were copied whole: later changes are in the copy already.
    copied: HashSet<Ino>,
    stories: Vec<String>,
    session: SessionAfter,
    pub(super) now: Timestamp,
}

/// This machine's session in the new state.
pub(super) struct SessionAfter {
    pub slot: u32,
    /// How many commits its record counts; `None` when it is not open.
    pub commits: Option<u64>,
    /// The op that opens it is among the replays.
    pub reopened: bool,
}

impl<'a> Conflicts<'a> {
    pub fn new(volume: &'a Volume, old: &'a Layers, before: &'a Layers, after: &'a Layers) -> Self {
        Self {
            volume,
            old,
            torn: Cell::new(false),
            before,
            after,
            replay: Replay::new(&volume.packs, after, Overlay::default()),
            transactions: Vec::new(),
            renumbered: HashMap::new(),
            moved: HashMap::new(),
            copied: HashSet::new(),
            stories: Vec::new(),
            session: SessionAfter { slot: volume.slot(), commits: None, reopened: false },
            now: volume.now(),
        }
    }

    /// Finds this machine's session in the new state. If it is not open (not yet, or closed by others while this
    /// machine was away) it opens first thing when there is anything to commit, in another slot if its own is taken.
    pub fn begin_session(&mut self, needed: bool) -> Result<(), VolumeError> {
        let session = &self.volume.session;
        self.session.commits = self.replay.read(|view| Ok(session.find(view)?))?;
        if self.session.commits.is_some() || self.volume.is_read_only() {
            return Ok(());
        }
        let (slot, random) = (self.session.slot, &*self.volume.env.random);
        self.session.slot = self.replay.read(|view| match read::session(view, slot)? {
            Some(_) => Ok(free_slot(random, view)?),
            None => Ok(slot),
        })?;
        if needed {
            self.next_transaction();
            self.try_apply(session.open_op(&self.volume.env, self.session.slot))??;
            self.session.reopened = true;
        }
        Ok(())
    }

    /// Replays one transaction; ops that do not fit are changed or dropped one by one.
    ///
    /// # Errors
    /// Only what keeps the states from being read.
    pub fn transaction(&mut self, ops: &[Op]) -> Result<(), VolumeError> {
        self.transactions.push(Vec::with_capacity(ops.len()));
        for op in ops {
            self.op(op.clone())?;
        }
        Ok(())
    }

    /// What is pending now, and what there is to tell.
    pub fn finish(self) -> (Pending, SessionAfter, Vec<String>) {
        let mut pending = Pending::default();
        for transaction in self.transactions {
            pending.push(transaction, Overlay::default());
        }
        pending.overlay = Arc::new(self.replay.changes);
        (pending, self.session, self.stories)
    }

    fn op(&mut self, op: Op) -> Result<(), VolumeError> {
        if matches!(op, Op::OpenSession { .. }) {
            return Ok(());
        }
        let mut op = renumber(op, &self.renumbered);
        follow_names(&mut op, &self.moved);
        move_slot(&mut op, self.volume.slot(), self.session.slot);
        if self.is_superseded(&op) {
            return Ok(());
        }
        if let Op::Clone { source, .. } = &op
            && self.changed_by_others(*source)? == Some(true)
        {
            op = self.clone_as_write(op)?;
        }
        if let Op::RemoveSegments { ids } = &mut op {
            self.keep_condemned(ids)?;
        }
        if let Op::Condemn { objects, time: SINCE_EVER } = &mut op {
            self.spare_recorded(objects)?;
        }
        if let Some(ino) = self.would_drop_others_content(&op)? {
            return self.keep_others_content(op, ino);
        }
        match self.try_apply(op.clone())? {
            Ok(()) => Ok(()),
            Err(error) => self.resolve(op, error),
        }
    }

    /// Applies an op and remembers it for the commit.
    pub(super) fn try_apply(&mut self, op: Op) -> Result<Result<(), ApplyError>, VolumeError> {
        let applied = self.replay.try_apply(&op, self.session.slot)?;
        if applied.is_ok() {
            match self.transactions.last_mut() {
                Some(transaction) => transaction.push(op),
                None => self.transactions.push(vec![op]),
            }
        }
        Ok(applied)
    }

    /// What follows stands in a transaction of its own, so that a large copy does not make one huge entry.
    pub(super) fn next_transaction(&mut self) {
        self.transactions.push(Vec::new());
    }

    /// Changes of an inode whose final state was copied.
    fn is_superseded(&self, op: &Op) -> bool {
        match op {
            Op::Write { ino, .. }
            | Op::Clone { ino, .. }
            | Op::Collapse { ino, .. }
            | Op::SetAttr { ino, .. }
            | Op::SetXattr { ino, .. }
            | Op::RemoveXattr { ino, .. } => self.copied.contains(ino),
            _ => false,
        }
    }

    /// Others changed the content of a file that this machine knew, or removed it; `None` when nobody can tell any more.
    fn changed_by_others(&self, ino: Ino) -> Result<Option<bool>, VolumeError> {
        let before = match self.look(self.before, ino) {
            Ok(Some(before)) => before,
            Ok(None) => return Ok(Some(false)),
            Err(error) if error.is_gone() => return Ok(None),
            Err(error) => return Err(error),
        };
        let after = self.look(self.after, ino)?;
        Ok(Some(after.is_none_or(|after| after.version != before.version || after.nlink == 0)))
    }

    fn look(&self, layers: &Layers, ino: Ino) -> Result<Option<Inode>, VolumeError> {
        layers.read(&self.volume.packs, |view| Ok(read::inode(view, ino)?))
    }

    /// The last name of a file would go, whose content others have changed since: that file.
    fn would_drop_others_content(&self, op: &Op) -> Result<Option<Ino>, VolumeError> {
        let ino = match op {
            Op::Unlink { ino, .. } => *ino,
            Op::Rename { replaced: Some(replaced), exchange: false, .. } => *replaced,
            _ => return Ok(None),
        };
        let present = self.replay.read(|view| Ok(read::inode(view, ino)?))?;
        let last = present.is_some_and(|inode| inode.nlink == 1 && inode.kind == FileKind::Regular);
        Ok(if last && self.changed_by_others(ino)? != Some(false) { Some(ino) } else { None })
    }

    fn keep_others_content(&mut self, op: Op, ino: Ino) -> Result<(), VolumeError> {
        match op {
            Op::Rename { .. } => self.rename_beside(op, "was changed there and replaced here"),
            _ => {
                self.tell(&op, &format!("inode {ino} was changed there: it stays"));
                Ok(())
            }
        }
    }

    /// An op does not fit any more.
    fn resolve(&mut self, op: Op, error: ApplyError) -> Result<(), VolumeError> {
        match &op {
            Op::Create { .. } => self.create_beside(op, &error),
            Op::Link { ino, .. } => {
                let ino = *ino;
                self.link_beside(op, ino, &error)
            }
            Op::Rename { .. } => self.rename_again(op, &error),
            Op::Write { ino, .. } | Op::Clone { ino, .. } | Op::Collapse { ino, .. } => {
                let ino = *ino;
                self.copy_content(ino, None)
            }
            Op::Unlink { .. }
            | Op::Rmdir { .. }
            | Op::SetAttr { .. }
            | Op::SetXattr { .. }
            | Op::RemoveXattr { .. } => {
                self.tell(&op, &error.to_string());
                Ok(())
            }
            // Upkeep: somebody else did it, or it is tried again when it is still needed.
            Op::Reap { .. }
            | Op::AddSegment { .. }
            | Op::RemoveSegments { .. }
            | Op::Relocate { .. }
            | Op::OpenSession { .. }
            | Op::CloseSession { .. }
            | Op::Condemn { .. }
            | Op::Pardon { .. }
            | Op::PublishBoundary { .. }
            | Op::SetQuota { .. } => {
                log::debug!("upkeep dropped in a rebase: {error}");
                Ok(())
            }
        }
    }

    /// The name is taken or the parent is gone.
    fn create_beside(&mut self, mut op: Op, error: &ApplyError) -> Result<(), VolumeError> {
        let Op::Create { parent, name, ino, kind, .. } = &mut op else { return Ok(()) };
        let (wanted, known) = ((*parent, name.clone()), *ino);
        if let (ApplyError::Exists, FileKind::Directory) = (error, *kind)
            && let Some(existing) = self.directory_at(&wanted)?
        {
            self.renumbered.insert(known, existing);
            return Ok(());
        }
        if self.replay.read(|view| Ok(read::inode(view, known)?))?.is_some() {
            *ino = self.volume.next_ino();
            self.renumbered.insert(known, *ino);
            return self.op(op);
        }
        let place = match name.is_empty() {
            true => (Ino::ROOT, Bytes::new()),
            false => self.free_place(&wanted)?,
        };
        (*parent, *name) = place.clone();
        self.apply_moved(op, wanted, known, place, &error.to_string())
    }

    /// The name is taken, the parent is gone, or the file itself is: then its content comes back under that name.
    fn link_beside(&mut self, mut op: Op, linked: Ino, error: &ApplyError) -> Result<(), VolumeError> {
        let Op::Link { parent, name, .. } = &mut op else { return Ok(()) };
        let wanted = (*parent, name.clone());
        if self.copied.contains(&linked) {
            return Ok(());
        }
        if matches!(error, ApplyError::NoInode(gone) if *gone == linked) {
            return self.copy_content(linked, Some(wanted));
        }
        if self.entry_at(&wanted)? == Some(linked) {
            return Ok(());
        }
        let place = self.free_place(&wanted)?;
        (*parent, *name) = place.clone();
        self.apply_moved(op, wanted, linked, place, &error.to_string())
    }

    fn rename_again(&mut self, mut op: Op, error: &ApplyError) -> Result<(), VolumeError> {
        let Op::Rename { from, name, ino, to, new_name, replaced, exchange, .. } = &mut op else {
            return Ok(());
        };
        let (source, target) = ((*from, name.clone()), (*to, new_name.clone()));
        let source_gone = self.entry_at(&source)? != Some(*ino);
        if source_gone || *exchange || matches!(error, ApplyError::Loop | ApplyError::TooManyLinks) {
            self.tell(&op, &error.to_string());
            return Ok(());
        }
        if self.entry_at(&target)?.is_none() && self.is_directory(target.0)? && replaced.is_some() {
            // What was to be replaced is gone already.
            *replaced = None;
            return match self.try_apply(op.clone())? {
                Ok(()) => Ok(()),
                Err(error) => self.rename_beside(op, &error.to_string()),
            };
        }
        self.rename_beside(op, &error.to_string())
    }

    /// The entry moves, but beside what stands at its new name.
    fn rename_beside(&mut self, mut op: Op, why: &str) -> Result<(), VolumeError> {
        let Op::Rename { ino, to, new_name, replaced, .. } = &mut op else { return Ok(()) };
        let (wanted, moving) = ((*to, new_name.clone()), *ino);
        let place = self.free_place(&wanted)?;
        (*to, *new_name) = place.clone();
        *replaced = None;
        self.apply_moved(op, wanted, moving, place, why)
    }

    /// Applies an op whose entry goes to another place than the caller wanted, so that later ops find it.
    fn apply_moved(
        &mut self,
        op: Op,
        wanted: Place,
        ino: Ino,
        place: Place,
        why: &str,
    ) -> Result<(), VolumeError> {
        match self.try_apply(op.clone())? {
            Ok(()) => {
                self.story(format!("{} became {} ({why})", show(&wanted.1), show(&place.1)));
                self.moved.insert((wanted, ino), place);
            }
            Err(error) => self.tell(&op, &error.to_string()),
        }
        Ok(())
    }

    /// A free place near the wanted one: there, or at the root when the directory is gone.
    pub(super) fn free_place(&self, wanted: &Place) -> Result<Place, VolumeError> {
        let parent = if self.is_directory(wanted.0)? { wanted.0 } else { Ino::ROOT };
        for number in 1..=MOST_NAMES {
            let name = Bytes::from(conflict_name(&wanted.1, &self.volume.env.host, self.now, number));
            let place = (parent, name);
            if self.entry_at(&place)?.is_none() {
                return Ok(place);
            }
        }
        Err(VolumeError::Corrupt(format!("{MOST_NAMES} conflicts of one name in directory {parent}")))
    }

    pub(super) fn entry_at(&self, place: &Place) -> Result<Option<Ino>, VolumeError> {
        self.replay.read(|view| Ok(read::lookup(view, place.0, &place.1)?.map(|dentry| dentry.ino)))
    }

    pub(super) fn is_directory(&self, ino: Ino) -> Result<bool, VolumeError> {
        let inode = self.replay.read(|view| Ok(read::inode(view, ino)?))?;
        Ok(inode.is_some_and(|inode| inode.kind == FileKind::Directory && inode.nlink > 0))
    }

    fn directory_at(&self, place: &Place) -> Result<Option<Ino>, VolumeError> {
        let dentry = self.replay.read(|view| Ok(read::lookup(view, place.0, &place.1)?))?;
        Ok(dentry.filter(|dentry| dentry.kind == FileKind::Directory).map(|dentry| dentry.ino))
    }

    pub(super) fn mark_copied(&mut self, ino: Ino) -> bool {
        self.copied.insert(ino)
    }

    pub(super) fn story(&mut self, story: String) {
        log_story(&story);
        self.stories.push(story);
    }

    /// Reports an op that is dropped.
    fn tell(&mut self, op: &Op, why: &str) {
        self.story(format!("{} was not done: {why}", describe(op)));
    }
}

/// Logs what `status` tells, too.
pub(super) fn log_story(story: &str) {
    log::warn!("conflict with another machine: {story}");
}

/// A name for people.
pub(super) fn show(name: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(name))
}

fn describe(op: &Op) -> String {
    match op {
        Op::Create { name, .. } => format!("creating {}", show(name)),
        Op::Link { name, .. } => format!("linking {}", show(name)),
        Op::Unlink { name, .. } => format!("removing {}", show(name)),
        Op::Rmdir { name, .. } => format!("removing the directory {}", show(name)),
        Op::Rename { name, new_name, .. } => format!("renaming {} to {}", show(name), show(new_name)),
        Op::SetAttr { ino, .. } => format!("setting attributes of inode {ino}"),
        Op::SetXattr { ino, .. } | Op::RemoveXattr { ino, .. } => {
            format!("changing extended attributes of inode {ino}")
        }
        _ => "an operation".into(),
    }
}
