//! Tree packs on demand: a lookup that misses one is repeated once the pack is in memory.
//!
//! No lock of the volume is held while a pack is fetched; the same pack is fetched by one thread at a time.
//! All functions block the calling thread, which must not be a worker of the runtime.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::error::{NeedsPack, VolumeError};
use crate::data::DataStore;
use crate::meta::tree::{MAX_PACK, Node, NodeRef, NodeSource, NodeStore, PackRef};
use crate::meta::view::ReadError;

/// A call that needed this many packs one after the other will not end: the memory for packs is smaller than
/// what the call reads.
const MOST_FETCHES: u32 = 20_000;

/// Decoded nodes in memory and the way to get more.
pub(super) struct Packs {
    pub nodes: NodeStore,
    data: DataStore,
    runtime: tokio::runtime::Handle,
    fetching: Mutex<HashSet<PackRef>>,
    fetched: Condvar,
}

impl Packs {
    pub fn new(nodes: NodeStore, data: DataStore, runtime: tokio::runtime::Handle) -> Arc<Self> {
        Arc::new(Self { nodes, data, runtime, fetching: Mutex::default(), fetched: Condvar::new() })
    }

    /// Runs `f` until it no longer asks for a pack.
    ///
    /// # Errors
    /// What `f` says; what went wrong with a pack.
    pub fn retry<T, E: NeedsPack + From<VolumeError>>(
        &self,
        mut f: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut gone = None;
        for _ in 0..MOST_FETCHES {
            let error = match f() {
                Err(error) => error,
                done => return done,
            };
            let Some(pack) = error.needs_pack() else { return Err(error) };
            match self.fetch(pack) {
                // A checkpoint may have replaced the tree since, and gc deleted the pack: whoever looks at the present
                // state again asks for another one.
                Err(error) if error.is_gone() && gone != Some(pack) => gone = Some(pack),
                fetched => fetched?,
            }
        }
        Err(VolumeError::Corrupt("one call reads more metadata than the memory for it can hold".into())
            .into())
    }

    /// Gets a pack into memory, or waits for the thread that is about to.
    pub fn fetch(&self, pack: PackRef) -> Result<(), VolumeError> {
        {
            let mut fetching = self.fetching.lock();
            if !fetching.insert(pack) {
                while fetching.contains(&pack) {
                    self.fetched.wait(&mut fetching);
                }
                // The caller looks again; if the other thread failed, it will be this one's turn.
                return Ok(());
            }
        }
        let outcome = self.fetch_now(pack);
        self.fetching.lock().remove(&pack);
        self.fetched.notify_all();
        outcome
    }

    fn get(&self, pack: PackRef, key: &str) -> Result<Bytes, VolumeError> {
        Ok(self.runtime.block_on(self.data.fetch_object(pack.id, key, MAX_PACK as u64))?)
    }

    fn fetch_now(&self, pack: PackRef) -> Result<(), VolumeError> {
        let key = pack.object_key();
        let mut sealed = self.get(pack, &key)?;
        if let Err(error) = self.nodes.verify_pack(pack, &sealed) {
            // The copy on the local disk may be the damaged one: once more, from the bucket. Wherever in the object the
            // damage is, the store sees the same requests.
            log::warn!("{error}; fetching {key} again");
            self.data.evict(pack.id);
            sealed = self.get(pack, &key)?;
            if self.nodes.verify_pack(pack, &sealed).is_err() {
                self.data.evict(pack.id);
            }
        }
        // Nodes that are intact can be read out of a damaged pack, too.
        self.nodes.insert_pack(pack, sealed)?;
        Ok(())
    }
}

/// Nodes for folding and walking: fetches what is missing by itself.
impl NodeSource for Packs {
    fn node(&self, node: &NodeRef) -> Result<Arc<Node>, ReadError> {
        let found = self.retry::<_, FetchFailed>(|| self.nodes.node(node).map_err(FetchFailed::from));
        found.map_err(|failed| match failed {
            FetchFailed::Read(error) => error,
            FetchFailed::Volume(error) => match error.kind() {
                Some(kind) if !error.is_gone() => ReadError::Unfetched(kind, error.to_string()),
                _ => ReadError::Corrupt(error.to_string()),
            },
        })
    }
}

/// Keeps a real read error apart from a failed fetch.
enum FetchFailed {
    Read(ReadError),
    Volume(VolumeError),
}

impl From<ReadError> for FetchFailed {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<VolumeError> for FetchFailed {
    fn from(error: VolumeError) -> Self {
        Self::Volume(error)
    }
}

impl NeedsPack for FetchFailed {
    fn needs_pack(&self) -> Option<PackRef> {
        match self {
            Self::Read(error) => error.needs_pack(),
            Self::Volume(_) => None,
        }
    }
}
