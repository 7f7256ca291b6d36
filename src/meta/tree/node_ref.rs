//! The names of packs, nodes and whole trees.
//!
//! All three are decoded from untrusted bytes: a reference that no writer could have made is refused here,
//! so that the arithmetic on its offset and length cannot overflow later.

use super::pack::MAX_PACK;
use crate::base::{DecodeError, Epoch, ObjectId, Reader, Writer};
use crate::vault::{FRAME_OVERHEAD, HEADER_LEN};

/// Most levels a tree may have; 16 levels of eight children each hold more than any bucket.
pub const MAX_HEIGHT: u8 = 16;

/// Names a pack: the object `tree/<id>`, sealed under the keys of `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackRef {
    pub epoch: Epoch,
    pub id: ObjectId,
}

impl PackRef {
    /// `tree/<32 hex>`
    pub fn object_key(&self) -> String {
        format!("tree/{}", self.id)
    }
}

/// Names a node: its pack, its frame there and what it must contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeRef {
    pub pack: PackRef,
    /// Number of the frame in the pack, from 0.
    pub number: u32,
    /// First byte of the frame in the sealed pack.
    pub offset: u32,
    /// Length of the sealed frame in bytes.
    pub len: u32,
    /// SHA-256 of the node's plaintext.
    pub hash: [u8; 32],
}

impl NodeRef {
    /// Length on disk, in bytes.
    pub const LEN: usize = 4 + ObjectId::LEN + 4 + 4 + 4 + 32;

    /// Appends the reference, [`Self::LEN`] bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.pack.epoch.0).raw(&self.pack.id.0);
        w.u32(self.number).u32(self.offset).u32(self.len).raw(&self.hash);
    }

    /// Takes a reference. A frame that does not lie inside of a pack is refused.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let epoch = Epoch(r.u32("epoch of a node")?);
        let id = ObjectId(r.array("pack of a node")?);
        let number = r.u32("number of a node")?;
        let offset = r.u32("offset of a node")?;
        let len = r.u32("length of a node")?;
        let hash = r.array("hash of a node")?;
        if (offset as usize) < HEADER_LEN {
            return Err(DecodeError::Invalid("offset of a node"));
        }
        let end = u64::from(offset) + u64::from(len);
        if (len as usize) < FRAME_OVERHEAD || end > MAX_PACK as u64 {
            return Err(DecodeError::Invalid("length of a node"));
        }
        Ok(Self { pack: PackRef { epoch, id }, number, offset, len, hash })
    }
}

/// A whole state: the root node (None: no record at all) and the number of levels (0 without a root,
/// 1 when the root is a leaf, at most [`MAX_HEIGHT`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRoot {
    pub node: Option<NodeRef>,
    pub height: u8,
}

impl TreeRoot {
    /// The tree without records.
    pub const EMPTY: Self = Self { node: None, height: 0 };

    /// Appends the height (one byte) and, unless it is 0, the root's reference.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(self.height);
        if let Some(node) = &self.node {
            node.encode(w);
        }
    }

    /// Takes what [`Self::encode`] wrote.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8("height of the tree")? {
            0 => Ok(Self::EMPTY),
            height @ 1..=MAX_HEIGHT => Ok(Self { node: Some(NodeRef::decode(r)?), height }),
            _ => Err(DecodeError::Invalid("height of the tree")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> NodeRef {
        let pack = PackRef { epoch: Epoch(3), id: ObjectId([7; 16]) };
        NodeRef { pack, number: 2, offset: 500, len: 1000, hash: [9; 32] }
    }

    fn encoded(node: NodeRef) -> Vec<u8> {
        let mut w = Writer::new();
        node.encode(&mut w);
        w.finish()
    }

    #[test]
    fn a_reference_survives_the_round_trip_in_64_bytes() {
        let bytes = encoded(sample());
        assert_eq!((bytes.len(), NodeRef::LEN), (64, 64));
        assert_eq!(NodeRef::decode(&mut Reader::new(&bytes)), Ok(sample()));
    }

    #[test]
    fn a_frame_outside_of_its_pack_is_refused() {
        let outside = [
            NodeRef { offset: 0, ..sample() },
            NodeRef { offset: HEADER_LEN as u32 - 1, ..sample() },
            NodeRef { offset: u32::MAX, ..sample() },
            NodeRef { len: u32::MAX, ..sample() },
            NodeRef { len: FRAME_OVERHEAD as u32 - 1, ..sample() },
            NodeRef { len: MAX_PACK as u32 - 499, ..sample() },
        ];
        for node in outside {
            let bytes = encoded(node);
            assert!(matches!(NodeRef::decode(&mut Reader::new(&bytes)), Err(DecodeError::Invalid(_))));
        }
    }

    #[test]
    fn a_root_survives_the_round_trip_and_excessive_heights_are_refused() {
        for root in [TreeRoot::EMPTY, TreeRoot { node: Some(sample()), height: 1 }] {
            let mut w = Writer::new();
            root.encode(&mut w);
            assert_eq!(TreeRoot::decode(&mut Reader::new(&w.finish())), Ok(root));
        }
        let mut bytes = vec![MAX_HEIGHT + 1];
        bytes.extend(encoded(sample()));
        let refused = TreeRoot::decode(&mut Reader::new(&bytes));
        assert_eq!(refused, Err(DecodeError::Invalid("height of the tree")));
    }
}
