//! Targets for the fuzzers: frames of segments, where they come from, and what is made of them.
//!
//! The disk cache and the spool hold sealed frames, which are opened as those from the bucket are; besides them there is
//! nothing to decode: the cache's index is rebuilt from names, which are ids, and the spool's files have none.

use std::sync::OnceLock;

use super::opening::open_frame;
use super::range_plan::{frame_ranges, plan_gets};
use crate::base::{Epoch, ObjectId};
use crate::fuzzing::Target;
use crate::meta::record::SegmentRecord;
use crate::vault::fuzzing::{overlaid, vault};
use crate::vault::{HEADER_LEN, ObjectKind};

pub(crate) static TARGETS: [Target; 1] = [Target::new(
    "segment",
    &["data/opening.rs: open_frame", "data/range_plan.rs: frame_ranges", "data/range_plan.rs: plan_gets"],
    segment,
)
.plus(1 << 20)];

const ID: ObjectId = ObjectId([7; 16]);
const PLAIN: [&[u8]; 2] = [b"the first chunk of a segment", b"and the last"];

/// A segment of two chunks and its record.
pub(crate) fn sample() -> &'static (SegmentRecord, Vec<u8>) {
    static SAMPLE: OnceLock<(SegmentRecord, Vec<u8>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let random = crate::base::random::SeededRandom::new(3);
        let mut sealer = vault().sealer(ObjectKind::Segment, ID, &random).expect("a sealer");
        let mut sealed = sealer.header().to_vec();
        let frames: Vec<u32> = (0..2)
            .map(|number| sealer.seal(PLAIN[number], number == 1, &mut sealed).expect("sealed"))
            .collect();
        let header = *sealed.first_chunk::<HEADER_LEN>().expect("a header");
        (SegmentRecord { epoch: Epoch(1), header, frames }, sealed)
    })
}

/// A record (or the true one), then, behind a byte that says how long the record is, what is laid over the segment.
fn segment(bytes: &[u8]) {
    let Some((&len, rest)) = bytes.split_first() else { return };
    let (record, patch) = rest.split_at(rest.len().min(usize::from(len)));
    let (true_record, sample) = sample();
    let record = SegmentRecord::decode(record).unwrap_or_else(|_undecodable| true_record.clone());
    let numbers: Vec<u32> = (0..record.frames.len() as u32).collect();
    let gets = plan_gets(frame_ranges(&record, &numbers), 1 << 20, Clone::clone);
    assert!(gets.iter().all(|(get, _)| get.start < get.end && get.end <= record.object_len()));
    let sealed = overlaid(sample, patch);
    let Ok(opener) = vault().opener(ObjectKind::Segment, ID, &record.header) else { return };
    for number in numbers.into_iter().take(16) {
        let range = record.frame(number).expect("a frame of the record");
        let Some(frame) = sealed.get(range.start as usize..range.end as usize) else { continue };
        if let Ok(plain) = open_frame(&opener, ID, &record, number, frame) {
            assert_eq!(plain, PLAIN[number as usize], "a chunk that was never sealed");
        }
    }
}
