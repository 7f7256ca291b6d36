//! From untrusted bytes to an op: the inverse of encode, with every count and length capped first.
use super::encode::code;
use super::{LastLink, MAX_CREATE_XATTRS, MAX_OP_CHUNKS, MAX_OP_OBJECTS, Op};
use crate::base::{DecodeError, Ino, MachineId, Reader, Seq, SessionId};
use crate::meta::key::MAX_OBJECT_KEY;
use crate::meta::record::{
    ChunkRef, FileKind, MAX_HOST, MAX_NAME, MAX_TARGET, MAX_XATTR, Record, SegmentRecord, byte_string, flag,
    object_id, text, time,
};

type Decoded<T> = Result<T, DecodeError>;

impl Op {
    /// Takes one op off the front. Refuses unknown codes and whatever [`Op::check`] refuses.
    pub fn decode(r: &mut Reader<'_>) -> Result<Op, DecodeError> {
        let op = match r.u8("op code")? {
            code @ code::CREATE..=code::RENAME => decode_namespace(code, r)?,
            code @ code::SET_ATTR..=code::REMOVE_XATTR => decode_file(code, r)?,
            code => decode_upkeep(code, r)?,
        };
        op.check().map_err(DecodeError::Invalid)?;
        Ok(op)
    }
}

/// The ops that change directories.
fn decode_namespace(code: u8, r: &mut Reader<'_>) -> Decoded<Op> {
    Ok(match code {
        code::CREATE => Op::Create {
            parent: ino(r)?,
            name: name(r)?,
            ino: ino(r)?,
            kind: FileKind::read(r)?,
            perm: r.u16("perm")?,
            uid: r.u32("uid")?,
            gid: r.u32("gid")?,
            rdev: r.u32("rdev")?,
            target: byte_string(r, MAX_TARGET, "symlink target")?,
            xattrs: list(r, MAX_CREATE_XATTRS, "list of extended attributes", |r| Ok((name(r)?, value(r)?)))?,
            time: time(r, "time")?,
        },
        code::LINK => Op::Link { ino: ino(r)?, parent: ino(r)?, name: name(r)?, time: time(r, "time")? },
        code::UNLINK => Op::Unlink {
            parent: ino(r)?,
            name: name(r)?,
            ino: ino(r)?,
            last: last(r)?,
            time: time(r, "time")?,
        },
        code::RMDIR => Op::Rmdir { parent: ino(r)?, name: name(r)?, ino: ino(r)?, time: time(r, "time")? },
        code::RENAME => Op::Rename {
            from: ino(r)?,
            name: name(r)?,
            ino: ino(r)?,
            to: ino(r)?,
            new_name: name(r)?,
            replaced: option(r, ino)?,
            exchange: flag(r, "exchange flag")?,
            last: last(r)?,
            time: time(r, "time")?,
        },
        _ => return Err(DecodeError::Invalid("op code")),
    })
}

/// The ops that change one file.
fn decode_file(code: u8, r: &mut Reader<'_>) -> Decoded<Op> {
    Ok(match code {
        code::SET_ATTR => Op::SetAttr {
            ino: ino(r)?,
            perm: perm(r)?,
            uid: option(r, |r| r.u32("uid"))?,
            gid: option(r, |r| r.u32("gid"))?,
            atime: option(r, |r| time(r, "atime"))?,
            mtime: option(r, |r| time(r, "mtime"))?,
            ctime: time(r, "ctime")?,
        },
        code::WRITE => Op::Write {
            ino: ino(r)?,
            version: r.u64("content version")?,
            size: r.u64("size")?,
            chunks: list(r, MAX_OP_CHUNKS, "list of chunks", |r| {
                Ok((r.u64("chunk index")?, option(r, ChunkRef::read)?))
            })?,
            perm: perm(r)?,
            mtime: option(r, |r| time(r, "mtime"))?,
            ctime: time(r, "ctime")?,
        },
        code::CLONE => Op::Clone {
            source: ino(r)?,
            from: r.u64("chunk index")?,
            ino: ino(r)?,
            to: r.u64("chunk index")?,
            count: r.u64("number of chunks")?,
            version: r.u64("content version")?,
            size: r.u64("size")?,
            mtime: time(r, "mtime")?,
            ctime: time(r, "ctime")?,
        },
        code::COLLAPSE => Op::Collapse {
            ino: ino(r)?,
            from: r.u64("chunk index")?,
            count: r.u64("number of chunks")?,
            version: r.u64("content version")?,
            size: r.u64("size")?,
            mtime: time(r, "mtime")?,
            ctime: time(r, "ctime")?,
        },
        code::SET_XATTR => Op::SetXattr {
            ino: ino(r)?,
            name: name(r)?,
            value: value(r)?,
            create: option(r, |r| flag(r, "create flag"))?,
            perm: perm(r)?,
            ctime: time(r, "ctime")?,
        },
        code::REMOVE_XATTR => {
            Op::RemoveXattr { ino: ino(r)?, name: name(r)?, perm: perm(r)?, ctime: time(r, "ctime")? }
        }
        _ => return Err(DecodeError::Invalid("op code")),
    })
}

/// The ops that no system call makes.
fn decode_upkeep(code: u8, r: &mut Reader<'_>) -> Decoded<Op> {
    Ok(match code {
        code::REAP => Op::Reap { ino: ino(r)? },
        code::ADD_SEGMENT => {
            Op::AddSegment { id: object_id(r, "segment id")?, record: SegmentRecord::read(r)? }
        }
        code::REMOVE_SEGMENTS => Op::RemoveSegments {
            ids: list(r, MAX_OP_OBJECTS, "list of segments", |r| object_id(r, "segment id"))?,
        },
        code::RELOCATE => Op::Relocate {
            ino: ino(r)?,
            index: r.u64("chunk index")?,
            from: ChunkRef::read(r)?,
            to: ChunkRef::read(r)?,
        },
        code::OPEN_SESSION => Op::OpenSession {
            slot: r.u32("slot")?,
            id: SessionId(r.array("session id")?),
            machine: MachineId(r.array("machine id")?),
            host: text(r, MAX_HOST, "host name")?,
            time: time(r, "time")?,
        },
        code::CLOSE_SESSION => Op::CloseSession { slot: r.u32("slot")? },
        code::CONDEMN => Op::Condemn { objects: objects(r)?, time: time(r, "time")? },
        code::PARDON => Op::Pardon { objects: objects(r)? },
        code::PUBLISH_BOUNDARY => {
            Op::PublishBoundary { boundary: Seq(r.u64("boundary")?), time: time(r, "time")? }
        }
        code::SET_QUOTA => Op::SetQuota { bytes: r.u64("quota")?, inodes: r.u64("quota")? },
        _ => return Err(DecodeError::Invalid("op code")),
    })
}

fn ino(r: &mut Reader<'_>) -> Decoded<Ino> {
    Ok(Ino(r.u64("inode number")?))
}

fn name(r: &mut Reader<'_>) -> Decoded<bytes::Bytes> {
    byte_string(r, MAX_NAME, "name")
}

fn value(r: &mut Reader<'_>) -> Decoded<bytes::Bytes> {
    byte_string(r, MAX_XATTR, "value of an extended attribute")
}

fn perm(r: &mut Reader<'_>) -> Decoded<Option<u16>> {
    option(r, |r| r.u16("perm"))
}

fn last(r: &mut Reader<'_>) -> Decoded<LastLink> {
    Ok(match r.u32("slot")? {
        0 => LastLink::Reap,
        slot => LastLink::Keep(slot),
    })
}

fn objects(r: &mut Reader<'_>) -> Decoded<Vec<String>> {
    list(r, MAX_OP_OBJECTS, "list of objects", |r| text(r, MAX_OBJECT_KEY, "object key"))
}

fn option<T>(r: &mut Reader<'_>, take: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Decoded<Option<T>> {
    if flag(r, "optional field")? { take(r).map(Some) } else { Ok(None) }
}

/// A count of four bytes, at most `cap`, and that many items. Memory grows with what is really there.
fn list<T>(
    r: &mut Reader<'_>,
    cap: usize,
    what: &'static str,
    mut take: impl FnMut(&mut Reader<'_>) -> Decoded<T>,
) -> Decoded<Vec<T>> {
    let count = r.u32(what)? as usize;
    if count > cap {
        return Err(DecodeError::TooLong(what));
    }
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(take(r)?);
    }
    Ok(items)
}
