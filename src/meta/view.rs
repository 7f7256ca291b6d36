//! Reading records through layers.
use std::ops::ControlFlow;

use bytes::Bytes;

use super::tree::PackRef;
use crate::object::ErrorKind;

/// Why a record could not be read from memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// This pack must be fetched and given to the node store first; then the same call is repeated.
    #[error("tree pack {} is not in memory", .0.id)]
    Missing(PackRef),
    /// A node or record is not what its reference promised: names the node or key and what is wrong.
    #[error("{0}")]
    Corrupt(String),
    /// A pack that whoever reads fetches by itself was not to be had, for a reason of this kind.
    #[error("{1}")]
    Unfetched(ErrorKind, String),
}

/// Visitor of a scan: key, value; Break ends the scan.
pub type Visit<'v> = dyn FnMut(&[u8], &Bytes) -> ControlFlow<()> + 'v;

/// Anything that answers by key: the tree, a layer on top of it, a transaction.
pub trait View {
    /// The record under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError>;

    /// Visits the records with `start <= key < end` in ascending order. On error some may have been visited
    /// already: a caller that repeats the call starts afresh, or from the last key it saw.
    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError>;
}

/// No record at all: what lies under the layers of a new volume.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyView;

impl View for EmptyView {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        Ok(None)
    }

    fn scan(&self, _start: &[u8], _end: &[u8], _visit: &mut Visit<'_>) -> Result<(), ReadError> {
        Ok(())
    }
}
