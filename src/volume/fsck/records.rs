//! Every record decodes, and the sums that records keep are right.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::super::VolumeError;
use super::FsckReport;
use crate::base::Ino;
use crate::meta::record::{
    ChunkRef, Condemned, Dentry, FileKind, Orphan, SegmentRecord, Session, Superblock,
};
use crate::meta::view::View;
use crate::meta::{key, read};

/// What names an inode and what it holds, counted from the records around it.
#[derive(Default, Clone, Copy)]
pub(super) struct Links {
    pub names: u32,
    pub entries: u64,
    pub directories: u32,
    pub allocated: u64,
    pub orphan: bool,
    pub xattrs: bool,
}

#[derive(Default)]
pub(super) struct Facts {
    pub links: HashMap<Ino, Links>,
}

/// Decodes everything but inodes (`namespace` does those) and counts.
pub(super) fn check(view: &dyn View, chunk_size: u64, report: &mut FsckReport) -> Result<Facts, VolumeError> {
    let mut facts = Facts::default();
    let mut inodes = 0_u64;
    let mut allocated = 0_u64;
    view.scan(&[], &[0xff], &mut |found, value| {
        if let Err(what) = record(found, value, chunk_size, &mut facts, report, &mut inodes, &mut allocated) {
            report.problem(format!("{}: {what}", key::describe(found)));
        }
        ControlFlow::Continue(())
    })?;
    let superblock = read::superblock(view)?;
    if superblock.inodes != inodes {
        report.problem(format!("the superblock counts {} inodes, there are {inodes}", superblock.inodes));
    }
    if superblock.allocated != allocated {
        report.problem(format!(
            "the superblock counts {} bytes allocated, there are {allocated}",
            superblock.allocated
        ));
    }
    Ok(facts)
}

fn record(
    found: &[u8],
    value: &[u8],
    chunk_size: u64,
    facts: &mut Facts,
    report: &mut FsckReport,
    inodes: &mut u64,
    allocated: &mut u64,
) -> Result<(), String> {
    let parsed = key::parse(found).ok_or("a key that this version does not know")?;
    match parsed {
        key::Parsed::Superblock => decoded(Superblock::decode(value)).map(|_| ()),
        key::Parsed::Inode(_) => {
            *inodes += 1;
            Ok(())
        }
        key::Parsed::Dentry { parent, .. } => {
            report.dentries += 1;
            let dentry = decoded(Dentry::decode(value))?;
            facts.links.entry(dentry.ino).or_default().names += 1;
            let directory = facts.links.entry(parent).or_default();
            directory.entries += 1;
            directory.directories += u32::from(dentry.kind == FileKind::Directory);
            Ok(())
        }
        key::Parsed::Chunk(ino, _) => {
            report.chunks += 1;
            let len = match decoded(ChunkRef::decode(value))? {
                ChunkRef::Inline(bytes) => bytes.len() as u64,
                ChunkRef::Segment { len, .. } => u64::from(len),
            };
            facts.links.entry(ino).or_default().allocated += len;
            *allocated += len;
            if len > chunk_size { Err(format!("{len} bytes in a chunk of {chunk_size}")) } else { Ok(()) }
        }
        key::Parsed::Xattr(ino, _) => {
            facts.links.entry(ino).or_default().xattrs = true;
            Ok(())
        }
        key::Parsed::Orphan(ino) => {
            facts.links.entry(ino).or_default().orphan = true;
            decoded(Orphan::decode(value)).map(|_| ())
        }
        key::Parsed::Segment(_) => decoded(SegmentRecord::decode(value)).map(|_| ()),
        key::Parsed::Session(_) => decoded(Session::decode(value)).map(|_| ()),
        key::Parsed::Condemned(_) => decoded(Condemned::decode(value)).map(|_| ()),
    }
}

fn decoded<T>(result: Result<T, crate::base::DecodeError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
