//! The log on a bucket in memory.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::base::random::SeededRandom;
use crate::base::{CommitId, Epoch, Seq, SessionId, Timestamp, VolumeId};
use crate::object::{Bucket, Condition, Fault, Faulty, MemoryBucket, Meter, RequestKind, Rule};
use crate::vault::Vault;

struct Stage {
    memory: MemoryBucket,
    faulty: Faulty,
    meter: Meter,
    log: Log,
}

fn stage() -> Stage {
    let memory = MemoryBucket::new();
    let meter = Meter::new(Arc::new(memory.clone()));
    let faulty = Faulty::new(Arc::new(meter.clone()));
    let vault = Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [3; 32])]).unwrap();
    let log = Log::new(Arc::new(faulty.clone()), vault, Arc::new(SeededRandom::new(1)));
    Stage { memory, faulty, meter, log }
}

fn entry(seq: u64, previous: EntryHash, commit: u8) -> Entry {
    Entry {
        seq: Seq(seq),
        commit: CommitId([commit; 16]),
        slot: 1,
        session: SessionId([1; 8]),
        counter: seq,
        previous,
        time: Timestamp::default(),
        checkpoint: Checkpoint::default(),
        payload: vec![1, 2, 3],
    }
}

/// Appends `count` chained entries; the last one's hash.
async fn fill(log: &Log, count: u64) -> EntryHash {
    let mut hash = [0; 32];
    for seq in 1..=count {
        let sealed = log.seal(&entry(seq, hash, 9)).unwrap();
        assert_eq!(log.append(&sealed).await.unwrap(), Appended::Done(sealed.hash));
        hash = sealed.hash;
    }
    hash
}

#[tokio::test]
async fn a_position_is_given_once_and_the_winner_recognises_itself() {
    let stage = stage();
    let mine = stage.log.seal(&entry(1, [0; 32], 1)).unwrap();
    let theirs = stage.log.seal(&entry(1, [0; 32], 2)).unwrap();
    assert_eq!(stage.log.append(&mine).await.unwrap(), Appended::Done(mine.hash));
    assert_eq!(stage.log.append(&theirs).await.unwrap(), Appended::Lost);
    assert_eq!(stage.log.append(&mine).await.unwrap(), Appended::Done(mine.hash));
}

#[tokio::test]
async fn a_lost_reply_is_no_lost_race() {
    let stage = stage();
    stage.faulty.add(Rule::first(1, Fault::LoseReply).on(RequestKind::Put));
    let sealed = stage.log.seal(&entry(1, [0; 32], 1)).unwrap();
    stage.log.append(&sealed).await.unwrap_err();
    assert_eq!(stage.log.append(&sealed).await.unwrap(), Appended::Done(sealed.hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_reads_back_and_a_gap_or_a_swap_is_an_error() {
    let stage = stage();
    let tail = fill(&stage.log, 20).await;
    let chain = stage.log.read_chain(Seq(1), Seq(20), [0; 32], Epoch(0)).await.unwrap();
    assert_eq!(chain.last().unwrap().hash, tail);
    let wrong = stage.log.read_chain(Seq(2), Seq(20), [0; 32], Epoch(0)).await.unwrap_err();
    assert!(matches!(wrong, LogError::Unchained(Seq(2))), "{wrong}");

    let seventh = stage.memory.remove_raw(&entry_key(Seq(7))).unwrap();
    let gap = stage.log.read_chain(Seq(1), Seq(20), [0; 32], Epoch(0)).await.unwrap_err();
    assert!(matches!(gap, LogError::Missing(Seq(7))), "{gap}");

    let eighth = stage.memory.remove_raw(&entry_key(Seq(8))).unwrap();
    stage.memory.overwrite_raw(&entry_key(Seq(7)), eighth);
    stage.memory.overwrite_raw(&entry_key(Seq(8)), seventh);
    let moved = stage.log.read_chain(Seq(1), Seq(20), [0; 32], Epoch(0)).await.unwrap_err();
    assert!(matches!(moved, LogError::Sealed { .. }), "{moved}");
}

#[tokio::test]
async fn damage_anywhere_in_an_entry_is_noticed() {
    let stage = stage();
    fill(&stage.log, 1).await;
    let key = entry_key(Seq(1));
    let sealed = stage.memory.remove_raw(&key).unwrap();
    for at in 0..sealed.len() {
        let mut damaged = sealed.to_vec();
        damaged[at] ^= 1;
        stage.memory.overwrite_raw(&key, damaged);
        stage.log.read(Seq(1)).await.unwrap_err();
        stage.memory.overwrite_raw(&key, sealed.slice(..at));
        stage.log.read(Seq(1)).await.unwrap_err();
    }
}

#[tokio::test]
async fn the_tail_is_found_in_few_listings_however_long_the_log_is() {
    for count in [0u64, 1, 999, 1000, 1001, 2500, 70_000, 262_144] {
        let stage = stage();
        for seq in 1..=count {
            stage.memory.overwrite_raw(&entry_key(Seq(seq)), vec![0]);
        }
        assert_eq!(stage.log.find_tail(Seq(0)).await.unwrap(), Seq(count));
        let lists = stage.meter.snapshot().lists;
        let bound = if count < 1000 { 1 } else { 14 };
        assert!(lists <= bound, "{lists} listings for {count} entries");
        let known = count.saturating_sub(10);
        assert_eq!(stage.log.find_tail(Seq(known)).await.unwrap(), Seq(count));
        assert_eq!(stage.meter.snapshot().lists, lists + 1);
    }
}

#[tokio::test]
async fn strays_far_before_the_tail_and_strange_keys_do_not_hide_it() {
    let stage = stage();
    for seq in [3u64, 900, 901, 902] {
        stage.memory.overwrite_raw(&entry_key(Seq(seq)), vec![0]);
    }
    stage.memory.overwrite_raw("log/zzz", vec![0]);
    assert_eq!(stage.log.find_tail(Seq(0)).await.unwrap(), Seq(902));
    assert_eq!(stage.log.next_after(Seq(3)).await.unwrap(), Some(Seq(900)));
    assert_eq!(stage.log.next_after(Seq(902)).await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_that_is_missing_among_many_is_found() {
    let stage = stage();
    fill(&stage.log, 20).await;
    let missing = async |first, last| stage.log.first_missing(Seq(first), Seq(last)).await.unwrap();
    assert_eq!(missing(1, 20).await, None);
    assert_eq!(missing(5, 20).await, None);
    assert_eq!(missing(5, 21).await, Some(Seq(21)));
    stage.memory.delete(&[entry_key(Seq(7))]).await.unwrap();
    stage.memory.put("log/foreign", Bytes::from_static(b"x"), Condition::CreateOnly).await.unwrap();
    assert_eq!(missing(7, 20).await, Some(Seq(7)));
    assert_eq!(missing(2, 20).await, Some(Seq(7)));
    assert_eq!(missing(8, 20).await, None);
    assert_eq!(missing(30, 30).await, Some(Seq(30)));
}
