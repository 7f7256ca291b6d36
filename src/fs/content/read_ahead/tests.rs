use std::sync::Arc;

use super::fetch::whole_segments;
use super::*;
use crate::base::random::SeededRandom;
use crate::base::{Epoch, ObjectId, Random};
use crate::data::Want;
use crate::meta::record::SegmentRecord;
use crate::vault::HEADER_LEN;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const CHUNK: u64 = 64 * KIB;
const FILE: Ino = Ino(2);
const BUDGET: u64 = 16 * MIB;

fn ahead() -> ReadAhead {
    ReadAhead::default()
}

/// What a read leads to by itself; what it leads to as a part of a walk is told by [`super::walk`].
fn seen(ahead: &ReadAhead, ino: Ino, read: &Range<u64>, size: u64) -> Option<Ahead> {
    ahead.note(ino, read, size, BUDGET).filter(|found| !matches!(found, Ahead::Next(_)))
}

/// What is fetched ahead of a reader that goes forwards.
fn note(ahead: &ReadAhead, ino: Ino, read: &Range<u64>, size: u64) -> Option<Range<u64>> {
    seen(ahead, ino, read, size).map(|ahead| match ahead {
        Ahead::Here(Here::Up(range)) => range,
        other => panic!("{other:?} at {read:?}"),
    })
}

/// Reads of `step` bytes from 0 to `size`, each of which arrives up to `late` places too late.
fn disordered(size: u64, step: u64, late: u64) -> Vec<Range<u64>> {
    let mut order: Vec<u64> = (0..size / step).collect();
    order.sort_by_key(|number| number + (number * 7919) % (late + 1));
    order.into_iter().map(|number| number * step..(number + 1) * step).collect()
}

/// What is fetched ahead of `reads`; panics when something is asked for twice.
fn asked(ahead: &ReadAhead, reads: &[Range<u64>], size: u64) -> Vec<Range<u64>> {
    let mut asked: Vec<Range<u64>> = Vec::new();
    for read in reads {
        if let Some(range) = note(ahead, FILE, read, size) {
            assert!(asked.last().is_none_or(|last| last.end <= range.start), "{range:?} after {asked:?}");
            asked.push(range);
        }
    }
    asked
}

#[test]
fn a_sequential_reader_gets_a_window_that_grows_to_whole_segments() {
    let asked = asked(&ahead(), &disordered(256 * MIB, 128 * KIB, 0), 256 * MIB);
    assert_eq!(asked.last().map(|range| range.end), Some(256 * MIB));
    assert!(asked.len() <= 8 + 32, "{} asks", asked.len());
    let whole = asked.iter().filter(|range| **range == (range.start..range.start + 8 * MIB));
    assert!(whole.count() >= 28, "{asked:?}");
}

#[test]
fn requests_that_overtake_each_other_are_one_sequence() {
    for late in [1, 3, 8, 16, 24] {
        let asked = asked(&ahead(), &disordered(256 * MIB, 128 * KIB, late), 256 * MIB);
        let bytes: u64 = asked.iter().map(|range| range.end - range.start).sum();
        assert!(asked.len() <= 8 + 32, "{late} late: {} asks", asked.len());
        assert!(bytes >= 253 * MIB, "{late} late: {bytes} bytes");
    }
}

#[test]
fn the_window_stays_ahead_of_the_reader_and_below_the_limit() {
    let ahead = ahead();
    let mut end = 0;
    for read in disordered(128 * MIB, 128 * KIB, 0) {
        if let Some(range) = note(&ahead, FILE, &read, 1 << 40) {
            end = range.end;
        }
        assert!(end <= read.end + 16 * MIB);
        assert!(read.start < 40 * MIB || end >= read.end + 7 * MIB, "{end} at {read:?}");
    }
}

#[test]
fn random_reads_fetch_nothing_ahead() {
    let (ahead, random) = (ahead(), SeededRandom::new(1));
    for _ in 0..10_000 {
        let at = random.next_u64() % 16_384 * 64 * KIB;
        assert_eq!(note(&ahead, FILE, &(at..at + 4 * KIB), 1 << 30), None);
    }
}

#[test]
fn two_readers_of_one_file_have_a_window_each() {
    let ahead = ahead();
    let (mut near, mut far) = (0, 0);
    for number in 0..512 {
        for base in [0, 512 * MIB] {
            let at = base + number * 128 * KIB;
            match note(&ahead, FILE, &(at..at + 128 * KIB), 1 << 30) {
                Some(range) if range.start < 512 * MIB => near += range.end - range.start,
                Some(range) => far += range.end - range.start,
                None => {}
            }
        }
    }
    assert!(near >= 64 * MIB && far >= 64 * MIB, "{near} and {far}");
}

#[test]
fn many_readers_share_what_memory_takes() {
    let ahead = ahead();
    let mut end = [0; 8];
    for number in 0..256 {
        for (file, end) in end.iter_mut().enumerate() {
            let at = number * 128 * KIB;
            if let Some(range) = note(&ahead, Ino(file as u64 * 100), &(at..at + 128 * KIB), 1 << 30) {
                *end = range.end;
            }
            assert!(number < 64 || *end <= at + 128 * KIB + 2 * MIB, "{end} at {at}");
        }
    }
    assert!(end.iter().all(|end| *end > 32 * MIB));
}

#[test]
fn what_the_kernel_had_already_does_not_end_a_sequence() {
    let reads: Vec<_> = disordered(64 * MIB, 128 * KIB, 0)
        .into_iter()
        .filter(|read| !(20 * MIB..21 * MIB).contains(&read.start))
        .collect();
    let asked = asked(&ahead(), &reads, 64 * MIB);
    assert!(asked.len() <= 16, "{asked:?}");
}

#[test]
fn the_window_ends_with_the_file() {
    let ahead = ahead();
    assert_eq!(note(&ahead, FILE, &(0..CHUNK), 100_000), None);
    assert_eq!(note(&ahead, FILE, &(CHUNK..98_304), 100_000), Some(98_304..100_000));
    assert_eq!(note(&ahead, FILE, &(98_304..100_000), 100_000), None);
}

#[test]
fn what_was_refused_is_asked_for_again() {
    let ahead = ahead();
    note(&ahead, FILE, &(0..CHUNK), 1 << 30);
    let first = note(&ahead, FILE, &(CHUNK..2 * CHUNK), 1 << 30).unwrap();
    let chunk = first.start + CHUNK..first.start + 2 * CHUNK;
    ahead.refused(FILE, &Here::Up(first.clone()), &chunk);
    let second = note(&ahead, FILE, &(2 * CHUNK..3 * CHUNK), 1 << 30).unwrap();
    assert_eq!(second.start, first.start + CHUNK);
}

/// What is fetched below a reader that goes from `size` down in steps; panics when something is asked for twice.
fn asked_downwards(ahead: &ReadAhead, size: u64, step: u64) -> Vec<Range<u64>> {
    let mut asked: Vec<Range<u64>> = Vec::new();
    for number in (0..size / step).rev() {
        match seen(ahead, FILE, &(number * step..(number + 1) * step), size) {
            Some(Ahead::Here(Here::Down(range))) => {
                assert!(asked.last().is_none_or(|last| range.end <= last.start), "{range:?} after {asked:?}");
                asked.push(range);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    asked
}

#[test]
fn a_reader_that_goes_backwards_gets_a_window_too() {
    for step in [4 * KIB, 64 * KIB, MIB] {
        let asked = asked_downwards(&ahead(), 256 * MIB, step);
        let bytes: u64 = asked.iter().map(|range| range.end - range.start).sum();
        assert!(bytes >= 250 * MIB, "steps of {step}: {bytes} bytes");
        assert_eq!(asked.last().map(|range| range.start), Some(0), "steps of {step}");
        assert!(asked.len() <= 8 + 32, "steps of {step}: {asked:?}");
        let whole = asked.iter().filter(|range| **range == (range.end - 8 * MIB..range.end));
        assert!(whole.count() >= 28, "steps of {step}: {asked:?}");
    }
}

#[test]
fn what_was_refused_below_is_asked_for_again() {
    let ahead = ahead();
    let down = |number: u64| seen(&ahead, FILE, &(number * CHUNK..(number + 1) * CHUNK), 1 << 30);
    let first = (1000..1004).rev().find_map(down).unwrap();
    let Ahead::Here(here @ Here::Down(range)) = &first else { panic!("{first:?}") };
    ahead.refused(FILE, here, &(range.end - 2 * CHUNK..range.end - CHUNK));
    let Some(Ahead::Here(Here::Down(again))) = down(999) else { panic!("nothing") };
    assert_eq!(again.end, range.end - CHUNK);
}

#[test]
fn who_reads_whole_files_gets_the_next_one_at_its_first_read() {
    let (ahead, size) = (ahead(), 2 * MIB);
    for ino in 2..6 {
        let first = seen(&ahead, Ino(ino), &(0..128 * KIB), size);
        assert_eq!(first, (ino >= 4).then_some(Ahead::Here(Here::Whole(0..size))), "{ino}");
        for read in disordered(size, 128 * KIB, 0).into_iter().skip(1) {
            let more = seen(&ahead, Ino(ino), &read, size);
            assert!(ino < 4 || more.is_none(), "{more:?}");
        }
    }
    // Also when the second read overtakes the first, and the next time.
    for read in [128 * KIB..256 * KIB, 0..128 * KIB] {
        assert_eq!(seen(&ahead, Ino(6), &read, size).is_some(), read.start > 0);
    }
    note(&ahead, Ino(6), &(256 * KIB..size), size);
    assert_eq!(seen(&ahead, Ino(6), &(0..128 * KIB), size), Some(Ahead::Here(Here::Whole(0..size))));
    note(&ahead, Ino(6), &(128 * KIB..size), size);
    // A large one begins with some megabytes; heads are not read by habit for long, and small files say nothing.
    let large = seen(&ahead, Ino(7), &(0..128 * KIB), 1 << 30);
    assert_eq!(large, Some(Ahead::Here(Here::Whole(0..4 * MIB + 128 * KIB))));
    let whole = |ino: &u64| {
        matches!(seen(&ahead, Ino(*ino), &(0..128 * KIB), size), Some(Ahead::Here(Here::Whole(_))))
    };
    let heads = (10..30).filter(whole);
    assert!(heads.count() <= 3);
    (30..50).for_each(|ino| assert_eq!(seen(&ahead, Ino(ino), &(0..4 * KIB), 4 * KIB), None));
    assert_eq!(seen(&ahead, Ino(60), &(0..128 * KIB), size), None);
}

#[test]
fn a_segment_that_goes_on_beyond_the_window_is_left_for_the_next_time() {
    let record = SegmentRecord { epoch: Epoch(1), header: [0; HEADER_LEN], frames: vec![100; 8] };
    let record = Arc::new(record);
    let wants = |segments: &[(u8, Range<u32>)]| -> Vec<Want> {
        let of = |(segment, numbers): &(u8, Range<u32>)| {
            let want = Want { segment: ObjectId([*segment; 16]), number: 0, record: Some(record.clone()) };
            numbers.clone().map(move |number| Want { number, ..want.clone() }).collect::<Vec<_>>()
        };
        segments.iter().flat_map(of).collect()
    };
    let whole = |segments: &[(u8, Range<u32>)]| whole_segments(&wants(segments));
    assert_eq!(whole(&[]), 0);
    assert_eq!(whole(&[(1, 0..5)]), 5, "nothing else comes before it");
    assert_eq!(whole(&[(1, 3..8), (2, 0..3)]), 5);
    assert_eq!(whole(&[(1, 3..8), (2, 0..8)]), 13, "all of it is here");
    assert_eq!(whole(&[(1, 0..2), (2, 0..2), (1, 2..4)]), 4);
}

#[test]
fn a_sequential_reader_leaves_behind_what_it_read_and_nobody_else_does() {
    let ahead = ahead();
    let read = |number: u64| number * 128 * KIB..(number + 1) * 128 * KIB;
    let mut left = Vec::new();
    for number in 0..8 {
        note(&ahead, FILE, &read(number), 1 << 30);
        left.push(ahead.left(FILE, &read(number)));
    }
    assert_eq!(left[0], None, "it has not gone on yet");
    assert!(left[2..].iter().all(|left| *left == Some(Direction::Up)), "{left:?}");
    // What overtook others, as long as it belongs to this reader.
    note(&ahead, FILE, &read(12), 1 << 30);
    assert_eq!(ahead.left(FILE, &read(12)), Some(Direction::Up));
    assert_eq!(ahead.left(FILE, &read(1000)), None);
    assert_eq!(ahead.left(Ino(3), &read(1)), None);
    for number in (5_000..5_008).rev() {
        seen(&ahead, FILE, &read(number), 1 << 30);
    }
    assert_eq!(ahead.left(FILE, &read(5_000)), Some(Direction::Down));
}

/// Reads of parts as the kernel makes them: in requests of at most 128 KiB.
fn requests(start: u64, len: u64) -> impl Iterator<Item = Range<u64>> {
    let end = start + len;
    (start..end).step_by(128 << 10).map(move |at| at..end.min(at + 128 * KIB))
}

/// What is fetched ahead of who reads parts that begin at `starts`.
fn parts_ahead(
    ahead: &ReadAhead,
    starts: impl Iterator<Item = u64>,
    len: u64,
    size: u64,
) -> Vec<Vec<Range<u64>>> {
    let reads = starts.flat_map(|start| requests(start, len));
    let parts = |read| match seen(ahead, FILE, &read, size) {
        Some(Ahead::Here(Here::Parts(parts))) => Some(parts),
        _ => None,
    };
    reads.filter_map(parts).collect()
}

#[test]
fn who_reads_parts_at_a_constant_distance_gets_the_next_ones_and_nothing_else() {
    const SIZE: u64 = 1 << 30;
    for (len, step) in [(256 * KIB, 512 * KIB), (4 * KIB, MIB), (384 * KIB, 512 * KIB), (MIB, 8 * MIB)] {
        let up = parts_ahead(&ahead(), (0..SIZE).step_by(step as usize), len, SIZE);
        let whole = up.iter().flatten().filter(|part| part.start % step == 0 && part.end - part.start == len);
        assert_eq!(whole.count() as u64, SIZE / step - 4, "{len} of each {step}: {up:?}");
        assert_eq!(up.iter().flatten().count() as u64, SIZE / step - 4);
        if len > 512 * KIB {
            continue;
        }
        let down = parts_ahead(&ahead(), (0..SIZE / step).rev().map(|number| number * step), len, SIZE);
        let starts: Vec<u64> = down.iter().flatten().map(|part| part.start / step).collect();
        assert_eq!(starts, (0..SIZE / step - 4).rev().collect::<Vec<_>>(), "{len} of each {step}");
    }
}

#[test]
fn two_columns_in_turn_are_two_readers() {
    let starts = (0..1000).flat_map(|row| [row * MIB, row * MIB + 300 * KIB]);
    let parts = parts_ahead(&ahead(), starts, 4 * KIB, 1 << 30);
    assert!(parts.iter().flatten().count() >= 1980, "{parts:?}");
}

#[test]
fn who_ends_and_reads_on_in_order_is_a_sequential_reader_soon() {
    let ahead = ahead();
    assert!(!parts_ahead(&ahead, (0..64).map(|number| number * MIB), 256 * KIB, 1 << 30).is_empty());
    let asked: Vec<_> =
        requests(63 * MIB, 20 * MIB).filter_map(|read| seen(&ahead, FILE, &read, 1 << 30)).collect();
    assert!(
        matches!(asked.first(), Some(Ahead::Here(Here::Up(range))) if range.start < 64 * MIB),
        "{asked:?}"
    );
    assert!(asked.iter().all(|ahead| matches!(ahead, Ahead::Here(Here::Up(_)))), "{asked:?}");
}
