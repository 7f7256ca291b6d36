//! Which bytes of a segment to ask for, and in how many requests.

use std::ops::Range;

use crate::meta::record::SegmentRecord;
use crate::vault::HEADER_LEN;

/// Most bytes of one ranged GET that somebody waits for.
pub(super) const MAX_GET: u64 = 4 * 1024 * 1024;

/// Most bytes of one ranged GET ahead of a reader: a whole segment, with what sealing adds.
pub(super) const MAX_GET_AHEAD: u64 = 9 * 1024 * 1024;

/// Frames this close together are fetched in one request: the bytes between cost less than another one.
pub(super) const MAX_GAP: u64 = 64 * 1024;

/// Frames this close together are fetched ahead of a reader with what lies between.
pub(super) const MAX_GAP_AHEAD: u64 = 1024 * 1024;

/// The byte ranges of frames, in the order of `numbers`, which must ascend. Frames outside the segment are
/// left out: callers check numbers first.
pub(super) fn frame_ranges(record: &SegmentRecord, numbers: &[u32]) -> Vec<Range<u64>> {
    let mut wanted = numbers.iter().copied().peekable();
    let mut ranges = Vec::with_capacity(numbers.len());
    let mut start = HEADER_LEN as u64;
    for (number, len) in (0u32..).zip(&record.frames) {
        let end = start + u64::from(*len);
        while wanted.next_if_eq(&number).is_some() {
            ranges.push(start..end);
        }
        if wanted.peek().is_none() {
            break;
        }
        start = end;
    }
    ranges
}

/// Splits items, ascending by range, into requests of at most `most` bytes that bridge gaps of at most
/// [`MAX_GAP`].
pub(super) fn plan_gets<T>(
    items: Vec<T>,
    most: u64,
    range_of: impl Fn(&T) -> Range<u64>,
) -> Vec<(Range<u64>, Vec<T>)> {
    let mut gets: Vec<(Range<u64>, Vec<T>)> = Vec::new();
    for item in items {
        let range = range_of(&item);
        match gets.last_mut() {
            Some((get, members))
                if range.start.saturating_sub(get.end) <= MAX_GAP && range.end - get.start <= most =>
            {
                get.end = get.end.max(range.end);
                members.push(item);
            }
            _ => gets.push((range, vec![item])),
        }
    }
    gets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Epoch;

    fn plan(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
        plan_gets(ranges, MAX_GET, Clone::clone).into_iter().map(|(range, _)| range).collect()
    }

    #[test]
    fn ranges_follow_the_header_and_each_other() {
        let record = SegmentRecord { epoch: Epoch(1), header: [0; HEADER_LEN], frames: vec![10, 20, 30] };
        assert_eq!(frame_ranges(&record, &[0, 2]), [128..138, 158..188]);
        assert_eq!(frame_ranges(&record, &[1, 1, 7]), [138..158, 138..158]);
    }

    #[test]
    fn near_frames_share_a_request_and_far_ones_do_not() {
        assert_eq!(plan(vec![0..10, 10..20]), vec![0..20; 1]);
        assert_eq!(plan(vec![0..10, 10 + MAX_GAP..20 + MAX_GAP]), vec![0..20 + MAX_GAP; 1]);
        assert_eq!(plan(vec![0..10, 11 + MAX_GAP..20 + MAX_GAP]), [0..10, 11 + MAX_GAP..20 + MAX_GAP]);
    }

    #[test]
    fn no_request_is_longer_than_the_limit() {
        let step = 100_000;
        let gets = plan((0..100).map(|i| i * step..(i + 1) * step).collect());
        assert!(gets.iter().all(|get| get.end - get.start <= MAX_GET));
        assert_eq!(gets.len(), 3);
        assert_eq!(gets.last().map(|get| get.end), Some(100 * step));
    }
}
