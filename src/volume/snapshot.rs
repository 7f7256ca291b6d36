//! A state that stands still, for reading at length: gc's marking and fsck.
//!
//! Fetches what it needs by itself (blocking: not for workers of the runtime). Holding one costs memory for the
//! layers as they were; the tree is read through the volume's caches.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{NeedsPack, VolumeError};
use super::mounted::Volume;
use super::packs::Packs;
use super::state::Layers;
use crate::meta::tree::{NodeSource, TreeRoot};
use crate::meta::view::{ReadError, View, Visit};

/// See the module.
pub(crate) struct Snapshot {
    layers: Layers,
    packs: Arc<Packs>,
}

impl Volume {
    /// All that is acknowledged here now, pending operations included.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { layers: self.state.read().layers(), packs: Arc::clone(&self.packs) }
    }
}

impl Snapshot {
    /// Nodes of the tree, fetched when missing.
    pub fn nodes(&self) -> &dyn NodeSource {
        &*self.packs
    }

    /// The tree under the layers.
    pub fn root(&self) -> TreeRoot {
        self.layers.base
    }

    /// Fetches the pack that `error` asks for; any other error is final.
    fn fetch_for(&self, error: ReadError) -> Result<(), ReadError> {
        let Some(pack) = error.needs_pack() else { return Err(error) };
        self.packs.fetch(pack).map_err(|error: VolumeError| ReadError::Corrupt(error.to_string()))
    }
}

impl View for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        loop {
            match self.layers.with_view(&self.packs.nodes, None, |view| view.get(key)) {
                Err(error) => self.fetch_for(error)?,
                found => return found,
            }
        }
    }

    /// Every record once, also when packs had to be fetched in between: a repeated scan goes on after the last key.
    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let mut from = start.to_vec();
        loop {
            let scanned = self.layers.with_view(&self.packs.nodes, None, |view| {
                view.scan(&from.clone(), end, &mut |key, value| {
                    // The smallest key after this one.
                    from.clear();
                    from.extend_from_slice(key);
                    from.push(0);
                    visit(key, value)
                })
            });
            match scanned {
                Err(error) => self.fetch_for(error)?,
                Ok(()) => return Ok(()),
            }
        }
    }
}
