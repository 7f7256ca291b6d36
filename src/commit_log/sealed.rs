//! Entries as objects: names, ids, sealing and hashing.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::entry::{Entry, MAX_ENTRY};
use super::error::LogError;
use crate::base::{CommitId, Epoch, ObjectId, Random, Seq};
use crate::vault::{FRAME_OVERHEAD, HEADER_LEN, MAX_CHUNK, ObjectKind, Vault};

/// All entries stand under this prefix.
pub(super) const PREFIX: &str = "log/";

/// Longest sealed entry, in bytes: every chunk of the longest entry, stored as it is.
pub(super) const MAX_SEALED: u64 =
    (HEADER_LEN + MAX_ENTRY + MAX_ENTRY.div_ceil(MAX_CHUNK) * FRAME_OVERHEAD) as u64;

/// SHA-256 of an entry's sealed object: what the next entry names as its predecessor.
pub type EntryHash = [u8; 32];

/// The key of the entry at `seq`: `log/<16 hex>`.
pub fn entry_key(seq: Seq) -> String {
    format!("{PREFIX}{:016x}", seq.0)
}

/// The position in an entry's key; `None` for any other key.
pub fn parse_key(key: &str) -> Option<Seq> {
    let digits = key.strip_prefix(PREFIX)?;
    let seq = Seq(u64::from_str_radix(digits, 16).ok()?);
    (entry_key(seq) == key).then_some(seq)
}

/// The object id of the entry at `seq`: eight zero bytes and the position, big endian. An entry that was
/// sealed for one position does not open at another.
pub fn entry_id(seq: Seq) -> ObjectId {
    let mut id = [0; ObjectId::LEN];
    id[8..].copy_from_slice(&seq.0.to_be_bytes());
    ObjectId(id)
}

/// An entry ready to be put; kept until its fate is known, so that identical bytes are sent again.
#[derive(Clone)]
pub struct SealedEntry {
    pub seq: Seq,
    pub commit: CommitId,
    pub hash: EntryHash,
    /// What it is sealed under.
    pub epoch: Epoch,
    pub(super) bytes: Bytes,
}

impl SealedEntry {
    /// Seals `entry` for its position.
    ///
    /// # Errors
    /// Only what the vault refuses to seal.
    pub fn seal(entry: &Entry, vault: &Vault, random: &dyn Random) -> Result<Self, LogError> {
        let id = entry_id(entry.seq);
        let failed = |source| LogError::Sealed { key: entry_key(entry.seq), source };
        let sealed = vault.seal_object(ObjectKind::LogEntry, id, &entry.encode(), random).map_err(failed)?;
        let epoch = vault.claimed_epoch(ObjectKind::LogEntry, id, &sealed).map_err(failed)?;
        Ok(Self { seq: entry.seq, commit: entry.commit, hash: hash(&sealed), epoch, bytes: sealed.into() })
    }

    /// Length of the sealed object, in bytes.
    pub fn sealed_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Opens the object found at the position `seq`; the entry and the epoch it was sealed under.
pub(super) fn open(seq: Seq, sealed: &[u8], vault: &Vault) -> Result<(Entry, Epoch), LogError> {
    let key = entry_key(seq);
    let opened = vault
        .open_object(ObjectKind::LogEntry, entry_id(seq), sealed, MAX_ENTRY)
        // The header was part of what has just been authenticated.
        .and_then(|plain| Ok((plain, vault.claimed_epoch(ObjectKind::LogEntry, entry_id(seq), sealed)?)));
    let (plain, epoch) = match opened {
        Ok(opened) => opened,
        Err(source) => return Err(LogError::Sealed { key, source }),
    };
    let entry = match Entry::decode(&plain) {
        Ok(entry) => entry,
        Err(source) => return Err(LogError::Malformed { key, source }),
    };
    // The vault bound the object to its position; an entry that says otherwise was sealed by a broken writer.
    if entry.seq == seq { Ok((entry, epoch)) } else { Err(LogError::Unchained(seq)) }
}

/// Hash of a sealed entry.
pub(super) fn hash(sealed: &[u8]) -> EntryHash {
    Sha256::digest(sealed).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_spelling_of_a_position_is_a_key() {
        assert_eq!(entry_key(Seq(255)), "log/00000000000000ff");
        assert_eq!(parse_key("log/00000000000000ff"), Some(Seq(255)));
        for wrong in
            ["log/ff", "log/00000000000000FF", "log/+0000000000000ff", "tree/00000000000000ff", "log/"]
        {
            assert_eq!(parse_key(wrong), None, "{wrong}");
        }
    }
}
