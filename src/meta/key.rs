//! Sort keys: one byte of record kind, then big-endian fields, so that scans follow directories and files.
//!
//! Invariants: the order of keys is the order of their bytes; every function that makes a key is undone by
//! [`parse`]; two different subjects never share a key. Keys read back from a tree are untrusted: parsing
//! gives `None` for anything that these functions would not have made.
use sha2::{Digest, Sha256};

use super::record::MAX_NAME;
use crate::base::{Ino, ObjectId};

const SUPERBLOCK: u8 = 0;
const INODE: u8 = 1;
const DENTRY: u8 = 2;
const CHUNK: u8 = 3;
const XATTR: u8 = 4;
const ORPHAN: u8 = 5;
const SEGMENT: u8 = 6;
const SESSION: u8 = 7;
const CONDEMNED: u8 = 8;

/// Bytes of a position in a dentry key.
const POSITION_LEN: usize = 7;
/// Positions are below this.
const POSITIONS: u64 = 1 << (8 * POSITION_LEN as u64);
/// Longest object key that can be condemned, in bytes.
pub const MAX_OBJECT_KEY: usize = 255;

/// Start and end of an ascending scan; the end is no part of it.
pub type Scan = (Vec<u8>, Vec<u8>);

/// What every mount reads first: settings and counters, the root directory, what is orphaned, and who is there.
pub fn read_by_every_mount() -> [Scan; 4] {
    [one(superblock()), one(inode(Ino::ROOT)), orphans(), sessions()]
}

/// The scan over a single key.
pub fn one(key: Vec<u8>) -> Scan {
    let end = [key.as_slice(), &[0]].concat();
    (key, end)
}

/// Counters and settings of the whole volume.
pub fn superblock() -> Vec<u8> {
    vec![SUPERBLOCK]
}

/// `[1][ino]`
pub fn inode(ino: Ino) -> Vec<u8> {
    with_ino(INODE, ino, 0)
}

/// `[2][parent][hash of the name, 56 bits][name]`: listing order is the hash's, so that a position in a
/// directory stays valid while entries come and go.
pub fn dentry(parent: Ino, name: &[u8]) -> Vec<u8> {
    let mut key = with_ino(DENTRY, parent, POSITION_LEN + name.len());
    key.extend_from_slice(&position_bytes(name));
    key.extend_from_slice(name);
    key
}

/// All dentries of a directory: start and end of the scan.
pub fn dentries(parent: Ino) -> (Vec<u8>, Vec<u8>) {
    prefix(with_ino(DENTRY, parent, 0))
}

/// Where a listing goes on: at the first entry whose position is at least `position`. A position that no
/// name can have (an application may seek anywhere) is after the last entry.
pub fn dentries_from(parent: Ino, position: u64) -> Vec<u8> {
    if position >= POSITIONS {
        return dentries(parent).1;
    }
    let mut key = with_ino(DENTRY, parent, POSITION_LEN);
    key.extend_from_slice(&position.to_be_bytes()[1..]);
    key
}

/// 56-bit position of a name in its directory: the first seven bytes of its SHA-256, big endian.
pub fn position(name: &[u8]) -> u64 {
    be_u56(&position_bytes(name))
}

/// Takes a dentry key apart: parent, position, name.
pub fn parse_dentry(key: &[u8]) -> Option<(Ino, u64, &[u8])> {
    let (parent, rest) = split_ino(key, DENTRY)?;
    let (position, name) = rest.split_first_chunk::<POSITION_LEN>()?;
    (1..=MAX_NAME).contains(&name.len()).then(|| (parent, be_u56(position), name))
}

/// `[3][ino][chunk index]`
pub fn chunk(ino: Ino, index: u64) -> Vec<u8> {
    let mut key = with_ino(CHUNK, ino, 8);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// All chunks of a file: start and end of the scan.
pub fn chunks(ino: Ino) -> (Vec<u8>, Vec<u8>) {
    prefix(with_ino(CHUNK, ino, 0))
}

/// Takes a chunk key apart: inode, index.
pub fn parse_chunk(key: &[u8]) -> Option<(Ino, u64)> {
    let (ino, rest) = split_ino(key, CHUNK)?;
    Some((ino, u64::from_be_bytes(rest.try_into().ok()?)))
}

/// `[4][ino][name]`
pub fn xattr(ino: Ino, name: &[u8]) -> Vec<u8> {
    let mut key = with_ino(XATTR, ino, name.len());
    key.extend_from_slice(name);
    key
}

/// All extended attributes of an inode: start and end of the scan.
pub fn xattrs(ino: Ino) -> (Vec<u8>, Vec<u8>) {
    prefix(with_ino(XATTR, ino, 0))
}

/// Takes an xattr key apart: inode, name.
pub fn parse_xattr(key: &[u8]) -> Option<(Ino, &[u8])> {
    let (ino, name) = split_ino(key, XATTR)?;
    (1..=MAX_NAME).contains(&name.len()).then_some((ino, name))
}

/// `[5][ino]`: unlinked, but open somewhere or waiting to be reaped.
pub fn orphan(ino: Ino) -> Vec<u8> {
    with_ino(ORPHAN, ino, 0)
}

/// All orphans: start and end of the scan.
pub fn orphans() -> (Vec<u8>, Vec<u8>) {
    prefix(vec![ORPHAN])
}

/// `[6][segment id]`
pub fn segment(id: ObjectId) -> Vec<u8> {
    [&[SEGMENT], id.0.as_slice()].concat()
}

/// All segments: start and end of the scan.
pub fn segments() -> (Vec<u8>, Vec<u8>) {
    prefix(vec![SEGMENT])
}

/// `[7][slot]`
pub fn session(slot: u32) -> Vec<u8> {
    [&[SESSION], slot.to_be_bytes().as_slice()].concat()
}

/// All sessions: start and end of the scan.
pub fn sessions() -> (Vec<u8>, Vec<u8>) {
    prefix(vec![SESSION])
}

/// `[8][object key]`: found unreachable by gc, to be deleted after the grace period.
pub fn condemned(object_key: &str) -> Vec<u8> {
    [&[CONDEMNED], object_key.as_bytes()].concat()
}

/// All condemned objects: start and end of the scan.
pub fn all_condemned() -> (Vec<u8>, Vec<u8>) {
    prefix(vec![CONDEMNED])
}

/// A key taken apart, for precise invalidation.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    Superblock,
    Inode(Ino),
    Dentry { parent: Ino, name: &'a [u8] },
    Chunk(Ino, u64),
    Xattr(Ino, &'a [u8]),
    Orphan(Ino),
    Segment(ObjectId),
    Session(u32),
    Condemned(&'a [u8]),
}

/// Takes any key apart; `None` for bytes that are no key of this format.
pub fn parse(key: &[u8]) -> Option<Parsed<'_>> {
    let (&kind, rest) = key.split_first()?;
    match kind {
        SUPERBLOCK => rest.is_empty().then_some(Parsed::Superblock),
        INODE => whole_ino(key, INODE).map(Parsed::Inode),
        DENTRY => parse_dentry(key).map(|(parent, _, name)| Parsed::Dentry { parent, name }),
        CHUNK => parse_chunk(key).map(|(ino, index)| Parsed::Chunk(ino, index)),
        XATTR => parse_xattr(key).map(|(ino, name)| Parsed::Xattr(ino, name)),
        ORPHAN => whole_ino(key, ORPHAN).map(Parsed::Orphan),
        SEGMENT => Some(Parsed::Segment(ObjectId(rest.try_into().ok()?))),
        SESSION => Some(Parsed::Session(u32::from_be_bytes(rest.try_into().ok()?))),
        CONDEMNED => (1..=MAX_OBJECT_KEY).contains(&rest.len()).then_some(Parsed::Condemned(rest)),
        _ => None,
    }
}

/// What stands under `key`, in words for an error message. Names of files are left out: messages go to logs.
pub fn describe(key: &[u8]) -> String {
    match parse(key) {
        Some(Parsed::Superblock) => "the superblock".into(),
        Some(Parsed::Inode(ino)) => format!("inode {ino}"),
        Some(Parsed::Dentry { parent, name }) => format!("dentry {:014x} of inode {parent}", position(name)),
        Some(Parsed::Chunk(ino, index)) => format!("chunk {index} of inode {ino}"),
        Some(Parsed::Xattr(ino, _)) => format!("an extended attribute of inode {ino}"),
        Some(Parsed::Orphan(ino)) => format!("orphan {ino}"),
        Some(Parsed::Segment(id)) => format!("segment {id}"),
        Some(Parsed::Session(slot)) => format!("session {slot}"),
        Some(Parsed::Condemned(_)) => "a condemned object".into(),
        None => format!("a key of unknown kind, {} bytes long", key.len()),
    }
}

fn with_ino(kind: u8, ino: Ino, more: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + more);
    key.push(kind);
    key.extend_from_slice(&ino.0.to_be_bytes());
    key
}

fn split_ino(key: &[u8], kind: u8) -> Option<(Ino, &[u8])> {
    let (ino, rest) = key.strip_prefix(&[kind])?.split_first_chunk::<8>()?;
    Some((Ino(u64::from_be_bytes(*ino)), rest))
}

fn whole_ino(key: &[u8], kind: u8) -> Option<Ino> {
    split_ino(key, kind).and_then(|(ino, rest)| rest.is_empty().then_some(ino))
}

/// The scan over all keys that begin with `start`. The end is the prefix with its last byte raised; bytes
/// that are 255 already carry to the left, and the kind in front is never 255.
fn prefix(start: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let kept = start.iter().rposition(|&byte| byte != u8::MAX).map_or(0, |last| last + 1);
    let mut end = start[..kept].to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    (start, end)
}

fn position_bytes(name: &[u8]) -> [u8; POSITION_LEN] {
    let hash: [u8; 32] = Sha256::digest(name).into();
    let mut position = [0; POSITION_LEN];
    position.copy_from_slice(&hash[..POSITION_LEN]);
    position
}

fn be_u56(bytes: &[u8; POSITION_LEN]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scans_of_one_inode_do_not_reach_its_neighbour() {
        for ino in [0, 1, 255, 256, u64::MAX - 1, u64::MAX] {
            let (start, end) = chunks(Ino(ino));
            assert!(start <= chunk(Ino(ino), 0) && chunk(Ino(ino), u64::MAX) < end);
            if ino < u64::MAX {
                assert!(end <= chunk(Ino(ino + 1), 0));
            }
            let (start, end) = dentries(Ino(ino));
            let entry = dentry(Ino(ino), &[255; 255]);
            assert!(start < entry && entry < end && end <= chunk(Ino(0), 0));
        }
    }

    #[test]
    fn a_listing_resumes_at_the_entry_of_its_position() {
        let key = dentry(Ino(7), b"name");
        assert!(dentries_from(Ino(7), position(b"name")) <= key);
        assert!(dentries_from(Ino(7), position(b"name") + 1) > key);
        assert_eq!(dentries_from(Ino(7), 0).len(), 16);
        assert_eq!(dentries_from(Ino(7), u64::MAX), dentries(Ino(7)).1);
    }

    #[test]
    fn every_key_is_taken_apart_into_what_it_was_made_of() {
        let id = ObjectId([9; 16]);
        assert_eq!(parse(&superblock()), Some(Parsed::Superblock));
        assert_eq!(parse(&inode(Ino(5))), Some(Parsed::Inode(Ino(5))));
        assert_eq!(parse(&dentry(Ino(5), b"x")), Some(Parsed::Dentry { parent: Ino(5), name: b"x" }));
        assert_eq!(parse_dentry(&dentry(Ino(5), b"x")), Some((Ino(5), position(b"x"), b"x".as_slice())));
        assert_eq!(parse(&chunk(Ino(5), 6)), Some(Parsed::Chunk(Ino(5), 6)));
        assert_eq!(parse(&xattr(Ino(5), b"user.x")), Some(Parsed::Xattr(Ino(5), b"user.x")));
        assert_eq!(parse(&orphan(Ino(5))), Some(Parsed::Orphan(Ino(5))));
        assert_eq!(parse(&segment(id)), Some(Parsed::Segment(id)));
        assert_eq!(parse(&session(3)), Some(Parsed::Session(3)));
        assert_eq!(parse(&condemned("tree/x")), Some(Parsed::Condemned(b"tree/x")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_a_panic(key in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&key);
            prop_assert!(!describe(&key).is_empty());
        }
    }
}
