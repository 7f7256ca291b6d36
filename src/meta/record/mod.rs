//! Records: what stands under the keys.
//!
//! Each record type has `encode(&self) -> Vec<u8>` and `decode(&[u8]) -> Result<Self, DecodeError>`, with a
//! version byte in front. Invariants: encoding is canonical (what decodes, re-encodes to the same bytes), so
//! that equal states are equal bytes (M4). Failure: a record that is cut short, has trailing bytes, breaks a
//! bound or has a newer version is refused; nothing is allocated before its length was checked.
//! The byte maps stand in docs/format.md, section 6.

use crate::base::{DecodeError, Reader, Writer};

mod chunk;
mod dentry;
mod field;
mod inode;
mod marks;
mod segment;
mod session;
mod superblock;
mod xattr;

pub use chunk::ChunkRef;
pub use dentry::Dentry;
pub(super) use field::{byte_string, flag, object_id, put_time, text, time};
pub use inode::{FileKind, Inode};
pub use marks::{Condemned, Orphan};
pub use segment::{MAX_FRAMES, SegmentRecord, segment_key};
pub use session::{MAX_HOST, SLOTS, Session};
pub use superblock::{MIN_CHUNK, Superblock};
pub use xattr::Xattr;

/// Longest chunk content that rides inside metadata, in bytes.
pub const MAX_INLINE: usize = 4096;
/// Longest name of a dentry or xattr, in bytes.
pub const MAX_NAME: usize = 255;
/// Longest xattr value, in bytes (the kernel's XATTR_SIZE_MAX).
pub const MAX_XATTR: usize = 65536;
/// Longest symlink target, in bytes (PATH_MAX without its NUL).
pub const MAX_TARGET: usize = 4095;
/// Largest size of a file, in bytes: 16 TiB.
pub const MAX_FILE_SIZE: u64 = 1 << 44;
/// Most dentries that may name one inode, and most subdirectories plus two.
pub const MAX_LINKS: u32 = 1 << 31;

/// Version byte that every record starts with.
const VERSION: u8 = 1;

/// The fields behind the version byte.
pub(super) trait Record: Sized {
    fn write(&self, w: &mut Writer);
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

pub(super) fn encode<R: Record>(record: &R) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(VERSION);
    record.write(&mut w);
    w.finish()
}

pub(super) fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let mut r = Reader::new(bytes);
    if r.u8("record version")? != VERSION {
        return Err(DecodeError::Invalid("record version"));
    }
    let record = R::read(&mut r)?;
    r.end()?;
    Ok(record)
}

macro_rules! whole_record {
    ($($record:ty),*) => {$(
        impl $record {
            /// The record's bytes, version byte first.
            pub fn encode(&self) -> Vec<u8> {
                encode(self)
            }

            /// Reads untrusted bytes; anything but exactly one valid record is refused.
            pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                decode(bytes)
            }
        }
    )*};
}
whole_record!(Inode, Dentry, ChunkRef, SegmentRecord, Session, Superblock, Orphan, Condemned, Xattr);
