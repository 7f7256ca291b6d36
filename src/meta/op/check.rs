//! Bounds that an op keeps whatever the state is. Decoding and `apply` both ask here.
use super::{LastLink, Op};
use crate::base::Timestamp;
use crate::meta::key::MAX_OBJECT_KEY;
use crate::meta::record::{
    ChunkRef, FileKind, MAX_FILE_SIZE, MAX_HOST, MAX_INLINE, MAX_NAME, MAX_TARGET, MAX_XATTR, MIN_CHUNK,
    SLOTS,
};
use crate::vault::MAX_CHUNK;

/// Most chunks that one op sets, removes or moves.
pub const MAX_OP_CHUNKS: usize = 65536;
/// Most extended attributes that one Create sets.
pub const MAX_CREATE_XATTRS: usize = 64;
/// Most objects or segments that one op names.
pub const MAX_OP_OBJECTS: usize = 65536;

/// Chunk indexes are at most this: index times any chunk size is far from overflow.
const MAX_INDEX: u64 = MAX_FILE_SIZE / MIN_CHUNK as u64;

type Check = Result<(), &'static str>;

impl Op {
    /// Names the first bound that the op breaks, as a noun for an error message.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Create { .. } => check_create(self),
            Self::Link { name, time, .. } | Self::Rmdir { name, time, .. } => {
                check_name(name)?;
                check_time(*time)
            }
            Self::Unlink { name, last, time, .. } => {
                check_name(name)?;
                check_last(*last)?;
                check_time(*time)
            }
            Self::Rename { name, new_name, replaced, exchange, last, time, .. } => {
                check_name(name)?;
                check_name(new_name)?;
                check_last(*last)?;
                ensure(!*exchange || replaced.is_some(), "an exchange without a second inode")?;
                check_time(*time)
            }
            Self::SetAttr { perm, atime, mtime, ctime, .. } => {
                check_perm(*perm)?;
                [*atime, *mtime, Some(*ctime)].into_iter().flatten().try_for_each(check_time)
            }
            Self::Write { size, chunks, perm, mtime, ctime, .. } => {
                check_size(*size)?;
                check_chunks(chunks)?;
                check_perm(*perm)?;
                [*mtime, Some(*ctime)].into_iter().flatten().try_for_each(check_time)
            }
            Self::Clone { from, to, count, size, mtime, ctime, .. } => {
                ensure(*count <= MAX_OP_CHUNKS as u64, "the number of chunks")?;
                check_range(*from, *count)?;
                check_range(*to, *count)?;
                check_size(*size)?;
                [*mtime, *ctime].into_iter().try_for_each(check_time)
            }
            Self::Collapse { from, count, size, mtime, ctime, .. } => {
                check_range(*from, *count)?;
                check_size(*size)?;
                [*mtime, *ctime].into_iter().try_for_each(check_time)
            }
            Self::SetXattr { name, value, perm, ctime, .. } => {
                check_xattr(name, value)?;
                check_perm(*perm)?;
                check_time(*ctime)
            }
            Self::RemoveXattr { name, perm, ctime, .. } => {
                check_xattr(name, &[])?;
                check_perm(*perm)?;
                check_time(*ctime)
            }
            _ => self.check_upkeep(),
        }
    }

    /// The ops that no system call makes.
    fn check_upkeep(&self) -> Check {
        match self {
            Self::AddSegment { record, .. } => record.check(),
            Self::RemoveSegments { ids } => ensure(ids.len() <= MAX_OP_OBJECTS, "the number of segments"),
            Self::Relocate { index, from, to, .. } => {
                ensure(*index <= MAX_INDEX, "a chunk index")?;
                check_chunk(from)?;
                check_chunk(to)?;
                ensure(from.len() == to.len(), "the length of a moved chunk")
            }
            Self::OpenSession { slot, host, time, .. } => {
                ensure((1..SLOTS).contains(slot), "a slot")?;
                ensure(host.len() <= MAX_HOST && !host.chars().any(char::is_control), "a host name")?;
                check_time(*time)
            }
            Self::Condemn { objects, time } => {
                check_objects(objects)?;
                check_time(*time)
            }
            Self::Pardon { objects } => check_objects(objects),
            Self::PublishBoundary { time, .. } => check_time(*time),
            _ => Ok(()),
        }
    }
}

fn check_create(op: &Op) -> Check {
    let Op::Create { name, ino, kind, perm, target, xattrs, time, .. } = op else { return Ok(()) };
    if name.is_empty() {
        ensure(*kind == FileKind::Regular, "the kind of a file without a name")?;
    } else {
        check_name(name)?;
    }
    ensure(ino.0 > 1, "an inode number")?;
    check_perm(Some(*perm))?;
    let target_fits = match kind {
        FileKind::Symlink => (1..=MAX_TARGET).contains(&target.len()) && !target.contains(&0),
        _ => target.is_empty(),
    };
    ensure(target_fits, "the target of a symlink")?;
    ensure(xattrs.len() <= MAX_CREATE_XATTRS, "the number of extended attributes")?;
    xattrs.iter().try_for_each(|(name, value)| check_xattr(name, value))?;
    check_time(*time)
}

fn ensure(holds: bool, bound: &'static str) -> Check {
    if holds { Ok(()) } else { Err(bound) }
}

fn check_name(name: &[u8]) -> Check {
    let fits = (1..=MAX_NAME).contains(&name.len()) && !name.iter().any(|&byte| byte == b'/' || byte == 0);
    ensure(fits && name != b"." && name != b"..", "a name")
}

fn check_xattr(name: &[u8], value: &[u8]) -> Check {
    ensure((1..=MAX_NAME).contains(&name.len()) && !name.contains(&0), "the name of an extended attribute")?;
    ensure(value.len() <= MAX_XATTR, "the value of an extended attribute")
}

fn check_time(time: Timestamp) -> Check {
    ensure(time.nanos < 1_000_000_000, "a time")
}

fn check_perm(perm: Option<u16>) -> Check {
    ensure(perm.is_none_or(|perm| perm <= 0o7777), "the permission bits")
}

fn check_last(last: LastLink) -> Check {
    ensure(last != LastLink::Keep(0), "the slot that keeps a file")
}

fn check_size(size: u64) -> Check {
    ensure(size <= MAX_FILE_SIZE, "the size of a file")
}

fn check_range(first: u64, count: u64) -> Check {
    let end = first.checked_add(count).filter(|&end| count > 0 && end <= MAX_INDEX);
    ensure(end.is_some(), "a range of chunks")
}

fn check_chunks(chunks: &[(u64, Option<ChunkRef>)]) -> Check {
    ensure(chunks.len() <= MAX_OP_CHUNKS, "the number of chunks")?;
    ensure(chunks.is_sorted_by(|(a, _), (b, _)| a < b), "the order of chunks")?;
    ensure(chunks.last().is_none_or(|(index, _)| *index <= MAX_INDEX), "a chunk index")?;
    chunks.iter().filter_map(|(_, chunk)| chunk.as_ref()).try_for_each(check_chunk)
}

fn check_chunk(chunk: &ChunkRef) -> Check {
    let longest = match chunk {
        ChunkRef::Inline(_) => MAX_INLINE,
        ChunkRef::Segment { .. } => MAX_CHUNK,
    };
    ensure((1..=longest as u64).contains(&chunk.len()), "the length of a chunk")
}

fn check_objects(objects: &[String]) -> Check {
    ensure(objects.len() <= MAX_OP_OBJECTS, "the number of objects")?;
    let fit = objects.iter().all(|object| (1..=MAX_OBJECT_KEY).contains(&object.len()));
    ensure(fit, "the key of an object")
}
