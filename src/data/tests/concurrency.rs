//! Many writers and readers at once, on several threads, while requests fail.

use super::*;
use crate::data::DataError;
use crate::object::{ErrorKind, Fault, RequestKind, Rule};

const WRITERS: u64 = 4;
const CHUNKS: u64 = 60;

/// Waits until a segment is in the bucket, however often that fails.
async fn insist(store: &DataStore, segments: &[ObjectId]) -> Vec<(ObjectId, SegmentRecord)> {
    loop {
        match store.uploaded(segments).await {
            Ok(records) => return records,
            Err(DataError::Bucket { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Reads until the bucket answers.
async fn insist_on_reading(store: &DataStore, wants: &[Want]) -> Vec<Bytes> {
    loop {
        match store.read(wants).await {
            Ok(chunks) => return chunks,
            Err(DataError::Bucket { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Places chunks of all sizes, reads back at random, commits now and then.
async fn write(store: DataStore, writer: u64) -> Vec<(Want, Bytes)> {
    let random = SeededRandom::new(writer);
    let mut placed: Vec<(Want, Bytes)> = Vec::new();
    let mut records = Vec::new();
    for number in 0..CHUNKS {
        let chunk = noise(writer << 32 | number, 1 + (random.next_u64() % (24 * KIB as u64)) as usize);
        store.room().await;
        placed.push((place(&store, &chunk), chunk));
        let (want, expected) = &placed[(random.next_u64() % placed.len() as u64) as usize];
        assert_eq!(
            insist_on_reading(&store, std::slice::from_ref(want)).await,
            std::slice::from_ref(expected)
        );
        if number % 16 == 15 || number + 1 == CHUNKS {
            let mut segments: Vec<ObjectId> = placed.iter().map(|(want, _)| want.segment).collect();
            segments.dedup();
            records = insist(&store, &segments).await;
            store.committed(&segments);
        }
    }
    placed.into_iter().map(|(want, chunk)| (with_record(want, &records), chunk)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_readers_in_parallel_lose_nothing_while_requests_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::with_disk(&folder.path().join("cache"), 512 * KIB as u64);
    bench.config.spool = Some((folder.path().join("spool"), 64 * MIB as u64));
    bench.config.chunk_cache = 256 * KIB;
    bench.config.upload_memory = 256 * KIB;
    bench.config.segment_bytes = 96 * KIB;
    bench.faulty.add(Rule::every(5, Fault::LoseReply).on(RequestKind::Put));
    bench.faulty.add(Rule::every(3, Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Put));
    bench.faulty.add(Rule::every(4, Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Get));
    let store = bench.store();
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer))).collect();
    let mut placed = Vec::new();
    for writer in writers {
        placed.extend(writer.await.unwrap());
    }
    assert_eq!((store.backlog(), store.status().failing), (0, None));
    bench.faulty.clear();
    let (wants, chunks): (Vec<Want>, Vec<Bytes>) = placed.into_iter().unzip();
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
    bench.config.disk_cache = None;
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
}
