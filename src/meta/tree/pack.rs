//! Packs: sealed objects of many nodes.
//!
//! A pack is the vault's header, one frame per node, and an empty final frame, so that no node has to be
//! known as the last one when it is sealed. A pack is always fetched whole. Its reader trusts nothing but
//! the reference that led to a node: place and length are checked against the object, the frame is
//! authenticated, and its plaintext must have the hash that the reference names.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::node::Node;
use super::node_codec;
use super::node_ref::{NodeRef, PackRef};
use crate::base::{ObjectId, Random};
use crate::meta::view::ReadError;
use crate::vault::{HEADER_LEN, ObjectKind, Opener, Sealer, Vault, VaultError};

/// A pack is finished when it has grown to this many bytes, sealed.
const FULL: usize = 1 << 20;
/// Longest pack that is read, in bytes, sealed. Writers stay far below.
pub const MAX_PACK: usize = 4 << 20;
/// Most plain bytes of one pack. Nodes are mostly names and numbers, which compress well.
pub const MAX_PACK_PLAIN: usize = 64 * MAX_PACK;
/// Most nodes in one pack: well-compressed ones could become very many.
const MAX_NODES: u32 = 4096;

/// A sealed pack ready to upload.
pub struct SealedPack {
    pub pack: PackRef,
    pub sealed: Bytes,
}

/// Seals nodes into one pack after the other. A pack begins with its first node.
pub(super) struct PackWriter<'a> {
    vault: &'a Vault,
    random: &'a dyn Random,
    open: Option<OpenPack>,
}

/// A pack in the making.
struct OpenPack {
    pack: PackRef,
    sealer: Sealer,
    sealed: Vec<u8>,
    nodes: u32,
}

impl<'a> PackWriter<'a> {
    /// A writer that has begun no pack yet.
    pub fn new(vault: &'a Vault, random: &'a dyn Random) -> Self {
        Self { vault, random, open: None }
    }

    /// Seals a node's plaintext into the current pack; says where it will be found.
    pub fn add(&mut self, plain: &[u8]) -> Result<NodeRef, ReadError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenPack::begin(self.vault, self.random)?,
        };
        let node = open.add(plain)?;
        self.open = Some(open);
        Ok(node)
    }

    /// Whether the current pack is large enough to be finished.
    pub fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.sealed.len() >= FULL || open.nodes >= MAX_NODES)
    }

    /// Finishes the current pack, if one has begun.
    pub fn finish(&mut self) -> Result<Option<SealedPack>, ReadError> {
        let Some(OpenPack { pack, mut sealer, mut sealed, .. }) = self.open.take() else { return Ok(None) };
        sealer.seal(&[], true, &mut sealed).map_err(|error| refused(pack, &error))?;
        Ok(Some(SealedPack { pack, sealed: Bytes::from(sealed) }))
    }
}

impl OpenPack {
    fn begin(vault: &Vault, random: &dyn Random) -> Result<Self, ReadError> {
        let id = ObjectId::generate(random);
        let sealer = vault
            .sealer(ObjectKind::TreePack, id, random)
            .map_err(|error| refused(PackRef { epoch: vault.epoch(), id }, &error))?;
        let pack = PackRef { epoch: sealer.epoch(), id };
        let sealed = sealer.header().to_vec();
        Ok(Self { pack, sealer, sealed, nodes: 0 })
    }

    fn add(&mut self, plain: &[u8]) -> Result<NodeRef, ReadError> {
        let offset = self.sealed.len() as u32;
        let len =
            self.sealer.seal(plain, false, &mut self.sealed).map_err(|error| refused(self.pack, &error))?;
        let number = self.nodes;
        self.nodes += 1;
        Ok(NodeRef { pack: self.pack, number, offset, len, hash: Sha256::digest(plain).into() })
    }
}

/// A sealed pack in memory whose header has been checked.
pub(super) struct HeldPack {
    pack: PackRef,
    opener: Opener,
    sealed: Bytes,
}

impl HeldPack {
    /// Checks length and header of `sealed`, which came from the bucket.
    pub fn new(vault: &Vault, pack: PackRef, sealed: Bytes) -> Result<Self, ReadError> {
        if sealed.len() > MAX_PACK {
            return Err(corrupt(pack, "is longer than any pack"));
        }
        let header = sealed.get(..HEADER_LEN).ok_or_else(|| corrupt(pack, "ends inside of its header"))?;
        let opener =
            vault.opener(ObjectKind::TreePack, pack.id, header).map_err(|error| refused(pack, &error))?;
        Ok(Self { pack, opener, sealed })
    }

    /// Authenticates, hashes and decodes one node.
    pub fn open(&self, node: &NodeRef) -> Result<Node, ReadError> {
        let number = node.number;
        let start = node.offset as usize;
        let frame = start.checked_add(node.len as usize).and_then(|end| self.sealed.get(start..end));
        let frame = frame.ok_or_else(|| corrupt(self.pack, &format!("ends before node {number}")))?;
        let plain = self.opener.open(number, false, frame).map_err(|error| refused(self.pack, &error))?;
        if Sha256::digest(&plain)[..] != node.hash[..] {
            return Err(corrupt(self.pack, &format!("holds another node {number} than the tree says")));
        }
        node_codec::decode(Bytes::from(plain))
            .map_err(|error| corrupt(self.pack, &format!("holds a malformed node {number}: {error}")))
    }
}

/// Opens a pack from end to end, keeping nothing of it.
///
/// # Errors
/// `Corrupt` when anything of it is not as it was sealed.
pub(super) fn verify(vault: &Vault, pack: PackRef, sealed: &[u8]) -> Result<(), ReadError> {
    if sealed.len() > MAX_PACK {
        return Err(corrupt(pack, "is longer than any pack"));
    }
    vault
        .verify_object(ObjectKind::TreePack, pack.id, sealed, MAX_PACK_PLAIN)
        .map_err(|error| refused(pack, &error))
}

fn refused(pack: PackRef, error: &VaultError) -> ReadError {
    ReadError::Corrupt(format!("{}: {error}", pack.object_key()))
}

fn corrupt(pack: PackRef, what: &str) -> ReadError {
    ReadError::Corrupt(format!("{} {what}", pack.object_key()))
}
