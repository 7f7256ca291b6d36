//! Nodes on disk.
//!
//! The fields stand in columns (all lengths, then all keys, then all values), because equal things side by
//! side are what the vault's compression lives on; keys leave out what they share with the key before them.
//!
//! ```text
//! 0        1    version of the node format: 1
//! 1        1    level: 0 for a leaf
//! 2        2    N, the number of entries: at least 1
//! 4        2·N  per entry: bytes that its key shares with the key before it (0 for the first)
//! 4+2·N    2·N  per entry: bytes of its key that follow the shared ones
//! 4+4·N    4·N  leaves only; per entry: bytes of its value
//! …             keys without the shared bytes, one after the other
//! …             leaves: values, one after the other; inner nodes: N node references of 64 bytes
//! ```
//!
//! Decoding checks everything that a search relies on: lengths within their caps and within the plaintext,
//! keys strictly ascending, nothing left over. The plaintext has been authenticated and hashed before; what
//! is caught here are mistakes, not attacks, but it is caught in the same way.

use bytes::Bytes;

use super::level::{Entry, Item};
use super::node::{Body, MAX_KEY, MAX_VALUE, Node};
use super::node_ref::{MAX_HEIGHT, NodeRef};
use crate::base::{DecodeError, Reader, Writer};
use crate::vault::MAX_CHUNK;

/// The only version of the node format so far.
const VERSION: u8 = 1;

/// Encodes a node. `entries` are not empty, ascend strictly, and hold records at level 0 and children
/// above it; the fold sees to that and to the caps.
pub(super) fn encode(level: u8, entries: &[Entry]) -> Vec<u8> {
    let mut shared = Writer::new();
    let mut rest = Writer::new();
    let mut value_lens = Writer::new();
    let mut keys = Writer::new();
    let mut items = Writer::new();
    let mut before: &[u8] = &[];
    for entry in entries {
        let common = before.iter().zip(&entry.key).take_while(|(a, b)| a == b).count();
        shared.u16(common as u16);
        rest.u16((entry.key.len() - common) as u16);
        keys.raw(&entry.key[common..]);
        match &entry.item {
            Item::Record(value) => {
                value_lens.u32(value.len() as u32);
                items.raw(value);
            }
            Item::Child(node) => node.encode(&mut items),
        }
        before = &entry.key;
    }
    let mut node = Writer::new();
    node.u8(VERSION).u8(level).u16(entries.len() as u16);
    for column in [shared, rest, value_lens, keys, items] {
        node.raw(&column.finish());
    }
    node.finish()
}

/// Decodes a node's plaintext; the values of a leaf stay in it.
pub(super) fn decode(plain: Bytes) -> Result<Node, DecodeError> {
    if plain.len() > MAX_CHUNK {
        return Err(DecodeError::TooLong("tree node"));
    }
    let mut r = Reader::new(&plain);
    if r.u8("version of the node")? != VERSION {
        return Err(DecodeError::Invalid("version of the node"));
    }
    let level = r.u8("level of the node")?;
    if level >= MAX_HEIGHT {
        return Err(DecodeError::Invalid("level of the node"));
    }
    let count = usize::from(r.u16("number of entries")?);
    if count == 0 {
        return Err(DecodeError::Invalid("number of entries"));
    }
    let shared = Reader::new(r.raw(2 * count, "shared lengths")?);
    let rest = Reader::new(r.raw(2 * count, "key lengths")?);
    let value_lens = Reader::new(r.raw(if level == 0 { 4 * count } else { 0 }, "value lengths")?);
    let (keys, key_ends) = decode_keys(count, shared, rest, &mut r)?;
    let body = if level == 0 {
        let first = plain.len() - r.rest().len();
        let ends = decode_values(count, value_lens, first, &mut r)?;
        Body::Leaf { plain: plain.clone(), first: first as u32, ends }
    } else {
        Body::Inner((0..count).map(|_| NodeRef::decode(&mut r)).collect::<Result<_, _>>()?)
    };
    r.end()?;
    Ok(Node { level, keys, key_ends, body })
}

/// Puts the keys back together: one buffer, and where each of them ends.
fn decode_keys(
    count: usize,
    mut shared: Reader<'_>,
    mut rest: Reader<'_>,
    r: &mut Reader<'_>,
) -> Result<(Bytes, Box<[u32]>), DecodeError> {
    let mut keys: Vec<u8> = Vec::new();
    let mut ends = Vec::with_capacity(count);
    let mut before = 0..0;
    for _ in 0..count {
        let common = usize::from(shared.u16("shared length")?);
        let rest = r.raw(usize::from(rest.u16("key length")?), "key")?;
        if common > before.len() {
            return Err(DecodeError::Invalid("shared length"));
        }
        let len = common + rest.len();
        // Little plaintext could describe many long keys: they are bounded like the plaintext itself.
        if len > MAX_KEY || keys.len() + len > MAX_CHUNK {
            return Err(DecodeError::TooLong("key"));
        }
        // Beyond the common bytes the key must be greater, which the first key is if it has any byte.
        if rest <= &keys[before.start + common..before.end] {
            return Err(DecodeError::Invalid("order of keys"));
        }
        let start = keys.len();
        keys.extend_from_within(before.start..before.start + common);
        keys.extend_from_slice(rest);
        before = start..keys.len();
        ends.push(keys.len() as u32);
    }
    Ok((Bytes::from(keys.into_boxed_slice()), ends.into_boxed_slice()))
}

/// Finds where each value ends in the plaintext; the first one starts at `first`.
fn decode_values(
    count: usize,
    mut lens: Reader<'_>,
    first: usize,
    r: &mut Reader<'_>,
) -> Result<Box<[u32]>, DecodeError> {
    let mut ends = Vec::with_capacity(count);
    let mut end = first;
    for _ in 0..count {
        let len = lens.u32("value length")? as usize;
        if len > MAX_VALUE {
            return Err(DecodeError::TooLong("value"));
        }
        r.raw(len, "value")?;
        end += len;
        ends.push(end as u32);
    }
    Ok(ends.into_boxed_slice())
}
