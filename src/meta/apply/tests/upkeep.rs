//! Sessions, segments and gc's notes.
use super::*;
use crate::base::{Epoch, ObjectId, Seq};
use crate::meta::apply::note_commit;
use crate::meta::record::SegmentRecord;
use crate::vault::HEADER_LEN;

fn record(frames: usize) -> SegmentRecord {
    SegmentRecord { epoch: Epoch(1), header: [5; HEADER_LEN], frames: vec![100; frames] }
}

fn add(id: u8, frames: usize) -> Op {
    Op::AddSegment { id: ObjectId([id; 16]), record: record(frames) }
}

fn note(volume: &mut Volume, slot: u32, seq: u64) -> Result<(), ApplyError> {
    let view = Layered { base: &EmptyView, layers: vec![&volume.state] };
    let mut txn = Txn::new(&view);
    note_commit(&mut txn, slot, Seq(seq), [seq as u8; 32], at(seq as i64))?;
    let changes = txn.finish();
    volume.state.absorb(changes);
    Ok(())
}

#[test]
fn a_slot_belongs_to_one_session_until_it_closes() {
    let mut volume = Volume::new();
    assert_eq!(volume.refused(open_session(SLOT)), ApplyError::Changed);
    for slot in [0, 1 << 31, u32::MAX] {
        assert!(matches!(volume.refused(open_session(slot)), ApplyError::Invalid(_)));
    }
    volume.ok(open_session(77));
    let slots: Vec<u32> = read::sessions(&volume.view()).unwrap().iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [SLOT, 77]);
    volume.ok(Op::CloseSession { slot: 77 });
    assert_eq!(volume.refused(Op::CloseSession { slot: 77 }), ApplyError::Changed);
    volume.ok(open_session(77));
}

#[test]
fn a_closed_session_leaves_its_orphans_to_be_reaped() {
    let mut volume = Volume::new();
    volume.ok(file(1, "", 10));
    volume.ok(open_session(2));
    volume.context.slot = 2;
    volume.ok(file(1, "", 11));
    assert_eq!(volume.refused(Op::Reap { ino: Ino(10) }), ApplyError::Changed);
    volume.ok(Op::CloseSession { slot: SLOT });
    let orphans: Vec<_> = read::orphans(&volume.view()).unwrap();
    assert_eq!(
        orphans.iter().map(|(ino, orphan)| (ino.0, orphan.slot)).collect::<Vec<_>>(),
        [(10, 0), (11, 2)]
    );
    volume.ok(Op::Reap { ino: Ino(10) });
    assert!(!volume.exists(10) && volume.exists(11));
}

#[test]
fn the_last_commit_of_each_session_is_noted() {
    let mut volume = Volume::new();
    note(&mut volume, SLOT, 4).unwrap();
    note(&mut volume, SLOT, 9).unwrap();
    let session = read::session(&volume.view(), SLOT).unwrap().unwrap();
    assert_eq!((session.last, session.commits, session.last_seen), (Seq(9), 2, at(9)));
    assert_eq!((session.last_hash, session.started), ([9; 32], at(0)));
    assert!(matches!(note(&mut volume, SLOT, 9), Err(ApplyError::Invalid(_))));
    let before = volume.state.clone();
    note(&mut volume, 77, 10).unwrap();
    assert_eq!(volume.state, before);
}

#[test]
fn a_segment_is_known_from_add_to_remove() {
    let mut volume = Volume::new();
    volume.ok(add(1, 3));
    volume.ok(add(1, 3));
    assert_eq!(volume.refused(add(1, 4)), ApplyError::Exists);
    assert_eq!(read::segment(&volume.view(), ObjectId([1; 16])).unwrap(), Some(record(3)));
    volume.ok(Op::RemoveSegments { ids: vec![ObjectId([1; 16]), ObjectId([2; 16])] });
    assert_eq!(read::segment(&volume.view(), ObjectId([1; 16])).unwrap(), None);
    assert!(matches!(volume.refused(add(1, 0)), ApplyError::Invalid(_)));
    assert!(matches!(volume.refused(add(1, 4097)), ApplyError::Invalid(_)));
}

#[test]
fn a_condemned_segment_does_not_come_back() {
    let mut volume = Volume::new();
    let object = record(3).object_key(ObjectId([1; 16]));
    volume.ok(Op::Condemn { objects: vec![object.clone()], time: at(5) });
    volume.ok(Op::Condemn { objects: vec![object.clone(), "tree/x".into()], time: at(8) });
    assert_eq!(read::condemned(&volume.view(), &object).unwrap().unwrap().since, at(5));
    assert_eq!(read::all_condemned(&volume.view()).unwrap().len(), 2);
    assert_eq!(volume.refused(add(1, 3)), ApplyError::Changed);
    volume.ok(Op::Pardon { objects: vec![object, "never/condemned".into()] });
    volume.ok(add(1, 3));
}

#[test]
fn a_chunk_is_relocated_only_where_it_still_is() {
    let mut volume = Volume::new();
    volume.ok(file(1, "f", 10));
    let part = |id, len| ChunkRef::Segment { segment: ObjectId([id; 16]), number: 1, len };
    volume.ok(write(10, 0, 10, vec![(0, Some(part(1, 10)))]));
    let before = volume.inode(10);
    let relocate = |ino, from, to| Op::Relocate { ino: Ino(ino), index: 0, from, to };
    volume.ok(relocate(10, part(1, 10), part(2, 10)));
    assert_eq!(read::chunk(&volume.view(), Ino(10), 0).unwrap(), Some(part(2, 10)));
    let moved = volume.state.clone();
    volume.ok(relocate(10, part(1, 10), part(3, 10)));
    volume.ok(relocate(99, part(1, 10), part(3, 10)));
    assert_eq!(volume.state, moved);
    assert_eq!(volume.inode(10), before);
    assert!(matches!(volume.refused(relocate(10, part(2, 10), part(3, 9))), ApplyError::Invalid(_)));
}

#[test]
fn the_boundary_of_gc_never_goes_back() {
    let mut volume = Volume::new();
    volume.ok(Op::PublishBoundary { boundary: Seq(5), time: at(1) });
    assert_eq!(volume.refused(Op::PublishBoundary { boundary: Seq(4), time: at(2) }), ApplyError::Changed);
    volume.ok(Op::PublishBoundary { boundary: Seq(5), time: at(3) });
    assert_eq!((volume.superblock().gc_boundary, volume.superblock().gc_published), (Seq(5), at(3)));
}
