//! The new tree in the making: pending entries of every level, and the packs that finished nodes go to.

use bytes::Bytes;

use super::level::{Entry, Item, Pending};
use super::node_codec;
use super::node_ref::{MAX_HEIGHT, NodeRef};
use super::pack::{PackWriter, SealedPack};
use crate::base::Random;
use crate::meta::key::Scan;
use crate::meta::view::ReadError;
use crate::vault::Vault;

/// The new tree's levels, from the leaves up. What is pending at level n + 1 are the references of nodes of
/// level n, new ones and ones that were kept.
pub(super) struct Levels<'p> {
    pending: Vec<Pending>,
    packs: Packs<'p>,
}

impl<'p> Levels<'p> {
    /// A tree without anything.
    pub fn new(packs: Packs<'p>) -> Self {
        Self { pending: Vec::new(), packs }
    }

    /// Adds an entry to the node in the making at `level`, and writes that node if it is full.
    pub fn push(&mut self, level: u8, entry: Entry) -> Result<(), ReadError> {
        self.at(level)?.push(entry);
        while let Some(entries) = self.at(level)?.cut() {
            self.write(level, &entries)?;
        }
        Ok(())
    }

    /// Whether everything pending at `level` and below can become nodes that are not light. A level that has
    /// nothing yet but is about to get a reference or two from below cannot.
    pub fn can_close(&self, level: u8) -> bool {
        let lowest = (0..=level).find(|lower| !self.is_empty(*lower));
        lowest.is_none_or(|lowest| {
            (lowest..=level).all(|lower| self.get(lower).is_some_and(|pending| !pending.is_light()))
        })
    }

    /// Writes everything pending at `level` and below, because an old node follows there.
    pub fn close(&mut self, level: u8) -> Result<(), ReadError> {
        (0..=level).try_for_each(|level| self.write_rest(level))
    }

    /// Writes everything pending at `level`.
    pub fn write_rest(&mut self, level: u8) -> Result<(), ReadError> {
        while let Some(entries) = self.at(level)?.cut_rest() {
            self.write(level, &entries)?;
        }
        Ok(())
    }

    /// Hands out the packs that are not full.
    pub fn finish(&mut self) -> Result<(), ReadError> {
        self.packs.finish()
    }

    /// Nothing is pending at `level`.
    pub fn is_empty(&self, level: u8) -> bool {
        self.get(level).is_none_or(Pending::is_empty)
    }

    /// Nothing is pending above `level`.
    pub fn is_empty_above(&self, level: u8) -> bool {
        self.pending.iter().skip(usize::from(level) + 1).all(Pending::is_empty)
    }

    /// Something is pending at `level`, but too little for a node.
    pub fn is_light(&self, level: u8) -> bool {
        self.get(level).is_some_and(|pending| !pending.is_empty() && pending.is_light())
    }

    /// The node that is the only thing pending at `level`.
    pub fn only_child(&self, level: u8) -> Option<NodeRef> {
        let pending = self.get(level).filter(|pending| pending.len() == 1)?;
        match pending.first()?.item {
            Item::Child(node) => Some(node),
            Item::Record(_) => None,
        }
    }

    /// The first key pending at `level`.
    pub fn first_key(&self, level: u8) -> Option<Bytes> {
        Some(self.get(level)?.first()?.key.clone())
    }

    /// Takes the last entry at `level` back if it is a node of the old tree; with its first key.
    pub fn pop_kept(&mut self, level: u8) -> Option<(Bytes, NodeRef)> {
        let pending = self.pending.get_mut(usize::from(level))?;
        if pending.last()?.fresh {
            return None;
        }
        match pending.pop()? {
            Entry { key, item: Item::Child(node), .. } => Some((key, node)),
            Entry { item: Item::Record(_), .. } => None,
        }
    }

    /// Puts entries in front of what is pending at `level`.
    pub fn prepend(&mut self, level: u8, entries: Vec<Entry>) -> Result<(), ReadError> {
        self.at(level)?.prepend(entries);
        Ok(())
    }

    /// Whether every mount reads between `first` and `upper`; `None` has no bound.
    pub fn is_hot(&self, first: Option<&[u8]>, upper: Option<&[u8]>) -> bool {
        self.packs.hot.iter().any(|(start, end)| {
            first.is_none_or(|first| first < end.as_slice())
                && upper.is_none_or(|upper| upper > start.as_slice())
        })
    }

    /// Writes a node and enters it one level higher.
    fn write(&mut self, level: u8, entries: &[Entry]) -> Result<(), ReadError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        // Right behind the last entry, where it is not known what follows.
        let upper = self.first_key(level).unwrap_or_else(|| [&last.key[..], &[0]].concat().into());
        let is_few = level > 0 || self.is_hot(Some(&first.key), Some(&upper));
        let node = self.packs.add(is_few, &node_codec::encode(level, entries))?;
        // A copy: a slice would keep the buffer of an old node alive.
        let key = Bytes::copy_from_slice(&first.key);
        self.push(level + 1, Entry { key, fresh: true, item: Item::Child(node) })
    }

    fn get(&self, level: u8) -> Option<&Pending> {
        self.pending.get(usize::from(level))
    }

    /// What is pending at `level`; exists up to one above the highest node, for the reference of the root.
    fn at(&mut self, level: u8) -> Result<&mut Pending, ReadError> {
        if level > MAX_HEIGHT {
            return Err(ReadError::Corrupt(format!("the tree would have more than {MAX_HEIGHT} levels")));
        }
        let index = usize::from(level);
        if self.pending.len() <= index {
            self.pending.resize_with(index + 1, Pending::default);
        }
        Ok(&mut self.pending[index])
    }
}

/// Where nodes go: leaves (and, as long as one pack is enough, everything) into one row of packs, inner
/// nodes of larger folds, and leaves that every mount reads, into another, so that all of them can be had with few fetches.
pub(super) struct Packs<'p> {
    leaves: PackWriter<'p>,
    few: PackWriter<'p>,
    many: bool,
    /// Scans that every mount makes.
    hot: &'p [Scan],
    emit: &'p mut (dyn FnMut(SealedPack) -> Result<(), ReadError> + 'p),
}

impl<'p> Packs<'p> {
    /// No pack yet. Each finished one goes to `emit`; `hot` are the scans that every mount makes.
    pub fn new(
        vault: &'p Vault,
        random: &'p dyn Random,
        hot: &'p [Scan],
        emit: &'p mut (dyn FnMut(SealedPack) -> Result<(), ReadError> + 'p),
    ) -> Self {
        let (leaves, few) = (PackWriter::new(vault, random), PackWriter::new(vault, random));
        Self { leaves, few, many: false, hot, emit }
    }

    /// `is_few`: an inner node, or a leaf that every mount reads.
    fn add(&mut self, is_few: bool, plain: &[u8]) -> Result<NodeRef, ReadError> {
        let writer = if self.many && is_few { &mut self.few } else { &mut self.leaves };
        let node = writer.add(plain)?;
        if writer.is_full() {
            self.many = true;
            if let Some(pack) = writer.finish()? {
                (self.emit)(pack)?;
            }
        }
        Ok(node)
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        for writer in [&mut self.leaves, &mut self.few] {
            if let Some(pack) = writer.finish()? {
                (self.emit)(pack)?;
            }
        }
        Ok(())
    }
}
