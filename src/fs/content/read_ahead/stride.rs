//! A reader of parts of a file at a constant distance, upwards: a column of a matrix, a field of each record, some of each block.
//!
//! Where the distance is no multiple of a page the kernel asks for the pages around, so that steps differ by one: the
//! distance is then that of the first part to the last, divided, and a little more is fetched at both ends of a part.
//!
//! What is fetched ahead grows with what the reader takes. Reading on where a part ends, and much that is read elsewhere meanwhile,
//! end the reader: it has cost twice as much as it was worth, and a first window, at most.
//!
//! Places are bytes of the file; numbers count parts, from 0.

use std::ops::Range;

use super::stream::Step;

/// Parts of the first window, to which twice those come that were read since.
const FIRST_WINDOW: u64 = 4;
/// So many parts are ahead at most: as many requests as the data layer sends at once.
const MOST_PARTS: u64 = 64;
/// Parts that are no farther apart are fetched with what lies between: the data layer does the same.
const BRIDGED: u64 = 64 << 10;
/// What fetching a part takes along, at most: it neither begins nor ends with a chunk.
const ROUNDING: u64 = 128 << 10;
/// By how much a part may begin sooner or later than expected: the kernel reads pages of 4 KiB.
const SLACK: u64 = 8 << 10;
/// So many reads that are not this reader's, since it went on the last time, are the end of it.
const STRAYS: u32 = 16;

/// By how much parts at this distance may begin sooner or later.
pub(super) fn slack(step: u64) -> u64 {
    SLACK.min(step / 16)
}

/// A reader of one file.
#[derive(Debug)]
pub(super) struct Stride {
    /// Where the first part begins.
    first: u64,
    /// The last part that was read, from 1 on, and how far it is from the first.
    number: u64,
    distance: u64,
    /// Length of a part.
    len: u64,
    /// Some part did not begin where it was expected.
    uneven: bool,
    /// The last part that was asked for.
    asked: u64,
    /// Parts that were come to since it is known.
    read: u64,
    strays: u32,
    /// When it was last seen, in reads.
    pub seen: u64,
}

impl Stride {
    /// A reader of these parts, ascending; None: they are too few.
    pub fn new(parts: &[Range<u64>], seen: u64) -> Option<Self> {
        let [first, .., last] = parts else { return None };
        let (number, distance) = (parts.len() as u64 - 1, last.start.checked_sub(first.start)?);
        let is_even = |pair: &[Range<u64>]| (pair[1].start - pair[0].start) * number == distance;
        Some(Self {
            first: first.start,
            number,
            distance,
            len: parts.iter().map(|part| part.end - part.start).max().unwrap_or_default(),
            uneven: !parts.windows(2).all(is_even),
            asked: number,
            read: 0,
            strays: 0,
            seen,
        })
        .filter(|_| distance > 0)
    }

    fn step(&self) -> u64 {
        self.distance / self.number
    }

    fn slack(&self) -> u64 {
        slack(self.step())
    }

    /// Where a part begins.
    fn start(&self, number: u64) -> u64 {
        let steps = u128::from(number) * u128::from(self.distance) / u128::from(self.number);
        self.first.saturating_add(steps as u64)
    }

    /// The part in which a place lies, or after whose end, if the reader is not far from there.
    fn near(&self, at: u64) -> Option<u64> {
        let distance = (at + self.slack()).checked_sub(self.first)?;
        let beyond = (u128::from(distance) + 1) * u128::from(self.number);
        let number = (beyond.div_ceil(u128::from(self.distance)) - 1) as u64;
        let late = self.number.saturating_sub(number) <= MOST_PARTS;
        (late && number <= self.asked.max(self.number) + FIRST_WINDOW).then_some(number)
    }

    /// True for a place in one of the parts or at the end of it, if the reader is not far from there.
    pub fn covers(&self, at: u64) -> bool {
        self.near(at).is_some_and(|number| at <= self.start(number) + self.len + self.slack())
    }

    /// Takes a request, if it is this reader's. None: this reader has ended.
    pub fn note(&mut self, read: &Range<u64>, now: u64) -> Option<Step> {
        let Some(number) = self.near(read.start).filter(|_| self.covers(read.start)) else {
            self.strays += 1;
            return (self.strays <= STRAYS).then_some(Step::Elsewhere);
        };
        let start = self.start(number);
        if read.end > start + self.len + self.slack() {
            return None;
        }
        self.seen = now;
        if number <= self.number {
            return Some(Step::Known);
        }
        // The first request of a part may have been overtaken by its others.
        let began = if read.start.abs_diff(start) <= self.slack() { read.start } else { start };
        self.uneven |= began != start;
        (self.number, self.distance) = (number, began - self.first);
        (self.strays, self.read) = (0, self.read + 1);
        Some(Step::On)
    }

    /// The reader went on: what to fetch ahead of it now. `end` is that of the file; `widest` bounds the window, in bytes.
    pub fn ask(&mut self, end: u64, widest: u64) -> Vec<Range<u64>> {
        let bridged = self.step() <= self.len + BRIDGED;
        let most = match bridged {
            true => widest / self.step().max(1),
            false => (widest / (self.len + ROUNDING)).min(MOST_PARTS),
        };
        let window = (FIRST_WINDOW + 2 * self.read).min(most);
        if window == 0 || self.asked > self.number + window / 2 {
            return Vec::new();
        }
        let from = self.asked.max(self.number) + 1;
        self.asked = self.number + window;
        let more = if self.uneven { self.slack() } else { 0 };
        let place = |number| {
            let start = self.start(number);
            start.saturating_sub(more)..end.min(start + self.len + more)
        };
        let parts = (from..=self.asked).map(place).take_while(|part| part.start < part.end);
        match bridged {
            true => parts.reduce(|all, part| all.start..part.end).into_iter().collect(),
            false => parts.collect(),
        }
    }

    /// Nothing from the chunk at `at` on is being fetched.
    pub fn refused(&mut self, at: u64) {
        let before = self.near(at).unwrap_or_default().saturating_sub(1);
        self.asked = self.asked.min(before).max(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    fn parts(len: u64, step: u64, numbers: Range<u64>) -> Vec<Range<u64>> {
        numbers.map(|number| number * step..number * step + len).collect()
    }

    fn reader(len: u64, step: u64) -> Stride {
        Stride::new(&parts(len, step, 0..4), 0).unwrap()
    }

    /// What is fetched while these parts are read.
    fn asked(reader: &mut Stride, reads: &[Range<u64>], end: u64) -> Vec<Range<u64>> {
        let mut asked = reader.ask(end, 28 * MIB);
        for read in reads {
            if reader.note(read, 0) == Some(Step::On) {
                asked.extend(reader.ask(end, 28 * MIB));
            }
        }
        asked
    }

    #[test]
    fn each_part_is_asked_for_once_and_up_to_the_end_of_the_file() {
        for (len, step) in [(256 * KIB, 512 * KIB), (4 * KIB, MIB), (MIB, 8 * MIB)] {
            let (mut reader, reads) = (reader(len, step), parts(len, step, 4..500));
            assert_eq!(asked(&mut reader, &reads, 499 * step + 10), {
                let mut parts = parts(len, step, 4..500);
                parts[495].end = 499 * step + 10;
                parts
            });
        }
    }

    #[test]
    fn the_window_grows_up_to_what_a_reader_may_have_and_to_the_most_requests() {
        for (len, most) in [(4 * KIB, 64), (MIB, 24), (8 * MIB, 3), (32 * MIB, 0)] {
            let mut reader = reader(len, 64 * MIB);
            assert_eq!(reader.ask(1 << 40, 28 * MIB).len(), most.min(4));
            let mut ahead = Vec::new();
            for read in parts(len, 64 * MIB, 4..300) {
                reader.note(&read, 0);
                reader.ask(1 << 40, 28 * MIB);
                ahead.push(reader.asked.saturating_sub(reader.number));
            }
            assert_eq!(ahead.iter().max(), Some(&(most as u64)));
            assert!((0..).zip(&ahead).all(|(read, ahead)| *ahead <= 2 * read + 6), "{ahead:?}");
        }
    }

    #[test]
    fn parts_that_are_close_are_fetched_with_what_lies_between() {
        let mut reader = reader(4 * KIB, 64 * KIB);
        let asked = asked(&mut reader, &parts(4 * KIB, 64 * KIB, 4..5000), 1 << 40);
        assert!(asked.len() < 60, "{}", asked.len());
        assert!(asked.last().is_some_and(|last| last.end - last.start >= 13 * MIB), "{:?}", asked.last());
    }

    #[test]
    fn a_distance_that_is_no_multiple_of_a_page_is_followed() {
        let part = |number: u64| {
            let at = 50_000 + number * 300_000;
            at / 4096 * 4096..(at + 100_000).div_ceil(4096) * 4096
        };
        let first: Vec<_> = (0..4).map(part).collect();
        let mut reader = Stride::new(&first, 0).unwrap();
        let asked = asked(&mut reader, &(4..1000).map(part).collect::<Vec<_>>(), 1 << 40);
        let got =
            |read: &Range<u64>| asked.iter().any(|part| part.start <= read.start && read.end <= part.end);
        let missed = (4..1000).map(part).filter(|read| !got(read)).count();
        assert!(missed <= 16, "{missed} of 996 not fetched whole");
    }

    #[test]
    fn requests_of_a_part_may_come_in_any_order_and_parts_too() {
        let mut reader = reader(256 * KIB, 512 * KIB);
        let half = |part: u64, half: u64| {
            let at = part * 512 * KIB + half * 128 * KIB;
            at..at + 128 * KIB
        };
        for (part, at, step) in [(4, 1, Step::On), (4, 0, Step::Known), (6, 0, Step::On), (5, 1, Step::Known)]
        {
            assert_eq!(reader.note(&half(part, at), 0), Some(step), "{part} {at}");
        }
        assert_eq!(reader.number, 6);
        assert!(!reader.uneven);
    }

    #[test]
    fn reading_on_and_much_elsewhere_end_the_reader() {
        let mut on = reader(256 * KIB, 512 * KIB);
        assert_eq!(on.note(&(2304 * KIB..2432 * KIB), 0), None, "after a part");
        let mut elsewhere = reader(256 * KIB, 512 * KIB);
        let far = 100 * MIB + 300 * KIB..100 * MIB + 304 * KIB;
        assert!((0..STRAYS).all(|_| elsewhere.note(&far, 0) == Some(Step::Elsewhere)));
        assert_eq!(elsewhere.note(&far, 0), None);
    }

    #[test]
    fn what_was_refused_is_asked_for_again() {
        let mut reader = reader(4 * KIB, MIB);
        let first = reader.ask(1 << 40, 28 * MIB);
        reader.refused(first[1].start);
        reader.note(&first[0], 0);
        assert_eq!(reader.ask(1 << 40, 28 * MIB).first(), Some(&first[1]));
    }
}
