//! Sessions: who writes, and what each wrote last.
use crate::base::{Ino, Seq, Timestamp};
use crate::meta::key;
use crate::meta::op::Op;
use crate::meta::overlay::Txn;
use crate::meta::read;
use crate::meta::record::{Orphan, Session};

use super::ApplyError;
use super::edit::{Edit, add};

/// Two sessions that draw the same slot meet here: the later one must draw again.
pub(super) fn open(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::OpenSession { slot, id, machine, host, time } = op else { return Ok(()) };
    if read::session(edit.txn, *slot)?.is_some() {
        return Err(ApplyError::Changed);
    }
    let session = Session {
        id: *id,
        machine: *machine,
        host: host.clone(),
        started: *time,
        last_seen: *time,
        last: Seq::default(),
        last_hash: [0; 32],
        commits: 0,
    };
    edit.txn.put(key::session(*slot), session.encode());
    Ok(())
}

pub(super) fn close(edit: &mut Edit<'_, '_>, slot: u32) -> Result<(), ApplyError> {
    if read::session(edit.txn, slot)?.is_none() {
        return Err(ApplyError::Changed);
    }
    edit.txn.remove(key::session(slot));
    let kept = read::orphans(edit.txn)?.into_iter().filter(|(_, orphan)| orphan.slot == slot);
    let kept: Vec<Ino> = kept.map(|(ino, _)| ino).collect();
    for ino in kept {
        edit.txn.put(key::orphan(ino), Orphan { slot: 0 }.encode());
    }
    Ok(())
}

/// Records a commit in its session's record (M6): last position, hash, time, counter. To be called after the
/// commit's ops; a slot without a session (a session that closed with this commit) leaves no trace.
pub fn note_commit(
    txn: &mut Txn<'_>,
    slot: u32,
    seq: Seq,
    hash: [u8; 32],
    time: Timestamp,
) -> Result<(), ApplyError> {
    let Some(mut session) = read::session(txn, slot)? else { return Ok(()) };
    if seq <= session.last {
        return Err(ApplyError::Invalid("a commit before the last one"));
    }
    if time.nanos >= 1_000_000_000 {
        return Err(ApplyError::Invalid("a time"));
    }
    session.last = seq;
    session.last_hash = hash;
    session.last_seen = time;
    add(&mut session.commits, 1, "the commits of a session")?;
    txn.put(key::session(slot), session.encode());
    Ok(())
}
