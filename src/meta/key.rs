//! Sort keys: one byte of record kind, then big-endian fields, so that scans follow directories and files.
//! (Signatures are the contract; `name` is 1..=255 bytes.)
use crate::base::{Ino, ObjectId};

/// Counters and settings of the whole volume.
pub fn superblock() -> Vec<u8> { todo!() }
/// `[1][ino]`
pub fn inode(_ino: Ino) -> Vec<u8> { todo!() }
/// `[2][parent][hash of the name, 56 bits][name]`: listing order is the hash's, so that a position in a
/// directory stays valid while entries come and go.
pub fn dentry(_parent: Ino, _name: &[u8]) -> Vec<u8> { todo!() }
/// All dentries of a directory: start and end of the scan.
pub fn dentries(_parent: Ino) -> (Vec<u8>, Vec<u8>) { todo!() }
/// Where a listing goes on after the entry whose position (56-bit hash) is `position`; entries with that hash included.
pub fn dentries_from(_parent: Ino, _position: u64) -> Vec<u8> { todo!() }
/// 56-bit position of a name in its directory (SHA-256, truncated).
pub fn position(_name: &[u8]) -> u64 { todo!() }
/// Takes a dentry key apart: parent, position, name.
pub fn parse_dentry(_key: &[u8]) -> Option<(Ino, u64, &[u8])> { todo!() }
/// `[3][ino][chunk index]`
pub fn chunk(_ino: Ino, _index: u64) -> Vec<u8> { todo!() }
pub fn parse_chunk(_key: &[u8]) -> Option<(Ino, u64)> { todo!() }
/// `[4][ino][name]`
pub fn xattr(_ino: Ino, _name: &[u8]) -> Vec<u8> { todo!() }
pub fn xattrs(_ino: Ino) -> (Vec<u8>, Vec<u8>) { todo!() }
/// The name in an xattr key.
pub fn parse_xattr(_key: &[u8]) -> Option<(Ino, &[u8])> { todo!() }
/// `[5][ino]`: unlinked, but open somewhere or waiting to be reaped.
pub fn orphan(_ino: Ino) -> Vec<u8> { todo!() }
pub fn orphans() -> (Vec<u8>, Vec<u8>) { todo!() }
/// `[6][segment id]`
pub fn segment(_id: ObjectId) -> Vec<u8> { todo!() }
pub fn segments() -> (Vec<u8>, Vec<u8>) { todo!() }
/// `[7][slot]`
pub fn session(_slot: u32) -> Vec<u8> { todo!() }
pub fn sessions() -> (Vec<u8>, Vec<u8>) { todo!() }
/// `[8][object key]`: found unreachable by gc, to be deleted after the grace period.
pub fn condemned(_object_key: &str) -> Vec<u8> { todo!() }
pub fn all_condemned() -> (Vec<u8>, Vec<u8>) { todo!() }

/// A key taken apart, for precise invalidation.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> { Superblock, Inode(Ino), Dentry { parent: Ino, name: &'a [u8] }, Chunk(Ino, u64), Xattr(Ino, &'a [u8]), Orphan(Ino), Segment(ObjectId), Session(u32), Condemned(&'a [u8]) }
pub fn parse(_key: &[u8]) -> Option<Parsed<'_>> { todo!() }
