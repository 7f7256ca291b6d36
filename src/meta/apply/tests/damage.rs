//! Ops with any values on states with any values: refused or applied, never a panic.
use proptest::prelude::*;

use super::*;
use crate::base::{Epoch, ObjectId, Seq};
use crate::meta::key;
use crate::meta::record::{Dentry, Orphan, SegmentRecord};
use crate::vault::HEADER_LEN;

/// Numbers at the edges of something.
const EDGES: [u64; 20] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    10,
    4095,
    4096,
    4097,
    65536,
    65537,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    1 << 44,
    (1 << 44) + 1,
    u64::MAX,
];

struct Dice<'d>(&'d [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let (&value, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        value
    }

    /// True once in `sides` throws.
    fn chance(&mut self, sides: u16) -> bool {
        u16::from(self.byte()).is_multiple_of(sides)
    }

    fn edge(&mut self) -> u64 {
        EDGES[usize::from(self.byte()) % EDGES.len()]
    }

    fn few(&mut self) -> u64 {
        u64::from(self.byte() % 8)
    }

    fn ino(&mut self) -> Ino {
        Ino(if self.chance(16) { self.edge() } else { self.few() })
    }

    fn name(&mut self) -> Bytes {
        let names = ["a", "b", "c", "a", "b", "c", "a", "b", "c", "", ".", "..", "x/y", "\0"];
        name(names[usize::from(self.byte()) % names.len()])
    }

    fn kind(&mut self) -> FileKind {
        let kinds = [FileKind::Regular, FileKind::Directory, FileKind::Symlink, FileKind::BlockDevice];
        kinds[usize::from(self.byte()) % kinds.len()]
    }

    fn time(&mut self) -> Timestamp {
        let nanos = if self.chance(256) { u32::MAX } else { 0 };
        Timestamp { secs: self.edge() as i64, nanos }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(2).then(|| make(self))
    }

    fn last(&mut self) -> LastLink {
        self.maybe(|dice| LastLink::Keep(dice.few() as u32)).unwrap_or(LastLink::Reap)
    }

    fn chunk(&mut self) -> ChunkRef {
        match self.maybe(|dice| inline(1, dice.edge().min(4097) as usize)) {
            Some(Some(chunk)) => chunk,
            _ => ChunkRef::Segment { segment: ObjectId([1; 16]), number: 0, len: self.edge() as u32 },
        }
    }

    fn op(&mut self) -> Op {
        match self.byte() % 17 {
            0 | 1 => Op::Create {
                parent: self.ino(),
                name: self.name(),
                ino: self.ino(),
                kind: self.kind(),
                perm: 0o644,
                uid: 0,
                gid: 0,
                rdev: 0,
                target: Bytes::new(),
                xattrs: vec![(self.name(), Bytes::new())],
                time: self.time(),
            },
            2 => Op::Link { ino: self.ino(), parent: self.ino(), name: self.name(), time: self.time() },
            3 => Op::Unlink {
                parent: self.ino(),
                name: self.name(),
                ino: self.ino(),
                last: self.last(),
                time: self.time(),
            },
            4 => Op::Rmdir { parent: self.ino(), name: self.name(), ino: self.ino(), time: self.time() },
            5 | 6 => Op::Rename {
                from: self.ino(),
                name: self.name(),
                ino: self.ino(),
                to: self.ino(),
                new_name: self.name(),
                replaced: self.maybe(Self::ino),
                exchange: self.chance(2),
                last: self.last(),
                time: self.time(),
            },
            7 => Op::SetAttr {
                ino: self.ino(),
                perm: self.maybe(|dice| dice.edge() as u16),
                uid: None,
                gid: None,
                atime: self.maybe(Self::time),
                mtime: None,
                ctime: self.time(),
            },
            8 | 9 => Op::Write {
                ino: self.ino(),
                version: self.edge(),
                size: self.edge(),
                chunks: vec![(self.few(), self.maybe(Self::chunk)), (self.edge(), self.maybe(Self::chunk))],
                perm: None,
                mtime: None,
                ctime: self.time(),
            },
            10 => Op::Clone {
                source: self.ino(),
                from: self.edge(),
                ino: self.ino(),
                to: self.edge(),
                count: self.edge(),
                version: self.edge(),
                size: self.edge(),
                mtime: self.time(),
                ctime: self.time(),
            },
            11 => Op::Collapse {
                ino: self.ino(),
                from: self.edge(),
                count: self.edge(),
                version: self.edge(),
                size: self.edge(),
                mtime: self.time(),
                ctime: self.time(),
            },
            12 => Op::RemoveXattr { ino: self.ino(), name: self.name(), perm: None, ctime: self.time() },
            13 => Op::Reap { ino: self.ino() },
            14 => Op::Relocate { ino: self.ino(), index: self.edge(), from: self.chunk(), to: self.chunk() },
            15 => self.upkeep(),
            _ => Op::SetXattr {
                ino: self.ino(),
                name: self.name(),
                value: Bytes::new(),
                create: None,
                perm: None,
                ctime: self.time(),
            },
        }
    }

    fn upkeep(&mut self) -> Op {
        match self.byte() % 4 {
            0 => Op::OpenSession {
                slot: self.edge() as u32,
                id: SessionId([0; 8]),
                machine: MachineId([0; 16]),
                host: "\n".into(),
                time: self.time(),
            },
            1 => Op::CloseSession { slot: self.edge() as u32 },
            2 => Op::PublishBoundary { boundary: Seq(self.edge()), time: self.time() },
            _ => Op::AddSegment {
                id: ObjectId([1; 16]),
                record: SegmentRecord {
                    epoch: Epoch(1),
                    header: [0; HEADER_LEN],
                    frames: vec![self.edge() as u32],
                },
            },
        }
    }

    fn inode(&mut self) -> Inode {
        let kind = self.kind();
        Inode {
            kind,
            perm: 0,
            uid: 0,
            gid: 0,
            nlink: self.edge() as u32,
            size: self.edge(),
            allocated: self.edge(),
            rdev: 0,
            atime: at(0),
            mtime: at(0),
            ctime: at(0),
            btime: at(0),
            parent: self.ino(),
            version: self.edge(),
            has_xattrs: self.chance(2),
            target: if kind == FileKind::Symlink { name("t") } else { Bytes::new() },
        }
    }

    /// Records that decode, but that no sequence of ops would have left.
    fn damaged_state(&mut self) -> Overlay {
        let mut state = Overlay::default();
        let superblock = Superblock {
            inodes: self.edge(),
            allocated: self.edge(),
            quota_bytes: self.edge(),
            quota_inodes: self.edge(),
            chunk_size: MIN_CHUNK,
            ..Superblock::default()
        };
        state.set(key::superblock(), Some(superblock.encode().into()));
        for ino in 1..8 {
            state.set(key::inode(Ino(ino)), Some(self.inode().encode().into()));
            state.set(
                key::orphan(Ino(ino)),
                self.maybe(|dice| Orphan { slot: dice.few() as u32 }.encode().into()),
            );
            let chunk = self.maybe(|_| inline(1, 9).unwrap().encode().into());
            state.set(key::chunk(Ino(ino), self.edge()), chunk);
            for entry in [b"a", b"b"] {
                let dentry = Dentry { ino: self.ino(), kind: self.kind() };
                state.set(key::dentry(Ino(ino), entry), Some(dentry.encode().into()));
            }
        }
        state
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn no_op_panics_on_a_damaged_state(
        damage in proptest::collection::vec(any::<u8>(), 150),
        rolls in proptest::collection::vec(any::<[u8; 24]>(), 1..40),
    ) {
        let mut volume = Volume::new();
        volume.state = Dice(&damage).damaged_state();
        for roll in rolls {
            let before = volume.state.clone();
            if volume.apply(&Dice(&roll).op()).is_err() {
                prop_assert_eq!(&volume.state, &before);
            }
        }
    }

    #[test]
    fn no_op_panics_on_records_that_do_not_decode(
        at in 0..8_u64,
        garbage in proptest::collection::vec(any::<u8>(), 0..120),
        rolls in proptest::collection::vec(any::<[u8; 24]>(), 1..20),
    ) {
        let mut volume = Volume::new();
        volume.ok(dir(1, "a", 2));
        volume.ok(file(2, "b", 3));
        let keys = [
            key::superblock(), key::inode(Ino(1)), key::inode(Ino(2)), key::inode(Ino(3)),
            key::dentry(Ino(1), b"a"), key::dentry(Ino(2), b"b"), key::chunk(Ino(3), 0), key::orphan(Ino(3)),
        ];
        volume.state.set(keys[at as usize].clone(), Some(garbage.into()));
        for roll in rolls {
            // The result does not matter here: it returns.
            let _ = volume.apply(&Dice(&roll).op());
        }
    }
}

#[test]
fn parents_that_go_in_circles_are_damage_and_not_a_hang() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "a", 10));
    for ino in 20..25 {
        volume.ok(dir(1, &format!("d{ino}"), ino));
        let next = if ino == 24 { 20 } else { ino + 1 };
        let circular = Inode { parent: Ino(next), ..volume.inode(ino) };
        volume.state.set(key::inode(Ino(ino)), Some(circular.encode().into()));
    }
    let error = volume.refused(rename((1, "a", 10), (20, "a", None), false));
    assert!(matches!(error, ApplyError::Read(crate::meta::view::ReadError::Corrupt(_))), "{error:?}");
}

#[test]
fn a_volume_without_a_superblock_is_damage() {
    let mut volume = Volume::new();
    volume.state.set(key::superblock(), None);
    assert!(matches!(volume.refused(file(1, "f", 10)), ApplyError::Read(_)));
}
