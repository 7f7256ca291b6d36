//! Content, xattrs, attributes and quotas.
use super::*;
use crate::base::ObjectId;
use crate::meta::op::{INSTANT_REAP, REAP_STEP};
use crate::meta::record::MAX_FILE_SIZE;

fn with_file() -> Volume {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume
}

/// What a reader sees, holes as zeros.
fn content(volume: &Volume, ino: u64) -> Vec<u8> {
    let mut bytes = vec![0; volume.inode(ino).size as usize];
    for (index, chunk) in read::chunks(&volume.view(), Ino(ino), 0..u64::MAX).unwrap() {
        let ChunkRef::Inline(part) = chunk else { panic!("only inline chunks here") };
        let start = (index * CHUNK) as usize;
        bytes[start..start + part.len()].copy_from_slice(&part);
    }
    bytes
}

fn segment(len: u32) -> Option<ChunkRef> {
    Some(ChunkRef::Segment { segment: ObjectId([3; 16]), number: 1, len })
}

#[test]
fn a_write_replaces_chunks_and_counts_bytes_and_versions() {
    let mut volume = with_file();
    volume.ok(write(10, 0, CHUNK + 5, vec![(0, segment(4096)), (1, inline(2, 5))]));
    let inode = volume.inode(10);
    assert_eq!((inode.size, inode.allocated, inode.version), (CHUNK + 5, CHUNK + 5, 1));
    assert_eq!((inode.mtime, inode.ctime), (at(6), at(6)));
    volume.ok(write(10, 1, CHUNK + 5, vec![(0, None)]));
    assert_eq!((volume.inode(10).allocated, volume.superblock().allocated), (5, 5));
    assert_eq!(read::chunk(&volume.view(), Ino(10), 0).unwrap(), None);
}

#[test]
fn a_write_that_built_on_other_content_is_a_conflict() {
    let mut volume = with_file();
    volume.ok(write(10, 0, 1, vec![(0, inline(1, 1))]));
    assert_eq!(volume.refused(write(10, 0, 2, vec![])), ApplyError::Changed);
    assert_eq!(volume.refused(write(10, 2, 2, vec![])), ApplyError::Changed);
    assert_eq!(volume.refused(write(1, 0, 2, vec![])), ApplyError::IsDirectory);
}

#[test]
fn a_cut_file_reads_zeros_when_it_grows_again() {
    let mut volume = with_file();
    volume.ok(write(10, 0, 3 * CHUNK, (0..3).map(|index| (index, inline(9, 4096))).collect()));
    volume.ok(write(10, 1, CHUNK + 10, vec![]));
    assert_eq!((volume.inode(10).allocated, volume.superblock().allocated), (CHUNK + 10, CHUNK + 10));
    volume.ok(write(10, 2, 3 * CHUNK, vec![]));
    let bytes = content(&volume, 10);
    assert!(bytes[..CHUNK as usize + 10].iter().all(|&byte| byte == 9));
    assert!(bytes[CHUNK as usize + 10..].iter().all(|&byte| byte == 0));
    volume.ok(write(10, 3, 0, vec![]));
    assert_eq!(read::chunks(&volume.view(), Ino(10), 0..u64::MAX).unwrap(), vec![]);
    assert_eq!(volume.inode(10).allocated, 0);
}

#[test]
fn chunks_that_a_write_sets_past_its_size_are_cut() {
    let mut volume = with_file();
    volume.ok(write(10, 0, 10, vec![(0, segment(4096)), (1, segment(7))]));
    assert_eq!(read::chunks(&volume.view(), Ino(10), 0..9).unwrap(), vec![(0, segment(10).unwrap())]);
    assert_eq!(volume.inode(10).allocated, 10);
}

#[test]
fn sizes_and_chunks_out_of_bounds_are_refused() {
    let mut volume = with_file();
    volume.ok(write(10, 0, MAX_FILE_SIZE, vec![(MAX_FILE_SIZE / CHUNK - 1, inline(1, 1))]));
    for bad in [
        write(10, 1, MAX_FILE_SIZE + 1, vec![]),
        write(10, 1, u64::MAX, vec![]),
        write(10, 1, 9, vec![(u64::MAX, inline(1, 1))]),
        write(10, 1, 9, vec![(0, inline(1, 0))]),
        write(10, 1, 9, vec![(0, inline(1, 4097))]),
        write(10, 1, 9, vec![(0, segment(4097))]),
        write(10, 1, 9, vec![(0, segment(u32::MAX))]),
        write(10, 1, 9, vec![(1, None), (0, None)]),
        write(10, 1, 9, vec![(1, None), (1, None)]),
    ] {
        assert!(matches!(volume.refused(bad.clone()), ApplyError::Invalid(_)), "{bad:?}");
    }
}

#[test]
fn a_clone_shares_chunks_and_holes() {
    let mut volume = with_file();
    volume.ok(file(1, "g", 11));
    volume.ok(write(10, 0, 3 * CHUNK, vec![(0, inline(1, 4096)), (2, inline(3, 4096))]));
    volume.ok(write(11, 0, 3 * CHUNK, (0..3).map(|index| (index, inline(8, 4096))).collect()));
    let op = |count, size| Op::Clone {
        source: Ino(10),
        from: 0,
        ino: Ino(11),
        to: 1,
        count,
        version: 1,
        size,
        mtime: at(7),
        ctime: at(8),
    };
    let mut cut = volume.clone();
    volume.ok(op(3, 4 * CHUNK));
    let expected = [vec![8; 4096], vec![1; 4096], vec![0; 4096], vec![3; 4096]].concat();
    assert_eq!(content(&volume, 11), expected);
    assert_eq!((volume.inode(11).allocated, volume.superblock().allocated), (3 * CHUNK, 5 * CHUNK));
    assert_eq!((volume.inode(11).mtime, volume.inode(11).ctime, volume.inode(11).version), (at(7), at(8), 2));
    cut.ok(op(1, CHUNK + 3));
    assert_eq!(content(&cut, 11), [vec![8; 4096], vec![1; 3]].concat());
    assert_eq!(cut.inode(11).allocated, CHUNK + 3);
}

#[test]
fn a_clone_onto_itself_is_refused_and_beside_itself_is_not() {
    let mut volume = with_file();
    volume.ok(write(10, 0, 2 * CHUNK, vec![(0, inline(1, 4096)), (1, inline(2, 4096))]));
    let op = |to, version| Op::Clone {
        source: Ino(10),
        from: 0,
        ino: Ino(10),
        to,
        count: 2,
        version,
        size: 4 * CHUNK,
        mtime: at(7),
        ctime: at(7),
    };
    assert!(matches!(volume.refused(op(1, 1)), ApplyError::Invalid(_)));
    volume.ok(op(2, 1));
    assert_eq!(content(&volume, 10), [vec![1; 4096], vec![2; 4096]].concat().repeat(2));
}

#[test]
fn collapse_moves_what_is_behind_and_stays_inside_the_file() {
    let mut volume = with_file();
    let chunks = vec![(0, inline(1, 4096)), (1, inline(2, 4096)), (3, inline(4, 5))];
    volume.ok(write(10, 0, 3 * CHUNK + 5, chunks));
    let op = |from, count, size| Op::Collapse {
        ino: Ino(10),
        from,
        count,
        version: 1,
        size,
        mtime: at(7),
        ctime: at(7),
    };
    assert!(matches!(volume.refused(op(1, 3, 5)), ApplyError::Invalid(_)));
    assert!(matches!(volume.refused(op(1, 1, 5)), ApplyError::Invalid(_)));
    assert!(matches!(volume.refused(op(1, 0, 3 * CHUNK + 5)), ApplyError::Invalid(_)));
    volume.ok(op(1, 1, 2 * CHUNK + 5));
    assert_eq!(content(&volume, 10), [vec![1; 4096], vec![0; 4096], vec![4; 5]].concat());
    assert_eq!((volume.inode(10).allocated, volume.superblock().allocated), (CHUNK + 5, CHUNK + 5));
}

#[test]
fn a_large_orphan_is_reaped_in_steps() {
    let mut volume = with_file();
    let count = (INSTANT_REAP + REAP_STEP) as u64;
    volume.ok(write(10, 0, count * CHUNK, (0..count).map(|index| (index, segment(4096))).collect()));
    volume.ok(unlink(1, "f", 10, LastLink::Reap));
    assert_eq!(read::orphan(&volume.view(), Ino(10)).unwrap().unwrap().slot, 0);
    assert_eq!(volume.refused(write(10, 1, 0, vec![])), ApplyError::NoInode(Ino(10)));
    assert_eq!(volume.refused(link(10, 1, "again")), ApplyError::NoInode(Ino(10)));
    volume.ok(Op::Reap { ino: Ino(10) });
    assert_eq!(volume.superblock().allocated, INSTANT_REAP as u64 * CHUNK);
    assert!(volume.exists(10));
    volume.ok(Op::Reap { ino: Ino(10) });
    assert!(!volume.exists(10));
    assert_eq!((volume.superblock().inodes, volume.superblock().allocated), (1, 0));
    assert_eq!(volume.refused(Op::Reap { ino: Ino(10) }), ApplyError::NoInode(Ino(10)));
}

#[test]
fn a_named_file_is_not_reaped() {
    let mut volume = with_file();
    assert_eq!(volume.refused(Op::Reap { ino: Ino(10) }), ApplyError::Changed);
}

#[test]
fn attributes_change_as_told_and_no_others() {
    let mut volume = with_file();
    let before = volume.inode(10);
    volume.ok(Op::SetAttr {
        ino: Ino(10),
        perm: Some(0o4711),
        uid: None,
        gid: Some(5),
        atime: Some(at(-9)),
        mtime: None,
        ctime: at(9),
    });
    let expected = Inode { perm: 0o4711, gid: 5, atime: at(-9), ctime: at(9), ..before };
    assert_eq!(volume.inode(10), expected);
    let op = |perm, nanos| Op::SetAttr {
        ino: Ino(10),
        perm: Some(perm),
        uid: None,
        gid: None,
        atime: None,
        mtime: Some(Timestamp { secs: 0, nanos }),
        ctime: at(9),
    };
    assert!(matches!(volume.refused(op(0o10000, 0)), ApplyError::Invalid(_)));
    assert!(matches!(volume.refused(op(0, 1_000_000_000)), ApplyError::Invalid(_)));
}

#[test]
fn xattrs_obey_create_and_replace_and_clear_their_flag() {
    let mut volume = with_file();
    let set = |entry: &str, create| Op::SetXattr {
        ino: Ino(10),
        name: name(entry),
        value: name("v"),
        create,
        perm: Some(0o600),
        ctime: at(9),
    };
    let remove = |entry: &str| Op::RemoveXattr { ino: Ino(10), name: name(entry), perm: None, ctime: at(10) };
    assert_eq!(volume.refused(set("user.a", Some(false))), ApplyError::NoXattr);
    volume.ok(set("user.a", Some(true)));
    assert_eq!(volume.refused(set("user.a", Some(true))), ApplyError::XattrExists);
    volume.ok(set("user.a", Some(false)));
    volume.ok(set("user.b", None));
    assert_eq!(
        (volume.inode(10).has_xattrs, volume.inode(10).perm, volume.inode(10).ctime),
        (true, 0o600, at(9))
    );
    assert_eq!(read::xattr_names(&volume.view(), Ino(10)).unwrap(), vec![name("user.a"), name("user.b")]);
    assert_eq!(read::xattr(&volume.view(), Ino(10), b"user.a").unwrap(), Some(name("v")));
    volume.ok(remove("user.a"));
    assert!(volume.inode(10).has_xattrs);
    volume.ok(remove("user.b"));
    assert!(!volume.inode(10).has_xattrs);
    assert_eq!(volume.refused(remove("user.b")), ApplyError::NoXattr);
}

#[test]
fn xattrs_leave_with_their_inode() {
    let mut volume = Volume::new();
    let mut op = file(1, "f", 10);
    if let Op::Create { xattrs, .. } = &mut op {
        *xattrs = vec![(name("system.posix_acl_access"), name("acl"))];
    }
    volume.ok(op);
    assert!(volume.inode(10).has_xattrs);
    volume.ok(unlink(1, "f", 10, LastLink::Reap));
    assert_eq!(read::xattr(&volume.view(), Ino(10), b"system.posix_acl_access").unwrap(), None);
}

#[test]
fn the_quota_stops_growth_here_but_never_replay() {
    let mut volume = with_file();
    volume.ok(Op::SetQuota { bytes: 100, inodes: 3 });
    volume.ok(file(1, "g", 11));
    assert_eq!(volume.refused(file(1, "h", 12)), ApplyError::Quota);
    volume.ok(write(10, 0, 100, vec![(0, inline(1, 100))]));
    assert_eq!(volume.refused(write(11, 0, 1, vec![(0, inline(1, 1))])), ApplyError::Quota);
    volume.ok(write(11, 0, 1, vec![]));
    let clone = Op::Clone {
        source: Ino(10),
        from: 0,
        ino: Ino(11),
        to: 0,
        count: 1,
        version: 1,
        size: 100,
        mtime: at(7),
        ctime: at(7),
    };
    assert_eq!(volume.refused(clone.clone()), ApplyError::Quota);
    volume.context.enforce_quota = false;
    volume.ok(clone);
    volume.ok(file(1, "h", 12));
    volume.context.enforce_quota = true;
    volume.ok(write(10, 1, 50, vec![]));
}
