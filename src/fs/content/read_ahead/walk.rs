//! One who goes through the files of a directory in some order.
//!
//! Three files of which each comes a little after the one before in one of the orders are a walk; the files between may be such as the
//! kernel has in its caches, or are not wanted. Two of the next files are fetched then, and twice as many whenever the walk comes to one
//! of them. A file anywhere else ends it, unless the last three make another one.
//!
//! Pure: what the files contain, and fetching, is somebody else's.

use std::collections::VecDeque;
use std::ops::Range;

use super::orders::{Order, Orders};
use crate::base::Ino;

/// So many files in a row are a walk.
const HABIT: usize = 3;
/// How far on the last of them is, and the next file, at most, and how late one may be that others overtook; less in a small
/// directory, where everything is near.
const NEAR: u32 = 8;
/// Files fetched ahead at first, and at most.
const FIRST: u32 = 2;
pub(super) const MOST: u32 = 16;

/// The files of one directory that somebody has come to.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Those last, oldest first.
    recent: VecDeque<Ino>,
    lead: Option<Lead>,
}

/// The order that leads on.
#[derive(Debug)]
struct Lead {
    order: Order,
    /// The furthest place that was come to.
    front: u32,
    /// What comes before this place was asked for.
    asked: u32,
    /// What was asked for and not come to: places, ascending, and their bytes.
    due: VecDeque<(u32, u64)>,
    /// How many files may be due.
    ahead: u32,
}

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub order: Order,
    pub places: Range<u32>,
    /// Bytes that were asked for before and not come to.
    pub due: u64,
}

impl Walk {
    /// Somebody comes to a file. True when that may lead on.
    pub fn comes_to(&mut self, ino: Ino) -> bool {
        self.recent.retain(|recent| *recent != ino);
        if self.recent.len() >= HABIT {
            self.recent.pop_front();
        }
        self.recent.push_back(ino);
        self.recent.len() == HABIT
    }

    /// True for a walk whose next files are known.
    pub fn leads(&self) -> bool {
        self.lead.is_some()
    }

    /// The directory has other places now.
    pub fn lose_way(&mut self) {
        self.lead = None;
    }

    /// What to fetch now, if anything: at least `step` files, if there are as many, so that no more than `most` bytes are due. It
    /// counts as asked for.
    pub fn next(&mut self, orders: &Orders, step: u32, most: u64) -> Option<Next> {
        let here = *self.recent.back()?;
        if let Some(lead) = &mut self.lead
            && !orders.place(lead.order, here).is_some_and(|place| lead.comes_to(place, near(orders)))
        {
            self.lead = None;
        }
        if self.lead.is_none() {
            let order = self.find(orders)?;
            self.lead = Some(Lead::new(order, orders.place(order, here)?));
        }
        self.lead.as_mut()?.ask(orders.len(), step, most)
    }

    /// These files of `next`, with their bytes, are on their way; the others, if any, are not.
    pub fn took(&mut self, next: &Next, taken: impl IntoIterator<Item = (u32, u64)>) {
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.order == next.order) else { return };
        let mut end = next.places.start;
        for (place, bytes) in taken {
            end = place + 1;
            if place > lead.front {
                lead.due.push_back((place, bytes));
            }
        }
        if lead.asked == next.places.end {
            lead.asked = end;
        }
    }

    /// The order in which the last files follow each other, the closest if there are several.
    fn find(&self, orders: &Orders) -> Option<Order> {
        if self.recent.len() < HABIT {
            return None;
        }
        let length = |order: &Order| {
            let places: Option<Vec<u32>> = self.recent.iter().map(|ino| orders.place(*order, *ino)).collect();
            let places = places?;
            let length = places.last()? - places.first().filter(|_| places.is_sorted())?;
            (length <= near(orders)).then_some(length)
        };
        let found = Order::ALL.into_iter().filter_map(|order| Some((length(&order)?, order)));
        found.min_by_key(|(length, _)| *length).map(|(_, order)| order)
    }
}

impl Lead {
    fn new(order: Order, here: u32) -> Self {
        Self { order, front: here, asked: here + 1, due: VecDeque::new(), ahead: FIRST }
    }

    /// False when that file is not of this walk.
    fn comes_to(&mut self, here: u32, near: u32) -> bool {
        if here > self.front.saturating_add(near) || here.saturating_add(near) < self.front {
            return false;
        }
        if self.due.iter().any(|(place, _)| *place == here) {
            self.ahead = (self.ahead * 2).min(MOST);
        }
        self.front = self.front.max(here);
        // What it left out it will hardly come back to.
        self.due.retain(|(place, _)| *place > self.front);
        self.asked = self.asked.max(self.front + 1);
        true
    }

    fn ask(&mut self, files: u32, step: u32, most: u64) -> Option<Next> {
        let due = self.due.iter().map(|(_, bytes)| bytes).sum();
        // Fewer and larger requests.
        let (step, most) = if self.order.is_of_writing() { (MOST / 2, most / 2) } else { (step, most) };
        let to = self.front.saturating_add(1 + self.ahead).min(files);
        let least = step.min(self.ahead.div_ceil(2)).min(files.saturating_sub(self.asked)).max(1);
        if to < self.asked + least || due >= most {
            return None;
        }
        let places = self.asked..to;
        self.asked = to;
        Some(Next { order: self.order, places, due })
    }
}

/// What is near in a directory.
fn near(orders: &Orders) -> u32 {
    (orders.len() / 12).clamp(HABIT as u32 - 1, NEAR)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::Random;
    use crate::base::random::SeededRandom;

    /// A directory whose three orders have nothing to do with each other.
    fn directory(files: u64) -> Orders {
        let random = SeededRandom::new(5);
        let mut listed: Vec<(Bytes, Ino)> = (0..files)
            .map(|number| (Bytes::from(format!("{:016x}", random.next_u64())), Ino((7 << 32) + 3 * number)))
            .collect();
        listed.sort_by_key(|(name, _)| name.iter().rev().copied().collect::<Vec<u8>>());
        Orders::new(listed)
    }

    fn places(order: Order, orders: &Orders) -> impl Fn(u32) -> Ino {
        move |place| orders.file(order, place).unwrap()
    }

    /// What is asked for, file by file, with all of it taken.
    fn go(walk: &mut Walk, orders: &Orders, files: impl IntoIterator<Item = Ino>) -> Vec<Next> {
        let mut asked = Vec::new();
        for ino in files {
            if walk.comes_to(ino)
                && let Some(next) = walk.next(orders, 1, u64::MAX)
            {
                walk.took(&next, next.places.clone().map(|place| (place, 100)));
                asked.push(next);
            }
        }
        asked
    }

    #[test]
    fn whoever_goes_through_a_directory_in_any_of_its_orders_gets_the_next_files_once() {
        let orders = directory(100);
        for order in Order::ALL {
            let mut walk = Walk::default();
            let asked = go(&mut walk, &orders, (10..100).map(places(order, &orders)));
            assert!(asked.iter().all(|next| next.order == order), "{order:?}: {asked:?}");
            let places: Vec<u32> = asked.iter().flat_map(|next| next.places.clone()).collect();
            assert_eq!(places, (13..100).collect::<Vec<_>>(), "{order:?}");
            assert_eq!(asked[0].places, 13..15, "few at first");
            assert!(asked.iter().all(|next| next.due <= u64::from(MOST) * 100), "{asked:?}");
            assert!(asked.iter().any(|next| next.due >= u64::from(MOST / 2) * 100), "{asked:?}");
        }
    }

    #[test]
    fn files_that_are_left_out_or_come_late_do_not_end_a_walk() {
        let orders = directory(100);
        let places = places(Order::Names, &orders);
        let mut walk = Walk::default();
        assert_eq!(go(&mut walk, &orders, [1, 5, 9].map(&places))[0].places, 10..12);
        assert_eq!(go(&mut walk, &orders, [16].map(&places))[0].places, 17..19, "it has led to none yet");
        let asked = go(&mut walk, &orders, [18, 17, 19].map(&places));
        assert_eq!(asked.iter().map(|next| next.places.clone()).collect::<Vec<_>>(), [19..23, 23..28]);
    }

    #[test]
    fn who_jumps_begins_anew_with_few_files() {
        let orders = directory(1000);
        let places = places(Order::Listing, &orders);
        let mut walk = Walk::default();
        go(&mut walk, &orders, (0..40).map(&places));
        assert_eq!(go(&mut walk, &orders, [500, 700].map(&places)), []);
        assert_eq!(go(&mut walk, &orders, [701].map(&places)), []);
        assert_eq!(go(&mut walk, &orders, [702].map(&places))[0].places, 703..705);
    }

    #[test]
    fn who_takes_files_at_random_or_backwards_is_hardly_ever_taken_for_a_walk() {
        for (files, most) in [(40, 40), (1000, 10), (10_000, 0)] {
            let orders = directory(files);
            let random = SeededRandom::new(files);
            let at_random =
                (0..1000).map(|_| orders.file(Order::Numbers, (random.next_u64() % files) as u32));
            let asked = go(&mut Walk::default(), &orders, at_random.flatten());
            let asked: u32 = asked.iter().map(|next| next.places.len() as u32).sum();
            assert!(asked <= most, "{asked} of 1000 for {files} files");
            for order in Order::ALL {
                let back = (0..files as u32).rev().map(places(order, &orders));
                let asked = go(&mut Walk::default(), &orders, back);
                assert!(asked.iter().map(|next| next.places.len()).sum::<usize>() <= 40, "{asked:?}");
            }
        }
    }

    #[test]
    fn what_was_not_taken_is_asked_for_again() {
        let orders = directory(100);
        let mut files = (0..).map(places(Order::Names, &orders));
        let mut walk = Walk::default();
        go(&mut walk, &orders, files.by_ref().take(2));
        walk.comes_to(files.next().unwrap());
        let next = walk.next(&orders, 1, u64::MAX).unwrap();
        walk.took(&next, [(3, 100)]);
        walk.comes_to(files.next().unwrap());
        assert_eq!(walk.next(&orders, 1, u64::MAX).unwrap().places, 4..8);
    }

    #[test]
    fn a_step_of_several_files_is_waited_for() {
        let orders = directory(100);
        let mut walk = Walk::default();
        let mut asked = Vec::new();
        for ino in (0..100).map(places(Order::Names, &orders)) {
            if walk.comes_to(ino)
                && let Some(next) = walk.next(&orders, 8, u64::MAX)
            {
                walk.took(&next, next.places.clone().map(|place| (place, 100)));
                asked.push(next.places);
            }
        }
        assert_eq!(asked.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (3..100).collect::<Vec<_>>());
        assert!(asked.len() <= 5 + 90 / 8, "{asked:?}");
    }
}
