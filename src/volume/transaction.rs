//! One transaction: what a system call reads and changes in one step.

use bytes::Bytes;

use crate::meta::apply::{ApplyError, Context, apply};
use crate::meta::op::Op;
use crate::meta::overlay::{Overlay, Txn};
use crate::meta::view::{ReadError, View, Visit};

/// A transaction: reads see its own ops; ops are recorded for the log.
pub struct OpTxn<'a> {
    pub(crate) txn: Txn<'a>,
    pub(crate) ops: Vec<Op>,
    pub(crate) slot: u32,
}

impl<'a> OpTxn<'a> {
    /// Starts on `view`, for the session of `slot`.
    pub(super) fn new(view: &'a dyn View, slot: u32) -> Self {
        Self { txn: Txn::new(view), ops: Vec::new(), slot }
    }

    /// Applies `op` (quota enforced) and remembers it for the commit. An op that fails leaves the transaction
    /// as it was, so the caller may try another.
    ///
    /// # Errors
    /// As [`apply`]; `Quota`.
    pub fn apply(&mut self, op: Op) -> Result<(), ApplyError> {
        self.attempt(op, true)
    }

    /// As [`Self::apply`] for bytes that were accepted before: the quota was asked then. Whatever it has
    /// become since, through another machine perhaps, they are not refused any more.
    ///
    /// # Errors
    /// As [`apply`], never `Quota`.
    pub fn apply_accepted(&mut self, op: Op) -> Result<(), ApplyError> {
        self.attempt(op, false)
    }

    fn attempt(&mut self, op: Op, enforce_quota: bool) -> Result<(), ApplyError> {
        let mut attempt = Txn::new(&self.txn);
        apply(&mut attempt, &op, Context { slot: self.slot, enforce_quota })?;
        let changes = attempt.finish();
        self.txn.absorb(changes);
        self.ops.push(op);
        Ok(())
    }

    /// The changes and the ops that made them.
    pub(super) fn finish(self) -> (Overlay, Vec<Op>) {
        (self.txn.finish(), self.ops)
    }
}

impl View for OpTxn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        self.txn.get(key)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        self.txn.scan(start, end, visit)
    }
}
