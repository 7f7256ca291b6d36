//! Each promise of `apply`: by name, against a reference model, and against damage.
mod content;
mod damage;
mod model;
mod names;
mod upkeep;

use bytes::Bytes;

use super::{ApplyError, Context, apply, genesis};
use crate::base::{Ino, MachineId, SessionId, Timestamp};
use crate::meta::op::{LastLink, Op};
use crate::meta::overlay::{Layered, Overlay, Txn};
use crate::meta::read;
use crate::meta::record::{ChunkRef, FileKind, Inode, MIN_CHUNK, Superblock};
use crate::meta::view::EmptyView;

/// Bytes of a chunk in these tests.
const CHUNK: u64 = MIN_CHUNK as u64;
/// Slot of the session that writes unless a test says otherwise.
const SLOT: u32 = 1;

/// A state in memory and the slot that changes it.
#[derive(Clone)]
struct Volume {
    state: Overlay,
    context: Context,
}

impl Volume {
    /// A new volume on which session 1 has begun.
    fn new() -> Self {
        let mut txn = Txn::new(&EmptyView);
        genesis(&mut txn, at(0), 1000, 100, MIN_CHUNK).unwrap();
        let context = Context { slot: SLOT, enforce_quota: true };
        let mut volume = Self { state: txn.finish(), context };
        volume.ok(open_session(SLOT));
        volume
    }

    fn view(&self) -> Layered<'_> {
        Layered { base: &EmptyView, layers: vec![&self.state] }
    }

    /// Applies an op; a refused one changes nothing.
    fn apply(&mut self, op: &Op) -> Result<(), ApplyError> {
        let view = Layered { base: &EmptyView, layers: vec![&self.state] };
        let mut txn = Txn::new(&view);
        apply(&mut txn, op, self.context)?;
        let changes = txn.finish();
        self.state.absorb(changes);
        Ok(())
    }

    #[track_caller]
    fn ok(&mut self, op: Op) {
        self.apply(&op).unwrap();
    }

    #[track_caller]
    fn refused(&mut self, op: Op) -> ApplyError {
        self.apply(&op).unwrap_err()
    }

    #[track_caller]
    fn inode(&self, ino: u64) -> Inode {
        read::inode(&self.view(), Ino(ino)).unwrap().unwrap()
    }

    fn exists(&self, ino: u64) -> bool {
        read::inode(&self.view(), Ino(ino)).unwrap().is_some()
    }

    fn lookup(&self, parent: u64, name: &str) -> Option<u64> {
        read::lookup(&self.view(), Ino(parent), name.as_bytes()).unwrap().map(|dentry| dentry.ino.0)
    }

    fn superblock(&self) -> Superblock {
        read::superblock(&self.view()).unwrap()
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp { secs, nanos: 7 }
}

fn name(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

fn create(parent: u64, entry: &str, ino: u64, kind: FileKind, secs: i64) -> Op {
    Op::Create {
        parent: Ino(parent),
        name: name(entry),
        ino: Ino(ino),
        kind,
        perm: 0o644,
        uid: 1,
        gid: 2,
        rdev: 0,
        target: if kind == FileKind::Symlink { name("target") } else { Bytes::new() },
        xattrs: Vec::new(),
        time: at(secs),
    }
}

fn file(parent: u64, entry: &str, ino: u64) -> Op {
    create(parent, entry, ino, FileKind::Regular, 1)
}

fn dir(parent: u64, entry: &str, ino: u64) -> Op {
    create(parent, entry, ino, FileKind::Directory, 1)
}

fn link(ino: u64, parent: u64, entry: &str) -> Op {
    Op::Link { ino: Ino(ino), parent: Ino(parent), name: name(entry), time: at(2) }
}

fn unlink(parent: u64, entry: &str, ino: u64, last: LastLink) -> Op {
    Op::Unlink { parent: Ino(parent), name: name(entry), ino: Ino(ino), last, time: at(3) }
}

fn rmdir(parent: u64, entry: &str, ino: u64) -> Op {
    Op::Rmdir { parent: Ino(parent), name: name(entry), ino: Ino(ino), time: at(4) }
}

/// `from` and `to`: directory, name, and the inode seen there.
fn rename(from: (u64, &str, u64), to: (u64, &str, Option<u64>), exchange: bool) -> Op {
    Op::Rename {
        from: Ino(from.0),
        name: name(from.1),
        ino: Ino(from.2),
        to: Ino(to.0),
        new_name: name(to.1),
        replaced: to.2.map(Ino),
        exchange,
        last: LastLink::Reap,
        time: at(5),
    }
}

fn write(ino: u64, version: u64, size: u64, chunks: Vec<(u64, Option<ChunkRef>)>) -> Op {
    Op::Write { ino: Ino(ino), version, size, chunks, perm: None, mtime: Some(at(6)), ctime: at(6) }
}

fn inline(byte: u8, len: usize) -> Option<ChunkRef> {
    Some(ChunkRef::Inline(Bytes::from(vec![byte; len])))
}

fn open_session(slot: u32) -> Op {
    let (id, machine) = (SessionId([slot as u8; 8]), MachineId([9; 16]));
    Op::OpenSession { slot, id, machine, host: "here".into(), time: at(0) }
}
