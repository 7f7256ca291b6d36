//! From `place` to `committed`.

use bytes::Bytes;

use super::*;
use crate::data::DataError;
use crate::object::Bucket;
use crate::object::{Condition, ErrorKind, Fault, Gate, RequestKind, Rule};

#[tokio::test]
async fn a_chunk_can_be_read_at_every_stage_of_its_life() {
    let mut bench = Bench::new();
    bench.config.chunk_cache = 0;
    let gate = Gate::new();
    bench.faulty.add(Rule::first(1, Fault::Freeze(gate.clone())).on(RequestKind::Put));
    let store = bench.store();
    let chunks = chunks(3, 100 * KIB);
    let wants: Vec<Want> = chunks.iter().map(|chunk| place(&store, chunk)).collect();
    let segment = wants[0].segment;

    assert_eq!(store.cached(segment, 1), Some(chunks[1].clone()), "open");
    assert_eq!(store.read(&wants).await.unwrap(), chunks, "open");
    store.close_segment();
    gate.reached(1).await;
    assert_eq!(store.cached(segment, 1), None, "sealed");
    assert_eq!(store.read(&wants).await.unwrap(), chunks, "sealed");
    assert_eq!(bench.gets(), 0);
    gate.release();
    let records = store.uploaded(&[segment]).await.unwrap();
    store.evict(segment);
    assert!(store.in_flight(segment));
    assert_eq!(store.read(&wants).await.unwrap(), chunks, "uploaded");
    store.committed(&[segment]);
    assert!(!store.in_flight(segment));
    assert_eq!(store.read(&wants).await.unwrap(), chunks, "committed, record learnt");
    let wants: Vec<Want> = wants.into_iter().map(|want| with_record(want, &records)).collect();
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks, "another machine");
    assert_eq!(bench.puts(), 1);
}

#[tokio::test]
async fn what_was_written_lately_is_answered_from_memory() {
    let bench = Bench::new();
    let store = bench.store();
    let chunk = noise(3, 1000);
    let want = place(&store, &chunk);
    store.uploaded(&[want.segment]).await.unwrap();
    store.committed(&[want.segment]);
    assert_eq!(store.cached(want.segment, want.number), Some(chunk));
    assert_eq!(bench.gets(), 0);
}

#[tokio::test]
async fn m1_uploaded_returns_only_after_the_put_was_applied() {
    let bench = Bench::new();
    let gate = Gate::new();
    bench.faulty.add(Rule::first(1, Fault::Freeze(gate.clone())).on(RequestKind::Put));
    let store = bench.store();
    let want = place(&store, &noise(1, 1000));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.uploaded(&[want.segment]).await }
    });
    gate.reached(1).await;
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert!(bench.memory.objects().is_empty());
    gate.release();
    let records = waiting.await.unwrap().unwrap();
    assert_eq!(
        bench.memory.objects().into_keys().collect::<Vec<_>>(),
        [records[0].1.object_key(records[0].0)]
    );
}

#[tokio::test]
async fn a_full_segment_leaves_by_itself_and_its_record_says_what_is_in_the_bucket() {
    let bench = Bench::new();
    let store = bench.store();
    let wants: Vec<Want> = chunks(9, 128 * KIB).iter().map(|chunk| place(&store, chunk)).collect();
    assert_eq!(segments(&wants).len(), 2);
    assert_eq!(wants[7].number, 7);
    assert_eq!((wants[8].number, store.status().open_bytes), (0, 128 * KIB as u64));
    let (id, record) = store.uploaded(&[wants[0].segment]).await.unwrap().remove(0);
    let object = bench.memory.objects().remove(&record.object_key(id)).unwrap();
    assert_eq!(object.len() as u64, record.object_len());
    assert!(object.starts_with(&record.header));
    assert_eq!(record.frames.len(), 8);
    assert!(store.in_flight(wants[8].segment), "the open segment stays open");
}

#[tokio::test]
async fn a_segment_holds_at_most_4096_frames() {
    let bench = Bench::new();
    let store = bench.store();
    let chunk = Bytes::from_static(b"x");
    let wants: Vec<Want> = (0..4097).map(|_| place(&store, &chunk)).collect();
    assert_eq!(segments(&wants).len(), 2);
    assert_eq!((wants[4095].number, wants[4096].number), (4095, 0));
    let wants = recorded(&store, wants).await;
    assert_eq!(wants[0].record.as_ref().unwrap().frames.len(), 4096);
    assert_eq!(bench.store().read(&wants[4094..]).await.unwrap(), [&chunk, &chunk, &chunk]);
}

#[tokio::test]
#[should_panic(expected = "a chunk has 1 to 131072 bytes")]
async fn an_empty_chunk_has_no_place() {
    Bench::new().store().place(Bytes::new());
}

#[tokio::test]
async fn a_lost_reply_is_answered_with_identical_bytes() {
    let bench = Bench::new();
    bench.faulty.add(Rule::first(1, Fault::LoseReply).on(RequestKind::Put));
    let store = bench.store();
    let chunk = noise(1, 1000);
    let want = place(&store, &chunk);
    assert!(matches!(store.uploaded(&[want.segment]).await, Err(DataError::Bucket { .. })));
    let sent = bench.memory.objects();
    let wants = recorded(&store, vec![want]).await;
    assert_eq!(bench.memory.objects(), sent);
    assert_eq!(bench.store().read(&wants).await.unwrap(), [chunk]);
}

#[tokio::test]
async fn foreign_bytes_under_a_segments_key_are_reported_and_never_accepted() {
    let bench = Bench::new();
    let store = bench.store();
    let chunk = noise(1, 1000);
    let want = place(&store, &chunk);
    let hex = want.segment.to_hex();
    let key = format!("data/1/{}/{hex}", &hex[..2]);
    bench.memory.put(&key, Bytes::from_static(b"foreign"), Condition::CreateOnly).await.unwrap();
    let refused = store.uploaded(&[want.segment]).await;
    assert!(matches!(refused, Err(DataError::Tampered { .. })), "{refused:?}");
    assert!(store.status().failing.unwrap().contains("other bytes"));
    bench.memory.remove_raw(&key);
    let wants = recorded(&store, vec![want]).await;
    assert_eq!(bench.store().read(&wants).await.unwrap(), [chunk]);
}

#[tokio::test]
async fn a_bucket_that_is_away_loses_nothing() {
    let bench = Bench::new();
    let store = bench.store();
    bench.faulty.set_unavailable(true);
    let chunks = chunks(20, 100 * KIB);
    let wants: Vec<Want> = chunks.iter().map(|chunk| place(&store, chunk)).collect();
    let segments = segments(&wants);
    let refused = store.uploaded(&segments).await;
    assert!(matches!(&refused, Err(DataError::Bucket { source, .. }) if source.kind == ErrorKind::Transient));
    let status = store.status();
    assert!(status.failing.unwrap().contains("could not be reached"));
    assert_eq!(status.waiting_segments, segments.len() as u64);
    assert!(store.backlog() >= 20 * 100 * KIB as u64);
    assert_eq!(store.read(&wants).await.unwrap(), chunks);

    // Attempts go on although nobody waits.
    bench.faulty.wait_for_requests(bench.faulty.requests() + 4).await;
    bench.faulty.set_unavailable(false);
    let wants = recorded(&store, wants).await;
    assert_eq!((store.backlog(), store.status().failing), (0, None));
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
}

#[tokio::test]
async fn a_segment_called_committed_too_early_is_kept() {
    let bench = Bench::new();
    let store = bench.store();
    bench.faulty.set_unavailable(true);
    let chunk = noise(1, 1000);
    let want = place(&store, &chunk);
    store.uploaded(&[want.segment]).await.unwrap_err();
    store.committed(&[want.segment]);
    assert!(store.in_flight(want.segment));
    bench.faulty.set_unavailable(false);
    let wants = recorded(&store, vec![want]).await;
    assert_eq!(bench.store().read(&wants).await.unwrap(), [chunk]);
}

#[tokio::test]
async fn asking_again_after_the_commit_gives_the_record_again_and_for_strangers_an_error() {
    let bench = Bench::new();
    let store = bench.store();
    let want = place(&store, &noise(1, 1000));
    let first = store.uploaded(&[want.segment]).await.unwrap();
    store.committed(&[want.segment]);
    assert_eq!(store.uploaded(&[want.segment]).await.unwrap(), first);
    let stranger = store.uploaded(&[ObjectId([9; 16])]).await;
    assert!(matches!(stranger, Err(DataError::Dangling { .. })));
}
