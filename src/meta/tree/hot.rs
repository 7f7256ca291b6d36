//! What every mount reads first, and whoever looks at its top directory next: the leaves with these records are written
//! again by each fold, so that they are found together in the newest packs.
//!
//! Of 14 directories in the root, made one after the other with 20,000 files each, every inode had come to lie in a pack of
//! other times: a mount and a listing of the root took ten packs. Written again they are part of the one that it reads anyway.
//! An entry costs a leaf of some ten KiB, sealed, in each fold, so only the first ones of a large directory count.

use std::ops::ControlFlow;

use crate::base::Ino;
use crate::meta::key::{self, Scan};
use crate::meta::read;
use crate::meta::view::{ReadError, View};

/// Entries of the root directory, from the first listed one on, whose inodes are kept at hand.
const MOST_ENTRIES: usize = 16;

/// The scans of what is read by whoever mounts `view` and lists its root.
///
/// # Errors
/// Those of `view`.
pub(super) fn scans(view: &dyn View) -> Result<Vec<Scan>, ReadError> {
    let mut entries = Vec::with_capacity(MOST_ENTRIES);
    read::list(view, Ino::ROOT, 0, &mut |entry| {
        entries.push(entry);
        if entries.len() < MOST_ENTRIES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut scans = key::read_by_every_mount().to_vec();
    scans.extend(entries.iter().map(|entry| key::one(key::inode(entry.dentry.ino))));
    if let Some(last) = entries.last() {
        scans.push((key::dentries(Ino::ROOT).0, key::dentries_from(Ino::ROOT, last.position + 1)));
    }
    Ok(scans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::overlay::Txn;
    use crate::meta::record::{Dentry, FileKind};
    use crate::meta::view::EmptyView;

    fn entries(parent: Ino, inodes: std::ops::Range<u64>) -> Txn<'static> {
        let mut txn = Txn::new(&EmptyView);
        for ino in inodes {
            let dentry = Dentry { ino: Ino(ino), kind: FileKind::Directory };
            txn.put(key::dentry(parent, ino.to_string().as_bytes()), dentry.encode());
        }
        txn
    }

    fn hold(scans: &[Scan], key: &[u8]) -> bool {
        scans.iter().any(|(start, end)| start.as_slice() <= key && key < end.as_slice())
    }

    #[test]
    fn the_entries_of_the_root_and_their_inodes_are_hot() {
        let scans = scans(&entries(Ino::ROOT, 10..20)).unwrap();
        for ino in 10..20 {
            assert!(hold(&scans, &key::inode(Ino(ino))));
            assert!(hold(&scans, &key::dentry(Ino::ROOT, ino.to_string().as_bytes())));
        }
        assert!(hold(&scans, &key::superblock()) && !hold(&scans, &key::inode(Ino(20))));
    }

    #[test]
    fn of_a_large_root_only_the_beginning_is_hot_and_of_other_directories_nothing() {
        let large = scans(&entries(Ino::ROOT, 10..10_000)).unwrap();
        assert_eq!(large.len(), key::read_by_every_mount().len() + MOST_ENTRIES + 1);
        assert!(!hold(&large, &key::dentries_from(Ino::ROOT, 1 << 55)));
        assert_eq!(scans(&entries(Ino(7), 10..20)).unwrap(), key::read_by_every_mount());
    }
}
