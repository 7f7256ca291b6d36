//! From op to bytes: one byte of op code, then the fields in the order of their declaration.
use super::{LastLink, Op};
use crate::base::Writer;
use crate::meta::record::{ChunkRef, Record, put_time};

/// Op codes; never reused.
pub(super) mod code {
    pub const CREATE: u8 = 1;
    pub const LINK: u8 = 2;
    pub const UNLINK: u8 = 3;
    pub const RMDIR: u8 = 4;
    pub const RENAME: u8 = 5;
    pub const SET_ATTR: u8 = 6;
    pub const WRITE: u8 = 7;
    pub const CLONE: u8 = 8;
    pub const COLLAPSE: u8 = 9;
    pub const SET_XATTR: u8 = 10;
    pub const REMOVE_XATTR: u8 = 11;
    pub const REAP: u8 = 12;
    pub const ADD_SEGMENT: u8 = 13;
    pub const REMOVE_SEGMENTS: u8 = 14;
    pub const RELOCATE: u8 = 15;
    pub const OPEN_SESSION: u8 = 16;
    pub const CLOSE_SESSION: u8 = 17;
    pub const CONDEMN: u8 = 18;
    pub const PARDON: u8 = 19;
    pub const PUBLISH_BOUNDARY: u8 = 20;
    pub const SET_QUOTA: u8 = 21;
}

impl Op {
    /// Appends the op. An op that passes [`Op::check`] comes back from [`Op::decode`] unchanged.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Create { .. } => encode_create(self, w),
            Self::Link { ino, parent, name, time } => {
                w.u8(code::LINK).u64(ino.0).u64(parent.0).bytes(name);
                put_time(w, *time);
            }
            Self::Unlink { parent, name, ino, last, time } => {
                w.u8(code::UNLINK).u64(parent.0).bytes(name).u64(ino.0);
                put_last(w, *last);
                put_time(w, *time);
            }
            Self::Rmdir { parent, name, ino, time } => {
                w.u8(code::RMDIR).u64(parent.0).bytes(name).u64(ino.0);
                put_time(w, *time);
            }
            Self::Rename { from, name, ino, to, new_name, replaced, exchange, last, time } => {
                w.u8(code::RENAME).u64(from.0).bytes(name).u64(ino.0).u64(to.0).bytes(new_name);
                put_option(w, replaced.map(|ino| ino.0), |w, ino| _ = w.u64(ino));
                w.u8(u8::from(*exchange));
                put_last(w, *last);
                put_time(w, *time);
            }
            Self::SetAttr { ino, perm, uid, gid, atime, mtime, ctime } => {
                w.u8(code::SET_ATTR).u64(ino.0);
                put_perm(w, *perm);
                put_option(w, *uid, |w, uid| _ = w.u32(uid));
                put_option(w, *gid, |w, gid| _ = w.u32(gid));
                put_option(w, *atime, put_time);
                put_option(w, *mtime, put_time);
                put_time(w, *ctime);
            }
            Self::Write { .. } | Self::Clone { .. } | Self::Collapse { .. } => encode_content(self, w),
            Self::SetXattr { ino, name, value, create, perm, ctime } => {
                w.u8(code::SET_XATTR).u64(ino.0).bytes(name).bytes(value);
                put_option(w, *create, |w, create| _ = w.u8(u8::from(create)));
                put_perm(w, *perm);
                put_time(w, *ctime);
            }
            Self::RemoveXattr { ino, name, perm, ctime } => {
                w.u8(code::REMOVE_XATTR).u64(ino.0).bytes(name);
                put_perm(w, *perm);
                put_time(w, *ctime);
            }
            _ => encode_upkeep(self, w),
        }
    }
}

fn encode_create(op: &Op, w: &mut Writer) {
    let Op::Create { parent, name, ino, kind, perm, uid, gid, rdev, target, xattrs, time } = op else {
        return;
    };
    w.u8(code::CREATE).u64(parent.0).bytes(name).u64(ino.0);
    kind.write(w);
    w.u16(*perm).u32(*uid).u32(*gid).u32(*rdev).bytes(target).u32(xattrs.len() as u32);
    for (name, value) in xattrs {
        w.bytes(name).bytes(value);
    }
    put_time(w, *time);
}

/// The ops that change what a file holds.
fn encode_content(op: &Op, w: &mut Writer) {
    match op {
        Op::Write { ino, version, size, chunks, perm, mtime, ctime } => {
            w.u8(code::WRITE).u64(ino.0).u64(*version).u64(*size).u32(chunks.len() as u32);
            for (index, chunk) in chunks {
                w.u64(*index);
                put_option(w, chunk.as_ref(), |w, chunk: &ChunkRef| chunk.write(w));
            }
            put_perm(w, *perm);
            put_option(w, *mtime, put_time);
            put_time(w, *ctime);
        }
        Op::Clone { source, from, ino, to, count, version, size, mtime, ctime } => {
            w.u8(code::CLONE).u64(source.0).u64(*from).u64(ino.0).u64(*to).u64(*count);
            w.u64(*version).u64(*size);
            put_time(w, *mtime);
            put_time(w, *ctime);
        }
        Op::Collapse { ino, from, count, version, size, mtime, ctime } => {
            w.u8(code::COLLAPSE).u64(ino.0).u64(*from).u64(*count).u64(*version).u64(*size);
            put_time(w, *mtime);
            put_time(w, *ctime);
        }
        _ => {}
    }
}

/// The ops that no system call makes.
fn encode_upkeep(op: &Op, w: &mut Writer) {
    match op {
        Op::Reap { ino } => _ = w.u8(code::REAP).u64(ino.0),
        Op::AddSegment { id, record } => {
            w.u8(code::ADD_SEGMENT).raw(&id.0);
            record.write(w);
        }
        Op::RemoveSegments { ids } => {
            w.u8(code::REMOVE_SEGMENTS).u32(ids.len() as u32);
            ids.iter().for_each(|id| _ = w.raw(&id.0));
        }
        Op::Relocate { ino, index, from, to } => {
            w.u8(code::RELOCATE).u64(ino.0).u64(*index);
            from.write(w);
            to.write(w);
        }
        Op::OpenSession { slot, id, machine, host, time } => {
            w.u8(code::OPEN_SESSION).u32(*slot).raw(&id.0).raw(&machine.0).bytes(host.as_bytes());
            put_time(w, *time);
        }
        Op::CloseSession { slot } => _ = w.u8(code::CLOSE_SESSION).u32(*slot),
        Op::Condemn { objects, time } => {
            w.u8(code::CONDEMN);
            put_objects(w, objects);
            put_time(w, *time);
        }
        Op::Pardon { objects } => {
            w.u8(code::PARDON);
            put_objects(w, objects);
        }
        Op::PublishBoundary { boundary, time } => {
            w.u8(code::PUBLISH_BOUNDARY).u64(boundary.0);
            put_time(w, *time);
        }
        Op::SetQuota { bytes, inodes } => _ = w.u8(code::SET_QUOTA).u64(*bytes).u64(*inodes),
        _ => {}
    }
}

/// 0, or 1 and the value.
fn put_option<T>(w: &mut Writer, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
    w.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(w, value);
    }
}

fn put_perm(w: &mut Writer, perm: Option<u16>) {
    put_option(w, perm, |w, perm| _ = w.u16(perm));
}

/// The slot that keeps the inode; 0: it is reaped.
fn put_last(w: &mut Writer, last: LastLink) {
    w.u32(match last {
        LastLink::Keep(slot) => slot,
        LastLink::Reap => 0,
    });
}

fn put_objects(w: &mut Writer, objects: &[String]) {
    w.u32(objects.len() as u32);
    for object in objects {
        w.bytes(object.as_bytes());
    }
}
