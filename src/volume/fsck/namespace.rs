//! The tree of names: every name leads somewhere, every inode is named as often as it says.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::super::VolumeError;
use super::FsckReport;
use super::records::Links;
use crate::base::Ino;
use crate::meta::key;
use crate::meta::record::{FileKind, Inode};
use crate::meta::view::View;

/// Compares each inode with what was counted about it; what is left over has no inode.
pub(super) fn check(
    view: &dyn View,
    mut links: HashMap<Ino, Links>,
    report: &mut FsckReport,
) -> Result<(), VolumeError> {
    view.scan(&key::inode(Ino(0)), &key::inode(Ino(u64::MAX)), &mut |found, value| {
        let Some(key::Parsed::Inode(ino)) = key::parse(found) else { return ControlFlow::Continue(()) };
        report.inodes += 1;
        let counted = links.remove(&ino).unwrap_or_default();
        match Inode::decode(value) {
            Ok(inode) => check_inode(ino, &inode, counted, report),
            Err(error) => report.problem(format!("inode {ino}: {error}")),
        }
        ControlFlow::Continue(())
    })?;
    for (ino, left) in links {
        report.problem(format!(
            "inode {ino} does not exist, but has {} names, {} entries and {} bytes",
            left.names, left.entries, left.allocated
        ));
    }
    Ok(())
}

fn check_inode(ino: Ino, inode: &Inode, counted: Links, report: &mut FsckReport) {
    let mut differs = |what: &str, says: u64, is: u64| {
        if says != is {
            report.problem(format!("inode {ino}: its record says {says} {what}, there are {is}"));
        }
    };
    differs("bytes allocated", inode.allocated, counted.allocated);
    differs("(0 or 1) xattrs at all", u64::from(inode.has_xattrs), u64::from(counted.xattrs));
    if inode.kind == FileKind::Directory {
        differs("entries", inode.size, counted.entries);
        if !counted.orphan {
            differs("links", u64::from(inode.nlink), u64::from(counted.directories) + 2);
            differs("names", 1, u64::from(counted.names) + u64::from(ino == Ino::ROOT));
        }
    } else {
        differs("links", u64::from(inode.nlink), u64::from(counted.names));
        if counted.names == 0 && !counted.orphan {
            report.problem(format!("inode {ino} has no name and is no orphan"));
        }
    }
}
