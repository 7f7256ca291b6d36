//! One level of a tree that is being built: the entries whose node is not written yet, and the rules
//! about how large nodes become.
//!
//! A node is measured by its *weight*: what its entries take without sharing parts of keys. Its plaintext
//! is never larger. Nodes are cut at [`FILL`] while entries keep coming and hold at most [`SPLIT`]; what
//! follows a cut has at least [`MIN`], so that no node ends up nearly empty because its neighbour was filled.
//! Only entries that are large themselves make heavier nodes: a node that is below `MIN` takes whatever
//! comes next.

use bytes::Bytes;

use super::node::{MAX_KEY, MAX_VALUE};
use super::node_ref::NodeRef;
use crate::vault::MAX_CHUNK;

/// Weight at which nodes are cut in a long run: nine tenths of `SPLIT`, so that the next insertion fits.
pub(super) const FILL: usize = SPLIT / 10 * 9;
/// Nodes of several entries are split above this weight.
pub(super) const SPLIT: usize = 32 * 1024;
/// Nodes below this weight are merged with a neighbour.
pub(super) const MIN: usize = SPLIT / 4;
/// Weight of an entry beside its key and value: its lengths.
const OVERHEAD: usize = 8;

/// The heaviest node is a light one that took the heaviest entry; with its four fixed bytes it fits a frame.
const _: () = assert!(4 + MIN + OVERHEAD + MAX_KEY + MAX_VALUE <= MAX_CHUNK);

/// An entry of a node to be.
#[derive(Clone)]
pub(super) struct Entry {
    pub key: Bytes,
    /// Made in this fold: a changed record or a new node.
    pub fresh: bool,
    pub item: Item,
}

/// What an entry's key leads to.
#[derive(Clone)]
pub(super) enum Item {
    Record(Bytes),
    Child(NodeRef),
}

impl Entry {
    fn weight(&self) -> usize {
        let item = match &self.item {
            Item::Record(value) => value.len(),
            Item::Child(_) => NodeRef::LEN,
        };
        OVERHEAD + self.key.len() + item
    }
}

/// Entries of one level in ascending order, not yet written.
#[derive(Default)]
pub(super) struct Pending {
    entries: Vec<Entry>,
    weight: usize,
}

impl Pending {
    pub fn push(&mut self, entry: Entry) {
        self.weight += entry.weight();
        self.entries.push(entry);
    }

    /// Takes the last entry back.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop()?;
        self.weight -= entry.weight();
        Some(entry)
    }

    /// Puts entries in front of all others.
    pub fn prepend(&mut self, entries: Vec<Entry>) {
        self.weight += entries.iter().map(Entry::weight).sum::<usize>();
        self.entries.splice(0..0, entries);
    }

    pub fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Too light to become a node where there is a neighbour to merge with.
    pub fn is_light(&self) -> bool {
        self.weight < MIN
    }

    /// The entries of a node that can be written although more will come: there are so many that `MIN`
    /// remains.
    pub fn cut(&mut self) -> Option<Vec<Entry>> {
        if self.weight <= FILL + MIN || self.entries.len() < 2 {
            return None;
        }
        let mut weight = 0;
        let count = self.entries.iter().take_while(|entry| {
            let before = weight;
            weight += entry.weight();
            before < MIN || weight <= FILL
        });
        let count = count.count();
        (count < self.entries.len()).then(|| self.take(count))
    }

    /// The entries of the next node when no more will come; None when all were taken.
    pub fn cut_rest(&mut self) -> Option<Vec<Entry>> {
        if self.is_empty() {
            return None;
        }
        if let Some(entries) = self.cut() {
            return Some(entries);
        }
        let count = if self.weight > SPLIT { self.split_point() } else { self.entries.len() };
        Some(self.take(count))
    }

    /// Where to split a node that has grown too heavy: in halves, but where it grew at its end most stays
    /// on the left, because what grows there (inode numbers, chunks of a file) goes on growing there and
    /// would leave half-full nodes behind. All of it when a side would become light.
    fn split_point(&self) -> usize {
        let at_end = self.last().is_some_and(|entry| entry.fresh);
        let goal = if at_end { self.weight - MIN } else { self.weight / 2 };
        let mut left = 0;
        for (index, entry) in self.entries.iter().enumerate() {
            let with_entry = left + entry.weight();
            if with_entry > goal {
                let split = left >= MIN && self.weight - left >= MIN;
                return if split { index } else { self.entries.len() };
            }
            left = with_entry;
        }
        self.entries.len()
    }

    fn take(&mut self, count: usize) -> Vec<Entry> {
        let rest = self.entries.split_off(count);
        let taken = std::mem::replace(&mut self.entries, rest);
        self.weight -= taken.iter().map(Entry::weight).sum::<usize>();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize, value: usize, fresh: bool) -> Entry {
        let key = Bytes::from(format!("{number:08}"));
        Entry { key, fresh, item: Item::Record(Bytes::from(vec![0; value])) }
    }

    fn weights(nodes: &[Vec<Entry>]) -> Vec<usize> {
        nodes.iter().map(|node| node.iter().map(Entry::weight).sum()).collect()
    }

    /// Builds a level out of records of these sizes.
    fn build(sizes: &[usize], fresh: bool) -> Vec<usize> {
        let (mut pending, mut nodes) = (Pending::default(), Vec::new());
        for (number, size) in sizes.iter().enumerate() {
            pending.push(record(number, *size, fresh));
            while let Some(node) = pending.cut() {
                nodes.push(node);
            }
        }
        while let Some(node) = pending.cut_rest() {
            nodes.push(node);
        }
        assert_eq!((pending.len(), pending.weight), (0, 0));
        assert_eq!(nodes.iter().map(Vec::len).sum::<usize>(), sizes.len());
        weights(&nodes)
    }

    #[test]
    fn long_runs_make_nodes_that_are_nine_tenths_full() {
        let weights = build(&[84; 5000], true);
        for weight in &weights[..weights.len() - 2] {
            assert!((FILL - 100..=FILL).contains(weight), "{weight}");
        }
        assert!(weights.iter().all(|weight| *weight >= MIN));
    }

    #[test]
    fn large_records_stay_within_a_frame_and_leave_no_light_node_before_the_last() {
        let sizes = [10, MAX_VALUE, 10, 10, MAX_VALUE, MAX_VALUE, 5000, 20_000, MAX_VALUE, 10];
        let weights = build(&sizes, true);
        assert!(weights.iter().all(|weight| *weight <= MAX_CHUNK), "{weights:?}");
        assert!(weights[..weights.len() - 1].iter().all(|weight| *weight >= MIN), "{weights:?}");
    }

    #[test]
    fn a_node_that_grew_at_its_end_is_split_near_its_end_and_others_in_halves() {
        let sizes = [84; SPLIT / 100 + 5];
        let appended = build(&sizes, true);
        assert!(appended.len() == 2 && appended[0] > SPLIT * 7 / 10, "{appended:?}");
        let inserted = build(&sizes, false);
        assert!(inserted.len() == 2 && inserted[0].abs_diff(inserted[1]) <= 200, "{inserted:?}");
    }
}
