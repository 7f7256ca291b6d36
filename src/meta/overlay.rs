//! Layers of changes on top of a view, and transactions.
use std::collections::BTreeMap;
use bytes::Bytes;
use super::view::{ReadError, View, Visit};

/// A sorted set of changes: a new value, or None for "removed".
#[derive(Default, Clone)]
pub struct Overlay { pub(super) changes: BTreeMap<Vec<u8>, Option<Bytes>>, pub(super) bytes: usize }
impl Overlay {
    /// Memory the changes take, about.
    pub fn bytes(&self) -> usize { self.bytes }
    pub fn len(&self) -> usize { self.changes.len() }
    pub fn is_empty(&self) -> bool { self.changes.is_empty() }
    /// The change of `key`, if this layer has one.
    pub fn change(&self, _key: &[u8]) -> Option<&Option<Bytes>> { todo!() }
    pub fn set(&mut self, _key: Vec<u8>, _value: Option<Bytes>) { todo!() }
    /// Puts the changes of `newer` over these.
    pub fn absorb(&mut self, _newer: Overlay) { todo!() }
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Bytes>)> { self.changes.iter().map(|(k, v)| (k.as_slice(), v.as_ref())) }
}

/// A view made of a base and layers over it, newest first.
pub struct Layered<'a> { pub base: &'a dyn View, pub layers: Vec<&'a Overlay> }
impl View for Layered<'_> {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, ReadError> { todo!() }
    fn scan(&self, _start: &[u8], _end: &[u8], _visit: &mut Visit<'_>) -> Result<(), ReadError> { todo!() }
}

/// Changes in the making: reads see them, nobody else does until `finish`.
pub struct Txn<'a> { pub(super) base: &'a dyn View, pub(super) changes: Overlay }
impl<'a> Txn<'a> {
    pub fn new(base: &'a dyn View) -> Self { Self { base, changes: Overlay::default() } }
    pub fn put(&mut self, _key: Vec<u8>, _value: impl Into<Bytes>) { todo!() }
    pub fn remove(&mut self, _key: Vec<u8>) { todo!() }
    pub fn finish(self) -> Overlay { self.changes }
}
impl View for Txn<'_> {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, ReadError> { todo!() }
    fn scan(&self, _start: &[u8], _end: &[u8], _visit: &mut Visit<'_>) -> Result<(), ReadError> { todo!() }
}
