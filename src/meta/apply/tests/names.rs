//! Directories and links.
use super::*;
use crate::meta::record::{Inode, MAX_LINKS};

#[test]
fn a_new_volume_has_an_empty_root() {
    let volume = Volume::new();
    let root = volume.inode(1);
    assert_eq!((root.kind, root.perm, root.nlink, root.size), (FileKind::Directory, 0o755, 2, 0));
    assert_eq!((root.uid, root.gid, root.parent), (1000, 100, Ino::ROOT));
    assert_eq!((volume.superblock().inodes, volume.superblock().chunk_size), (1, MIN_CHUNK));
}

#[test]
fn a_volume_is_not_made_over_another_or_with_an_odd_chunk_size() {
    let volume = Volume::new();
    let view = volume.view();
    assert_eq!(genesis(&mut Txn::new(&view), at(0), 0, 0, MIN_CHUNK), Err(ApplyError::Exists));
    for size in [0, 1, 4095, 5000, 262_144] {
        let made = genesis(&mut Txn::new(&EmptyView), at(0), 0, 0, size);
        assert_eq!(made, Err(ApplyError::Invalid("the chunk size")));
    }
}

#[test]
fn create_counts_the_entry_and_touches_the_parent() {
    let mut volume = Volume::new();
    volume.ok(create(1, "f", 10, FileKind::Regular, 50));
    let (root, inode) = (volume.inode(1), volume.inode(10));
    assert_eq!((root.size, root.nlink, root.mtime, root.ctime, root.atime), (1, 2, at(50), at(50), at(0)));
    assert_eq!((inode.nlink, inode.size, inode.btime, inode.parent), (1, 0, at(50), Ino(1)));
    assert_eq!(volume.superblock().inodes, 2);
    assert_eq!(volume.lookup(1, "f"), Some(10));
}

#[test]
fn mkdir_and_rmdir_count_the_links_of_the_parent() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "d", 10));
    assert_eq!((volume.inode(1).nlink, volume.inode(10).nlink), (3, 2));
    volume.ok(dir(10, "sub", 11));
    assert_eq!(volume.refused(rmdir(1, "d", 10)), ApplyError::NotEmpty);
    volume.ok(rmdir(10, "sub", 11));
    volume.ok(rmdir(1, "d", 10));
    assert_eq!((volume.inode(1).nlink, volume.inode(1).size, volume.inode(1).mtime), (2, 0, at(4)));
    assert!(!volume.exists(10) && !volume.exists(11));
    assert_eq!(volume.superblock().inodes, 1);
}

#[test]
fn a_name_or_number_that_is_taken_is_refused() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    assert_eq!(volume.refused(file(1, "f", 11)), ApplyError::Exists);
    assert!(matches!(volume.refused(file(1, "g", 10)), ApplyError::Invalid(_)));
    assert_eq!(volume.refused(file(10, "g", 11)), ApplyError::NotDirectory);
    assert_eq!(volume.refused(file(99, "g", 11)), ApplyError::NoInode(Ino(99)));
}

#[test]
fn names_that_no_path_can_hold_are_refused() {
    let mut volume = Volume::new();
    volume.ok(file(1, &"x".repeat(255), 9));
    for bad in ["", ".", "..", "a/b", "nul\0", &"x".repeat(256)] {
        assert!(matches!(volume.refused(dir(1, bad, 10)), ApplyError::Invalid(_)), "{bad:?}");
        assert!(matches!(volume.refused(link(9, 1, bad)), ApplyError::Invalid(_)), "{bad:?}");
    }
}

#[test]
fn a_symlink_has_the_size_of_its_target_and_only_it_has_one() {
    let mut volume = Volume::new();
    volume.ok(create(1, "l", 10, FileKind::Symlink, 1));
    assert_eq!((volume.inode(10).size, volume.inode(10).target), (6, name("target")));
    let mut bad = file(1, "f", 11);
    if let Op::Create { target, .. } = &mut bad {
        *target = name("x");
    }
    assert!(matches!(volume.refused(bad), ApplyError::Invalid(_)));
}

#[test]
fn device_numbers_are_for_devices() {
    let mut volume = Volume::new();
    for (ino, kind, kept) in
        [(10, FileKind::CharDevice, 77), (11, FileKind::BlockDevice, 77), (12, FileKind::Fifo, 0)]
    {
        let mut op = create(1, &format!("n{ino}"), ino, kind, 1);
        if let Op::Create { rdev, .. } = &mut op {
            *rdev = 77;
        }
        volume.ok(op);
        assert_eq!(volume.inode(ino).rdev, kept);
    }
}

#[test]
fn links_share_an_inode_until_the_last_one_goes() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "d", 9));
    volume.ok(file(1, "f", 10));
    volume.ok(link(10, 9, "g"));
    assert_eq!((volume.inode(10).nlink, volume.inode(10).ctime, volume.inode(9).size), (2, at(2), 1));
    assert_eq!(volume.inode(10).parent, Ino(1));
    assert_eq!(volume.refused(link(9, 1, "d2")), ApplyError::IsDirectory);
    assert_eq!(volume.refused(link(10, 9, "g")), ApplyError::Exists);
    volume.ok(unlink(1, "f", 10, LastLink::Reap));
    assert_eq!((volume.inode(10).nlink, volume.inode(10).ctime), (1, at(3)));
    volume.ok(unlink(9, "g", 10, LastLink::Reap));
    assert!(!volume.exists(10));
}

#[test]
fn links_are_bounded() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume.ok(dir(1, "d", 11));
    for ino in [10, 11] {
        let full = Inode { nlink: MAX_LINKS, ..volume.inode(ino) };
        volume.state.set(crate::meta::key::inode(Ino(ino)), Some(full.encode().into()));
    }
    assert_eq!(volume.refused(link(10, 1, "g")), ApplyError::TooManyLinks);
    assert_eq!(volume.refused(dir(11, "sub", 12)), ApplyError::TooManyLinks);
    volume.ok(file(11, "sub", 12));
}

#[test]
fn an_entry_that_is_another_one_by_now_is_a_conflict() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume.ok(file(1, "g", 11));
    volume.ok(dir(1, "d", 12));
    assert_eq!(volume.refused(unlink(1, "f", 11, LastLink::Reap)), ApplyError::Changed);
    assert_eq!(volume.refused(unlink(1, "none", 11, LastLink::Reap)), ApplyError::NoEntry);
    assert_eq!(volume.refused(unlink(1, "d", 12, LastLink::Reap)), ApplyError::IsDirectory);
    assert_eq!(volume.refused(rmdir(1, "d", 13)), ApplyError::Changed);
    assert_eq!(volume.refused(rmdir(1, "f", 10)), ApplyError::NotDirectory);
    assert_eq!(volume.refused(rename((1, "f", 11), (1, "h", None), false)), ApplyError::Changed);
    assert_eq!(volume.refused(rename((1, "f", 10), (1, "g", Some(12)), false)), ApplyError::Changed);
    assert_eq!(volume.refused(rename((1, "f", 10), (1, "g", None), false)), ApplyError::Exists);
    assert_eq!(volume.refused(rename((1, "f", 10), (1, "h", Some(11)), false)), ApplyError::Changed);
    assert_eq!(volume.refused(rename((1, "f", 10), (1, "h", Some(11)), true)), ApplyError::NoEntry);
}

#[test]
fn rename_moves_a_directory_with_its_dot_dot() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "a", 10));
    volume.ok(dir(1, "b", 11));
    volume.ok(dir(10, "x", 12));
    volume.ok(rename((10, "x", 12), (11, "y", None), false));
    assert_eq!((volume.inode(10).nlink, volume.inode(11).nlink), (2, 3));
    assert_eq!((volume.inode(10).size, volume.inode(11).size), (0, 1));
    assert_eq!((volume.inode(10).mtime, volume.inode(11).mtime), (at(5), at(5)));
    assert_eq!((volume.inode(12).parent, volume.inode(12).ctime), (Ino(11), at(5)));
    assert_eq!((volume.lookup(10, "x"), volume.lookup(11, "y")), (None, Some(12)));
}

#[test]
fn rename_over_a_file_takes_its_name_and_over_an_empty_directory_its_place() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume.ok(file(1, "g", 11));
    volume.ok(dir(1, "d", 12));
    volume.ok(dir(1, "e", 13));
    assert_eq!(volume.refused(rename((1, "f", 10), (1, "d", Some(12)), false)), ApplyError::IsDirectory);
    assert_eq!(volume.refused(rename((1, "d", 12), (1, "f", Some(10)), false)), ApplyError::NotDirectory);
    volume.ok(rename((1, "f", 10), (1, "g", Some(11)), false));
    volume.ok(rename((1, "d", 12), (1, "e", Some(13)), false));
    assert_eq!((volume.lookup(1, "g"), volume.lookup(1, "e")), (Some(10), Some(12)));
    assert!(!volume.exists(11) && !volume.exists(13));
    assert_eq!((volume.inode(1).size, volume.inode(1).nlink), (2, 3));
    volume.ok(dir(1, "d", 14));
    volume.ok(file(12, "inside", 15));
    assert_eq!(volume.refused(rename((1, "d", 14), (1, "e", Some(12)), false)), ApplyError::NotEmpty);
}

#[test]
fn rename_between_two_links_of_one_inode_does_nothing() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume.ok(link(10, 1, "g"));
    let before = volume.state.clone();
    volume.ok(rename((1, "f", 10), (1, "g", Some(10)), false));
    volume.ok(rename((1, "f", 10), (1, "g", Some(10)), true));
    volume.ok(rename((1, "f", 10), (1, "f", Some(10)), false));
    assert_eq!(volume.state, before);
}

#[test]
fn a_directory_cannot_move_into_itself() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "a", 10));
    volume.ok(dir(10, "b", 11));
    volume.ok(dir(11, "c", 12));
    volume.ok(file(12, "f", 13));
    assert_eq!(volume.refused(rename((1, "a", 10), (10, "x", None), false)), ApplyError::Loop);
    assert_eq!(volume.refused(rename((1, "a", 10), (12, "x", None), false)), ApplyError::Loop);
    assert_eq!(volume.refused(rename((1, "a", 10), (12, "f", Some(13)), true)), ApplyError::Loop);
    assert_eq!(volume.refused(rename((12, "f", 13), (1, "a", Some(10)), true)), ApplyError::Loop);
    volume.ok(rename((11, "c", 12), (1, "x", None), false));
}

#[test]
fn exchange_swaps_places_and_links() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "a", 10));
    volume.ok(dir(10, "sub", 11));
    volume.ok(file(1, "f", 12));
    volume.ok(rename((10, "sub", 11), (1, "f", Some(12)), true));
    assert_eq!((volume.lookup(10, "sub"), volume.lookup(1, "f")), (Some(12), Some(11)));
    assert_eq!((volume.inode(10).nlink, volume.inode(1).nlink), (2, 4));
    assert_eq!((volume.inode(10).size, volume.inode(1).size), (1, 2));
    assert_eq!((volume.inode(11).parent, volume.inode(12).parent), (Ino(1), Ino(10)));
    let kinds = read::lookup(&volume.view(), Ino(1), b"f").unwrap().unwrap().kind;
    assert_eq!(kinds, FileKind::Directory);
}

#[test]
fn an_unlinked_open_file_lives_for_its_session_alone() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    volume.ok(open_session(2));
    volume.ok(unlink(1, "f", 10, LastLink::Keep(SLOT)));
    assert_eq!(volume.inode(10).nlink, 0);
    volume.ok(write(10, 0, 3, vec![(0, inline(7, 3))]));
    volume.context.slot = 2;
    assert_eq!(volume.refused(write(10, 1, 3, vec![])), ApplyError::NoInode(Ino(10)));
    assert_eq!(volume.refused(Op::Reap { ino: Ino(10) }), ApplyError::Changed);
    volume.context.slot = SLOT;
    volume.ok(Op::Reap { ino: Ino(10) });
    assert!(!volume.exists(10));
    assert_eq!((volume.superblock().inodes, volume.superblock().allocated), (1, 0));
    assert_eq!(read::orphans(&volume.view()).unwrap(), vec![]);
}

#[test]
fn a_file_without_a_name_can_get_one() {
    let mut volume = Volume::new();
    volume.ok(file(1, "", 10));
    assert_eq!((volume.inode(10).nlink, volume.inode(1).size, volume.inode(1).mtime), (0, 0, at(0)));
    assert_eq!(read::orphan(&volume.view(), Ino(10)).unwrap().unwrap().slot, SLOT);
    volume.ok(link(10, 1, "f"));
    assert_eq!((volume.inode(10).nlink, volume.lookup(1, "f")), (1, Some(10)));
    assert_eq!(read::orphans(&volume.view()).unwrap(), vec![]);
    assert!(matches!(volume.refused(dir(1, "", 11)), ApplyError::Invalid(_)));
}

#[test]
fn removed_directories_take_no_entries() {
    let mut volume = Volume::new();
    volume.ok(dir(1, "d", 10));
    volume.ok(file(1, "f", 11));
    volume.ok(rmdir(1, "d", 10));
    assert_eq!(volume.refused(file(10, "x", 12)), ApplyError::NoInode(Ino(10)));
    assert_eq!(volume.refused(link(11, 10, "x")), ApplyError::NoInode(Ino(10)));
    assert_eq!(volume.refused(rename((1, "f", 11), (10, "x", None), false)), ApplyError::NoInode(Ino(10)));
}
