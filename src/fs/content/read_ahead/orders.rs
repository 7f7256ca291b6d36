//! The orders in which somebody may go through the files of a directory.
//!
//! tar(1) takes them as the directory lists them, which is by a hash of their names; rsync(1) and the globs of shells by their names;
//! `cp -r` by their numbers, which is the order of their making.
//!
//! A place is where a file comes in one of the orders, from 0 on. 24 bytes are remembered of each file.

use bytes::Bytes;

use crate::base::Ino;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Numbers,
    Listing,
    Names,
}

impl Order {
    pub const ALL: [Order; 3] = [Order::Numbers, Order::Listing, Order::Names];

    /// True when the files that follow each other lie side by side in their segments, for the most part.
    pub fn is_of_writing(self) -> bool {
        self == Self::Numbers
    }
}

/// Another order than by number, as a permutation.
#[derive(Debug)]
struct Others {
    /// By place: where in the order of numbers.
    at: Vec<u32>,
    /// By place in the order of numbers: the place here.
    places: Vec<u32>,
}

impl Others {
    /// `files` in this order, all of which `numbers` has. What has two names has the place of the first one.
    fn new(numbers: &[Ino], files: impl Iterator<Item = Ino>) -> Self {
        let mut at = Vec::with_capacity(numbers.len());
        let mut places = vec![u32::MAX; numbers.len()];
        for number in files.filter_map(|ino| numbers.binary_search(&ino).ok()) {
            if places[number] == u32::MAX {
                places[number] = at.len() as u32;
                at.push(number as u32);
            }
        }
        Self { at, places }
    }
}

/// The files of one directory in all orders.
#[derive(Debug)]
pub(super) struct Orders {
    numbers: Vec<Ino>,
    listing: Others,
    names: Others,
}

impl Orders {
    /// Of the files of a directory as it lists them; fewer than 2³².
    pub fn new(mut listed: Vec<(Bytes, Ino)>) -> Self {
        let inos = |listed: &[(Bytes, Ino)]| listed.iter().map(|(_, ino)| *ino).collect::<Vec<_>>();
        let mut numbers = inos(&listed);
        numbers.sort_unstable();
        numbers.dedup();
        let listing = Others::new(&numbers, inos(&listed).into_iter());
        listed.sort_unstable();
        let names = Others::new(&numbers, inos(&listed).into_iter());
        Self { numbers, listing, names }
    }

    /// How many files there are.
    pub fn len(&self) -> u32 {
        self.numbers.len() as u32
    }

    /// Where a file comes; None: it is not of this directory.
    pub fn place(&self, order: Order, ino: Ino) -> Option<u32> {
        let number = self.numbers.binary_search(&ino).ok()?;
        match self.others(order) {
            Some(others) => others.places.get(number).copied(),
            None => Some(number as u32),
        }
    }

    /// The file at a place, if there is one.
    pub fn file(&self, order: Order, place: u32) -> Option<Ino> {
        let number = match self.others(order) {
            Some(others) => *others.at.get(place as usize)?,
            None => place,
        };
        self.numbers.get(number as usize).copied()
    }

    fn others(&self, order: Order) -> Option<&Others> {
        match order {
            Order::Numbers => None,
            Order::Listing => Some(&self.listing),
            Order::Names => Some(&self.names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_has_each_file_once_and_knows_its_place() {
        let listed = [("b", 40), ("c", 10), ("a", 30), ("d", 10), ("e", 20)];
        let orders =
            Orders::new(listed.map(|(name, ino)| (Bytes::from_static(name.as_bytes()), Ino(ino))).to_vec());
        assert_eq!(orders.len(), 4);
        let files = |order| (0..5).map_while(|place| orders.file(order, place)).map(|ino| ino.0).collect();
        let all: Vec<Vec<u64>> = Order::ALL.map(files).to_vec();
        assert_eq!(all, [[10, 20, 30, 40], [40, 10, 30, 20], [30, 40, 10, 20]]);
        for order in Order::ALL {
            for place in 0..4 {
                assert_eq!(orders.place(order, orders.file(order, place).unwrap()), Some(place), "{order:?}");
            }
            assert_eq!(orders.place(order, Ino(15)), None);
        }
    }
}
