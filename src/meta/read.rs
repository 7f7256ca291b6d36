//! Reading by meaning: typed records on top of any view.
//!
//! Failure behaviour: a record that does not decode is `ReadError::Corrupt` and names what stands under its
//! key (never a file's name). `ReadError::Missing` passes through: fetch the pack, call again.
use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use super::key;
use super::record::{
    self, ChunkRef, Condemned, Dentry, Inode, Orphan, Record, SegmentRecord, Session, Superblock, Xattr,
};
use super::view::{ReadError, View};
use crate::base::{Ino, ObjectId};

/// Counters and settings of the volume; a volume without them is corrupt.
pub fn superblock(view: &(impl View + ?Sized)) -> Result<Superblock, ReadError> {
    fetch(view, &key::superblock())?.ok_or_else(|| ReadError::Corrupt("the superblock is missing".into()))
}

/// The inode, orphans included.
pub fn inode(view: &(impl View + ?Sized), ino: Ino) -> Result<Option<Inode>, ReadError> {
    fetch(view, &key::inode(ino))
}

/// What `name` stands for in a directory; `None` also when there is no such directory.
pub fn lookup(view: &(impl View + ?Sized), parent: Ino, name: &[u8]) -> Result<Option<Dentry>, ReadError> {
    fetch(view, &key::dentry(parent, name))
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where the listing can go on: at this position this entry comes again, at the next one it does not.
    /// Names that share a position (56 bits of a hash) follow each other.
    pub position: u64,
    pub name: Bytes,
    pub dentry: Dentry,
}

/// Visits the entries of a directory from `position` on, in the order of their positions; Break ends it.
pub fn list(
    view: &(impl View + ?Sized),
    parent: Ino,
    position: u64,
    visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let bounds = (key::dentries_from(parent, position), key::dentries(parent).1);
    each(view, &bounds, &mut |key, dentry| {
        let (_, position, name) = key::parse_dentry(key)?;
        Some(visit(Listed { position, name: Bytes::copy_from_slice(name), dentry }))
    })
}

/// One chunk of a file; `None`: a hole.
pub fn chunk(view: &(impl View + ?Sized), ino: Ino, index: u64) -> Result<Option<ChunkRef>, ReadError> {
    fetch(view, &key::chunk(ino, index))
}

/// The chunks of a file with indexes in `range` that are not holes, ascending. The caller bounds the range.
pub fn chunks(
    view: &(impl View + ?Sized),
    ino: Ino,
    range: Range<u64>,
) -> Result<Vec<(u64, ChunkRef)>, ReadError> {
    let mut found = Vec::new();
    each_chunk(view, ino, range, &mut |index, chunk| {
        found.push((index, chunk));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Visits the chunks of a file with indexes in `range` that are not holes, ascending; Break ends it.
pub fn each_chunk(
    view: &(impl View + ?Sized),
    ino: Ino,
    range: Range<u64>,
    visit: &mut dyn FnMut(u64, ChunkRef) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let bounds = (key::chunk(ino, range.start), key::chunk(ino, range.end));
    each(view, &bounds, &mut |key, chunk| Some(visit(key::parse_chunk(key)?.1, chunk)))
}

/// The value of an extended attribute.
pub fn xattr(view: &(impl View + ?Sized), ino: Ino, name: &[u8]) -> Result<Option<Bytes>, ReadError> {
    Ok(fetch(view, &key::xattr(ino, name))?.map(|xattr: Xattr| xattr.value))
}

/// The names of all extended attributes of an inode, ascending.
pub fn xattr_names(view: &(impl View + ?Sized), ino: Ino) -> Result<Vec<Bytes>, ReadError> {
    let mut names = Vec::new();
    each(view, &key::xattrs(ino), &mut |key, _: Xattr| {
        names.push(Bytes::copy_from_slice(key::parse_xattr(key)?.1));
        Some(ControlFlow::Continue(()))
    })?;
    Ok(names)
}

/// Whether an inode is an orphan, and whose.
pub fn orphan(view: &(impl View + ?Sized), ino: Ino) -> Result<Option<Orphan>, ReadError> {
    fetch(view, &key::orphan(ino))
}

/// All orphans, ascending.
pub fn orphans(view: &(impl View + ?Sized)) -> Result<Vec<(Ino, Orphan)>, ReadError> {
    all(view, &key::orphans(), |key| match key::parse(key)? {
        key::Parsed::Orphan(ino) => Some(ino),
        _ => None,
    })
}

/// How to read a segment.
pub fn segment(view: &(impl View + ?Sized), id: ObjectId) -> Result<Option<SegmentRecord>, ReadError> {
    fetch(view, &key::segment(id))
}

/// Visits all segments, ascending by id; Break ends it.
pub fn each_segment(
    view: &(impl View + ?Sized),
    visit: &mut dyn FnMut(ObjectId, SegmentRecord) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    each(view, &key::segments(), &mut |key, record| match key::parse(key)? {
        key::Parsed::Segment(id) => Some(visit(id, record)),
        _ => None,
    })
}

/// The session of a slot.
pub fn session(view: &(impl View + ?Sized), slot: u32) -> Result<Option<Session>, ReadError> {
    fetch(view, &key::session(slot))
}

/// All sessions that are open, ascending by slot.
pub fn sessions(view: &(impl View + ?Sized)) -> Result<Vec<(u32, Session)>, ReadError> {
    all(view, &key::sessions(), |key| match key::parse(key)? {
        key::Parsed::Session(slot) => Some(slot),
        _ => None,
    })
}

/// Whether gc condemned an object, and when.
pub fn condemned(view: &(impl View + ?Sized), object_key: &str) -> Result<Option<Condemned>, ReadError> {
    fetch(view, &key::condemned(object_key))
}

/// All condemned objects by their keys, ascending.
pub fn all_condemned(view: &(impl View + ?Sized)) -> Result<Vec<(String, Condemned)>, ReadError> {
    all(view, &key::all_condemned(), |key| match key::parse(key)? {
        key::Parsed::Condemned(object) => String::from_utf8(object.to_vec()).ok(),
        _ => None,
    })
}

/// The record under `key`, decoded.
pub(super) fn fetch<R: Record>(view: &(impl View + ?Sized), key: &[u8]) -> Result<Option<R>, ReadError> {
    view.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
}

fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, ReadError> {
    record::decode(bytes).map_err(|error| ReadError::Corrupt(format!("{}: {error}", key::describe(key))))
}

/// All records of a scan with what `parse` makes of their keys.
fn all<K, R: Record>(
    view: &(impl View + ?Sized),
    bounds: &(Vec<u8>, Vec<u8>),
    parse: impl Fn(&[u8]) -> Option<K>,
) -> Result<Vec<(K, R)>, ReadError> {
    let mut found = Vec::new();
    each(view, bounds, &mut |key, record| {
        found.push((parse(key)?, record));
        Some(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Visitor of keys and decoded records.
type EachVisit<'v, R> = dyn FnMut(&[u8], R) -> Option<ControlFlow<()>> + 'v;

/// Visits keys and decoded records; Break ends it. A visitor says `None` to a key that makes no sense.
fn each<R: Record>(
    view: &(impl View + ?Sized),
    (start, end): &(Vec<u8>, Vec<u8>),
    visit: &mut EachVisit<'_, R>,
) -> Result<(), ReadError> {
    let mut failed = None;
    view.scan(start, end, &mut |key, bytes| {
        let flow = decode(key, bytes).and_then(|record| {
            visit(key, record).ok_or_else(|| ReadError::Corrupt(format!("{}: bad key", key::describe(key))))
        });
        flow.unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}
