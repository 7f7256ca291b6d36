//! This mount as a writer: its id, its slot, and the inode numbers it hands out.
//!
//! The session opens with the first operation it commits: an idle mount writes nothing. Its slot is drawn at random,
//! because inode numbers begin with it and the kernel knows them before the first commit. Should another session
//! have drawn the same one, a rebase changes the slot, in the ops that name it too; the numbers stay.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::environment::Environment;
use super::error::VolumeError;
use crate::base::{Ino, MachineId, Random, SessionId};
use crate::commit_log::EntryHash;
use crate::meta::op::Op;
use crate::meta::view::{ReadError, View};
use crate::meta::{read, record};

/// The session of one mount. A read-only mount never commits, so its slot is 0 and never used.
pub(super) struct Session {
    pub id: SessionId,
    slot: AtomicU32,
    /// Upper and lower half of the next inode number.
    next: Mutex<(u32, u32)>,
}

impl Session {
    /// A session that will take `slot`.
    pub fn new(random: &dyn Random, slot: u32) -> Self {
        let next = Mutex::new((slot, 1));
        Self { id: SessionId::generate(random), slot: AtomicU32::new(slot), next }
    }

    /// Takes `slot` where there was none. No number has been handed out yet.
    pub fn take(&self, slot: u32) {
        self.set_slot(slot);
        *self.next.lock() = (slot, 1);
    }

    /// Owner of this mount's orphans.
    pub fn slot(&self) -> u32 {
        self.slot.load(Ordering::Acquire)
    }

    /// Changes the slot. Only while no system call is under way, or none has named it yet.
    pub fn set_slot(&self, slot: u32) {
        self.slot.store(slot, Ordering::Release);
    }

    /// A number that no other inode has. After 2^32 of them the upper half changes too.
    pub fn next_ino(&self, random: &dyn Random) -> Ino {
        let mut next = self.next.lock();
        let (upper, lower) = *next;
        *next = match lower.checked_add(1) {
            Some(lower) => (upper, lower),
            None => (draw(random), 1),
        };
        Ino(u64::from(upper) << 32 | u64::from(lower))
    }

    /// The op that opens this session in `slot`.
    pub fn open_op(&self, env: &Environment, slot: u32) -> Op {
        let time = env.clock.now();
        Op::OpenSession { slot, id: self.id, machine: env.machine, host: short(&env.host), time }
    }

    /// Whether `view` holds this session's record, and how many commits it counts.
    pub fn find(&self, view: &dyn View) -> Result<Option<u64>, ReadError> {
        Ok(self.record(view)?.map(|session| session.commits))
    }

    /// The hash of this session's newest commit in `view`.
    pub fn last_commit(&self, view: &dyn View) -> Result<Option<EntryHash>, ReadError> {
        Ok(self.record(view)?.map(|session| session.last_hash))
    }

    fn record(&self, view: &dyn View) -> Result<Option<record::Session>, ReadError> {
        Ok(read::session(view, self.slot())?.filter(|session| session.id == self.id))
    }
}

/// 1..2^31. Never 0: that is nobody's slot, and the numbers of that half belong to the root directory.
fn draw(random: &dyn Random) -> u32 {
    (random.next_u64() as u32 >> 1).max(1)
}

/// A slot that no session of `view` has.
pub(super) fn free_slot(random: &dyn Random, view: &dyn View) -> Result<u32, ReadError> {
    loop {
        let slot = draw(random);
        if read::session(view, slot)?.is_none() {
            return Ok(slot);
        }
    }
}

/// At most 64 bytes of a host name, without control characters.
fn short(host: &str) -> String {
    let printable = host.chars().filter(|letter| !letter.is_control());
    let mut short = String::new();
    for letter in printable {
        if short.len() + letter.len_utf8() > 64 {
            break;
        }
        short.push(letter);
    }
    short
}

/// What earlier mounts of this machine left.
#[derive(Default)]
pub(super) struct Left {
    /// `CloseSession` for each of their sessions.
    pub close: Vec<Op>,
    /// Orphans of theirs, or of nobody, wait to be reaped.
    pub reapable: bool,
}

/// Finds what crashed mounts of this machine left behind. The caller holds this machine's lock of the volume, so none
/// of them is alive.
pub(super) fn leftovers(view: &dyn View, machine: MachineId) -> Result<Left, VolumeError> {
    let sessions = read::sessions(view)?;
    let dead = |slot: u32| sessions.iter().all(|(open, session)| *open != slot || session.machine == machine);
    let reapable = read::orphans(view)?.iter().any(|(_, orphan)| dead(orphan.slot));
    let own = sessions.iter().filter(|(_, session)| session.machine == machine);
    Ok(Left { close: own.map(|(slot, _)| Op::CloseSession { slot: *slot }).collect(), reapable })
}
