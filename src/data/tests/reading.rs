//! Reading from the bucket: requests, verification, read-ahead, prefetch.

use super::*;
use crate::data::DataError;
use crate::object::{Bucket, Fault, Gate, RequestKind, Rule};

fn frame_len(want: &Want) -> u64 {
    u64::from(want.record.as_ref().unwrap().frames[want.number as usize])
}

#[tokio::test]
async fn adjacent_frames_cost_one_get_and_exactly_their_bytes() {
    let bench = Bench::new();
    let chunks = chunks(8, 64 * KIB);
    let wants = bench.stored(&chunks).await;
    assert_eq!(bench.store().read(&wants[2..6]).await.unwrap(), chunks[2..6]);
    assert_eq!(bench.gets(), 1);
    assert_eq!(bench.meter.snapshot().bytes_down, wants[2..6].iter().map(frame_len).sum::<u64>());
}

#[tokio::test]
async fn near_frames_share_a_get_and_far_ones_do_not() {
    let bench = Bench::new();
    let chunks = chunks(8, 60 * KIB);
    let wants = bench.stored(&chunks).await;
    let pick = |numbers: [usize; 2]| numbers.map(|number| wants[number].clone());
    bench.store().read(&pick([1, 3])).await.unwrap();
    assert_eq!(bench.gets(), 1);
    bench.store().read(&pick([1, 4])).await.unwrap();
    assert_eq!(bench.gets(), 3);
}

#[tokio::test]
async fn answers_come_in_the_order_asked_for_across_segments_and_repetitions() {
    let bench = Bench::new();
    let chunks = chunks(20, 128 * KIB);
    let wants = bench.stored(&chunks).await;
    let order = [19, 0, 7, 7, 12, 1, 19];
    let asked: Vec<Want> = order.iter().map(|&number| wants[number].clone()).collect();
    let expected: Vec<Bytes> = order.iter().map(|&number| chunks[number].clone()).collect();
    assert_eq!(bench.store().read(&asked).await.unwrap(), expected);
    assert_eq!(bench.store().read(&[]).await.unwrap(), Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_reader_gets_its_frame_before_the_rest_of_the_get_has_come() {
    let bench = Bench::new();
    let chunks = chunks(8, 64 * KIB);
    let wants = bench.stored(&chunks).await;
    let gate = Gate::new();
    bench.faulty.add(Rule::first(1, Fault::FreezeHalfway(gate.clone())).on(RequestKind::Get));
    let store = bench.store();
    let (all, early) = (store.read(&wants), async {
        gate.reached(1).await;
        assert_eq!(store.read(&wants[..3]).await.unwrap(), chunks[..3]);
        gate.release();
    });
    let (all, ()) = tokio::join!(all, early);
    assert_eq!((all.unwrap(), bench.gets()), (chunks, 1));
}

#[tokio::test]
async fn what_came_before_a_damaged_frame_is_kept() {
    let bench = Bench::new();
    let wants = bench.stored(&chunks(8, 64 * KIB)).await;
    let (gate, store) = (Gate::new(), bench.store());
    bench.faulty.add(Rule::first(1, Fault::FreezeHalfway(gate.clone())).on(RequestKind::Get));
    let mut sealed = bench.memory.get(&key(&wants[0]), None).await.unwrap().bytes.to_vec();
    let last = sealed.len() - 100;
    sealed[last] ^= 1;
    bench.memory.overwrite_raw(&key(&wants[0]), sealed);
    let (all, ()) = tokio::join!(store.read(&wants), async {
        gate.reached(1).await;
        gate.release();
    });
    assert!(matches!(all, Err(DataError::Tampered { .. })), "{all:?}");
    assert_eq!(store.read(&wants[..7]).await.unwrap().len(), 7);
    assert_eq!(bench.gets(), 1, "what came before the damage was kept");
}

#[tokio::test]
async fn two_readers_of_one_frame_cost_one_get() {
    let bench = Bench::new();
    let chunks = chunks(2, 1000);
    let wants = bench.stored(&chunks).await;
    let gate = Gate::new();
    bench.faulty.add(Rule::always(Fault::Freeze(gate.clone())).on(RequestKind::Get));
    let store = bench.store();
    let release = async {
        gate.reached(1).await;
        gate.release();
    };
    let (first, second, ()) = tokio::join!(store.read(&wants[..1]), store.read(&wants[..1]), release);
    assert_eq!((first.unwrap(), second.unwrap()), (vec![chunks[0].clone()], vec![chunks[0].clone()]));
    assert_eq!(bench.gets(), 1);
    assert_eq!(store.status().misses, 1);
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_fail_the_one_who_joined_it() {
    let bench = Bench::new();
    let chunks = chunks(1, 1000);
    let wants = bench.stored(&chunks).await;
    let gate = Gate::new();
    bench.faulty.add(Rule::always(Fault::Freeze(gate.clone())).on(RequestKind::Get));
    let store = bench.store();
    let first = tokio::spawn({
        let (store, wants) = (store.clone(), wants.clone());
        async move { store.read(&wants).await }
    });
    gate.reached(1).await;
    let release = async {
        first.abort();
        gate.release();
    };
    let (second, ()) = tokio::join!(store.read(&wants), release);
    assert_eq!(second.unwrap(), chunks);
    assert_eq!(bench.gets(), 1);
}

#[tokio::test]
async fn small_chunks_read_in_order_cost_few_gets() {
    let mut bench = Bench::new();
    bench.config.segment_bytes = 8 * MIB;
    let chunks = chunks(1000, 8 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    for (want, chunk) in wants.iter().zip(&chunks) {
        assert_eq!(store.read(std::slice::from_ref(want)).await.unwrap(), std::slice::from_ref(chunk));
    }
    // 8 KiB, then 8 + 256, 8 + 512, 8 + 1024, 8 + 2048, 8 + 4096 KiB and the rest.
    assert!(bench.gets() <= 8, "{} GETs", bench.gets());
    let stored: u64 = wants.iter().map(frame_len).sum();
    assert_eq!(bench.meter.snapshot().bytes_down, stored, "nothing is fetched twice");
}

/// Each once, in an order of no use to anybody.
fn scattered(count: usize) -> impl Iterator<Item = usize> + Clone {
    assert_ne!(count % 617, 0, "617 goes round");
    (0..count).map(move |number| number * 617 % count)
}

#[tokio::test]
async fn small_chunks_read_in_any_order_cost_few_gets() {
    let bench = Bench::of_usual_size();
    let chunks = chunks(5000, 4 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    for number in scattered(chunks.len()) {
        let read = store.read(std::slice::from_ref(&wants[number])).await.unwrap();
        assert_eq!(read, [chunks[number].clone()]);
    }
    // Two full segments, with what sealing adds, and a half: a first miss and five blocks each, or three.
    assert!(bench.gets() <= 16, "{} GETs", bench.gets());
}

/// Ten megabytes a second, as far as can be seen.
#[tokio::test]
async fn on_a_slow_line_small_chunks_bring_few_others_along() {
    let bench = Bench::of_usual_size();
    let chunks = chunks(5000, 4 * KIB);
    let wants = bench.stored(&chunks).await;
    let slow = Fault::Delay(Duration::from_millis(200));
    bench.faulty.add(Rule::always(slow).on(RequestKind::Get));
    let store = bench.store();
    for number in scattered(chunks.len()).take(12) {
        let read = store.read(std::slice::from_ref(&wants[number])).await.unwrap();
        assert_eq!(read, [chunks[number].clone()]);
    }
    let came = bench.meter.snapshot().bytes_down;
    // Before it is known what the line is like, one block.
    assert!(came <= 4 * MIB as u64, "{came} bytes came, of which 48 KiB were asked for");
}

/// Under two megabytes a second, as far as can be seen.
#[tokio::test]
async fn on_a_slow_line_no_more_is_fetched_ahead_than_comes_in_a_second_or_two_mebibytes() {
    let bench = Bench::of_usual_size();
    let wants = bench.stored(&chunks(8, 64 * KIB)).await;
    let slow = Fault::Delay(Duration::from_millis(300));
    bench.faulty.add(Rule::always(slow).on(RequestKind::Get));
    let store = bench.store();
    assert_eq!(store.read_ahead_bytes(), 56 * MIB as u64, "nobody knows the line");
    store.read(&wants).await.unwrap();
    assert_eq!(store.read_ahead_bytes(), 2 * MIB as u64);
}

#[tokio::test]
async fn large_chunks_that_compress_well_are_not_taken_for_small_files() {
    let bench = Bench::of_usual_size();
    let chunks: Vec<Bytes> = (0..128).map(|seed| Bytes::from(noise(seed, 8 * KIB).repeat(8))).collect();
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    for number in [40, 3, 90, 20, 60, 9] {
        store.read(&wants[number..=number]).await.unwrap();
    }
    assert_eq!(bench.gets(), 6);
}

#[tokio::test]
async fn with_too_little_memory_for_them_neighbours_are_taken_along_once() {
    let mut bench = Bench::of_usual_size();
    bench.config.chunk_cache = 8 * MIB;
    let chunks = chunks(5000, 4 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    for number in scattered(chunks.len()).cycle().take(2 * chunks.len()) {
        store.read(std::slice::from_ref(&wants[number])).await.unwrap();
    }
    let (asked, came) = (2 * 5000 * 4 * KIB as u64, bench.meter.snapshot().bytes_down);
    assert!(came < 2 * asked, "{came} bytes came for {asked}");
}

#[tokio::test]
async fn a_random_reader_gets_exactly_the_frame_it_asked_for() {
    let bench = Bench::new();
    let chunks = chunks(80, 24 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    let order = [40, 3, 50, 20, 60, 9];
    for number in order {
        store.read(&wants[number..=number]).await.unwrap();
    }
    assert_eq!(bench.gets(), order.len() as u64);
    assert_eq!(
        bench.meter.snapshot().bytes_down,
        order.iter().map(|&number| frame_len(&wants[number])).sum::<u64>()
    );
}

#[tokio::test]
async fn the_chunk_cache_answers_again_and_keeps_its_limit() {
    let mut bench = Bench::new();
    bench.config.chunk_cache = 512 * KIB;
    let chunks = chunks(40, 64 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
    assert!(store.status().chunk_cache_bytes <= 512 * KIB as u64);
    assert!(store.status().chunk_cache_bytes > 256 * KIB as u64);
    assert_eq!(store.read(&wants[39..]).await.unwrap(), chunks[39..]);
    let gets = bench.gets();
    assert_eq!(store.read(&wants[39..]).await.unwrap(), chunks[39..]);
    let hits = store.status().hits_memory;
    assert_eq!(store.cached(wants[39].segment, wants[39].number), Some(chunks[39].clone()));
    assert_eq!((bench.gets(), store.status().hits_memory), (gets, hits + 1));
}

#[tokio::test]
async fn a_flipped_bit_in_the_bucket_is_an_error_and_no_bytes() {
    let bench = Bench::new();
    let chunks = chunks(3, 1000);
    let wants = bench.stored(&chunks).await;
    let key = key(&wants[0]);
    let object = bench.memory.objects().remove(&key).unwrap();
    let frame = wants[1].record.as_ref().unwrap().frame(1).unwrap();
    for byte in [frame.start, frame.start + 4, frame.start + 500, frame.end - 1] {
        let mut damaged = object.to_vec();
        damaged[byte as usize] ^= 1;
        bench.memory.overwrite_raw(&key, damaged);
        let store = bench.store();
        let refused = store.read(&wants).await;
        assert!(matches!(refused, Err(DataError::Tampered { number: 1, .. })), "byte {byte}: {refused:?}");
        assert_eq!(store.cached(wants[1].segment, 1), None);
        // The neighbours of the damage are fine.
        assert_eq!(store.read(&wants[2..]).await.unwrap(), chunks[2..]);
    }
}

#[tokio::test]
async fn swapped_shortened_and_missing_segments_are_errors() {
    let bench = Bench::new();
    let chunks = chunks(2, 1000);
    let mut wants = bench.stored(&chunks[..1]).await;
    wants.extend(bench.stored(&chunks[1..]).await);
    let (first, second) = (key(&wants[0]), key(&wants[1]));
    let objects = bench.memory.objects();
    bench.memory.overwrite_raw(&first, objects[&second].clone());
    let swapped = bench.store().read(&wants[..1]).await;
    assert!(matches!(swapped, Err(DataError::Tampered { .. })));
    bench.memory.overwrite_raw(&first, objects[&first].slice(..objects[&first].len() - 1));
    let shortened = bench.store().read(&wants[..1]).await;
    assert!(matches!(shortened, Err(DataError::Tampered { .. })));
    bench.memory.remove_raw(&first);
    let missing = bench.store().read(&wants[..1]).await;
    assert!(matches!(missing, Err(DataError::Bucket { .. })));
    bench.memory.restore(&objects);
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
}

#[tokio::test]
async fn a_record_with_a_foreign_header_is_refused() {
    let bench = Bench::new();
    let mut want = bench.stored(&chunks(1, 1000)).await.remove(0);
    let mut record = SegmentRecord::clone(want.record.as_ref().unwrap());
    record.header[100] ^= 1;
    want.record = Some(Arc::new(record));
    assert!(matches!(bench.store().read(&[want]).await, Err(DataError::Tampered { .. })));
    assert_eq!(bench.gets(), 0);
}

#[tokio::test]
async fn references_that_lead_nowhere_are_errors_before_anything_is_fetched() {
    let bench = Bench::new();
    let wants = bench.stored(&chunks(2, 1000)).await;
    let store = bench.store();
    let unknown = Want { record: None, ..wants[0].clone() };
    let outside = Want { number: 2, ..wants[0].clone() };
    let open = Want { number: 1, ..place(&store, &noise(1, 10)) };
    for wrong in [unknown, outside, open] {
        let refused = store.read(&[wants[0].clone(), wrong]).await;
        assert!(matches!(refused, Err(DataError::Dangling { .. })), "{refused:?}");
    }
    assert_eq!(bench.gets(), 0);
    let record = wants[0].record.as_ref().unwrap();
    store.learn(wants[0].segment, SegmentRecord::clone(record));
    assert_eq!(store.record(wants[0].segment).as_ref(), Some(record));
    store.read(&[Want { record: None, ..wants[0].clone() }]).await.unwrap();
}

#[tokio::test]
async fn a_prefetch_saves_the_readers_get_and_is_bounded() {
    let mut bench = Bench::new();
    (bench.config.segment_bytes, bench.config.chunk_cache) = (8 * MIB, 64 * MIB);
    let chunks = chunks(400, 128 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    let taken = store.prefetch(&wants);
    assert!((300..=320).contains(&taken), "{taken} of 128 KiB are 40 MiB");
    assert_eq!(store.prefetch(&wants[taken..]), 0);
    assert_eq!(store.read(&wants[..taken]).await.unwrap(), chunks[..taken]);
    assert_eq!(bench.gets(), 5, "whole segments");
    assert_eq!(bench.meter.snapshot().bytes_down, wants[..taken].iter().map(frame_len).sum::<u64>());
    assert_eq!(store.status().misses, 0);
    assert_eq!(store.prefetch(&wants[..64]), 64);
    assert_eq!(store.cached(wants[63].segment, 63), Some(chunks[63].clone()));
}

#[tokio::test]
async fn a_prefetch_takes_small_gaps_along_and_fetches_nothing_twice() {
    let mut bench = Bench::new();
    (bench.config.segment_bytes, bench.config.chunk_cache) = (8 * MIB, 64 * MIB);
    let chunks = chunks(128, 64 * KIB);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    let (odd, even): (Vec<_>, Vec<_>) = wants.iter().cloned().partition(|want| want.number % 2 == 1);
    assert_eq!(store.prefetch(&even), 64);
    store.read(&even).await.unwrap();
    assert_eq!(bench.gets(), 1);
    assert_eq!(store.prefetch(&odd), 64);
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
    let stored: u64 = wants.iter().map(frame_len).sum();
    assert_eq!((bench.gets(), bench.meter.snapshot().bytes_down), (2, stored), "the last chunk is in no gap");
}

#[tokio::test]
async fn a_prefetch_that_fails_is_the_readers_to_report() {
    let bench = Bench::new();
    let chunks = chunks(1, 1000);
    let wants = bench.stored(&chunks).await;
    let store = bench.store();
    bench.faulty.set_unavailable(true);
    store.prefetch(&[Want { record: None, ..wants[0].clone() }]);
    store.prefetch(&wants);
    assert!(matches!(store.read(&wants).await, Err(DataError::Bucket { .. })));
    bench.faulty.set_unavailable(false);
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
}
