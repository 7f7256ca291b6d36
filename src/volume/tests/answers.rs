//! Answers that are well-formed and wrong, to a whole volume: reads that contradict each other, deletions that were not
//! done, times and names that nobody gave, entries of a past life. The truth or an error; nothing that is needed goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::base::{Ino, Timestamp};
use crate::commit_log::entry_key;
use crate::data::Want;
use crate::meta::read;
use crate::meta::record::ChunkRef;
use crate::object::bucket::Fetched;
use crate::object::{Bucket, BucketResult, Liar, Listed};
use crate::volume::{GcReport, GcRequest, Volume, VolumeError, fsck, gc};

fn deceived(world: &World, number: u8) -> (Machine, Liar) {
    let liar = Liar::new(Arc::new(world.memory.clone()));
    let mut machine = world.machine(number);
    machine.env.bucket = Arc::new(liar.clone()) as Arc<dyn Bucket>;
    (machine, liar)
}

fn collect(volume: &Arc<Volume>) -> Result<GcReport, VolumeError> {
    gc(volume, GcRequest::default(), &|_, _| {})
}

fn is_clean(world: &World) {
    let reader = world.machine(202).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}

/// A volume with a checkpoint, entries behind it, segments that are needed and such that are not.
fn lived_in(world: &World) -> Arc<Volume> {
    let volume = world.machine(1).open().unwrap();
    for number in 0..6 {
        put(&volume, &format!("kept {number}"), &noise(2 * CHUNK, number));
        put(&volume, &format!("gone {number}"), &noise(2 * CHUNK, 100 + number));
        volume.sync().unwrap();
    }
    volume.checkpoint_now(&Default::default()).unwrap();
    for number in 0..6 {
        unlink(&volume, Ino::ROOT, &format!("gone {number}")).unwrap();
        volume.sync().unwrap();
    }
    volume
}

/// Content of the file, or why it is not to be had.
fn try_content(volume: &Volume, name: &str) -> Result<Vec<u8>, VolumeError> {
    let ino = volume.read(|view| Ok::<_, VolumeError>(read::lookup(view, Ino::ROOT, name.as_bytes())?))?;
    let Some(ino) = ino.map(|dentry| dentry.ino) else { return Ok(Vec::new()) };
    let chunks = volume.read(|view| Ok::<_, VolumeError>(read::chunks(view, ino, 0..u64::MAX)?))?;
    let mut bytes = Vec::new();
    for (_, chunk) in chunks {
        let ChunkRef::Segment { segment, number, .. } = chunk else { panic!("it is inline") };
        let record = volume.read(|view| Ok::<_, VolumeError>(read::segment(view, segment)?))?;
        let want = Want { segment, number, record: record.map(Arc::new) };
        bytes.extend_from_slice(&volume.runtime().block_on(volume.data().read(&[want]))?[0]);
    }
    Ok(bytes)
}

#[test]
fn reads_that_contradict_each_other_show_the_truth_or_an_error() {
    let world = World::new();
    let writer = lived_in(&world);
    writer.close_blocking().unwrap();
    drop(writer);
    type Lie = fn(Fetched, &Bytes) -> Fetched;
    let lies: [(&str, Lie); 8] = [
        ("the object has no bytes", |reply, _| Fetched { object_len: 0, ..reply }),
        ("the object is longer", |reply, _| Fetched { object_len: reply.object_len + 1, ..reply }),
        ("the object is shorter", |reply, _| Fetched { object_len: reply.object_len - 1, ..reply }),
        ("the object is endless", |reply, _| Fetched { object_len: u64::MAX, ..reply }),
        ("a byte is missing", |reply, _| Fetched { bytes: reply.bytes.slice(1..), ..reply }),
        ("nothing comes", |reply, _| Fetched { bytes: Bytes::new(), ..reply }),
        ("more comes", |reply, last| Fetched {
            bytes: [&reply.bytes[..], &last[..]].concat().into(),
            ..reply
        }),
        ("the last answer comes again", |reply, last| Fetched { bytes: last.clone(), ..reply }),
    ];
    for prefix in ["log/", "tree/", "data/"] {
        for (what, lie) in lies {
            for every in [1, 2, 3] {
                let (machine, liar) = deceived(&world, 2);
                let (mut count, mut last) = (0, Bytes::from_static(b"?"));
                liar.on_get(move |key, reply| {
                    count += 1;
                    let reply = reply?;
                    let honest = reply.bytes.clone();
                    let lied = key.starts_with(prefix) && count % every == 0;
                    let reply = if lied { lie(reply, &last) } else { reply };
                    last = honest;
                    Ok(reply)
                });
                let Ok(volume) = machine.open_read_only() else { continue };
                for number in 0..6 {
                    match try_content(&volume, &format!("kept {number}")) {
                        Ok(found) => {
                            assert!(found == noise(2 * CHUNK, number), "{prefix}: {what}: kept {number}")
                        }
                        Err(error) => assert!(!error.to_string().is_empty()),
                    }
                }
            }
        }
    }
}

#[test]
fn entries_of_the_log_that_turn_old_again_cost_nothing_that_waits() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    let other = world.machine(2).open().unwrap();
    for number in 0..4 {
        put(&other, &format!("theirs {number}"), &noise(CHUNK, number));
        other.sync().unwrap();
    }
    // Each second read of an entry gives the one before it.
    let (truth, mut count) = (world.memory.clone(), 0);
    let older = move |key: &str, reply: BucketResult<Fetched>| {
        count += 1;
        let before = key.strip_prefix("log/").and_then(|seq| u64::from_str_radix(seq, 16).ok());
        let before = before.and_then(|seq| truth.objects().remove(&entry_key(crate::base::Seq(seq - 1))));
        match (count % 2, before) {
            (0, Some(bytes)) => Ok(Fetched { object_len: bytes.len() as u64, bytes, ..reply? }),
            _ => reply,
        }
    };
    liar.on_get(older);
    for number in 0..4 {
        put(&volume, &format!("mine {number}"), &noise(CHUNK, 10 + number));
        if let Err(error) = volume.sync() {
            assert!(!error.to_string().is_empty());
        }
    }
    liar.repent();
    volume.sync().unwrap();
    let found = world.files();
    assert_eq!(found.len(), 8, "{:?}", found.keys());
    assert_eq!(records(&volume), world.records());
    is_clean(&world);
}

#[test]
fn deletions_that_are_confirmed_and_not_done_lose_nothing_and_are_done_by_a_later_gc() {
    for kept in ["log/", "tree/", "data/", "half", ""] {
        let world = World::new();
        let volume = lived_in(&world);
        let expected = files(&volume);
        volume.close_blocking().unwrap();
        drop(volume);
        let before = world.memory.objects().len();
        let (machine, liar) = deceived(&world, 5);
        let mut count = 0;
        liar.keep(move |key| {
            count += 1;
            if kept == "half" { count % 2 == 0 } else { key.starts_with(kept) }
        });
        let volume = machine.open().unwrap();
        for round in 0..3 {
            collect(&volume).unwrap_or_else(|error| panic!("{kept}, {round}: {error}"));
            assert_eq!(world.files(), expected, "{kept}, {round}");
            is_clean(&world);
            put(&volume, "more", &noise(CHUNK, round));
            unlink(&volume, Ino::ROOT, "more").unwrap();
            volume.sync().unwrap();
        }
        liar.repent();
        collect(&volume).unwrap();
        volume.close_blocking().unwrap();
        assert_eq!(world.files(), expected, "{kept}");
        is_clean(&world);
        let after = world.memory.objects().len();
        assert!(after < before, "{kept}: {after} of {before} objects are left");
    }
}

#[test]
fn times_of_objects_that_lie_change_nothing_that_gc_decides() {
    let run = |time: Option<Timestamp>| {
        let world = World::new();
        let volume = lived_in(&world);
        volume.close_blocking().unwrap();
        drop(volume);
        let (machine, liar) = deceived(&world, 5);
        if let Some(time) = time {
            liar.on_list(move |_, reply| {
                let mut page = reply?;
                page.objects.iter_mut().for_each(|object| object.modified = time);
                Ok(page)
            });
            liar.on_head(move |_, reply| Ok(crate::object::bucket::ObjectInfo { modified: time, ..reply? }));
        }
        let volume = machine.open().unwrap();
        let report = collect(&volume).unwrap();
        world.sleep(Duration::from_secs(3600));
        let again = collect(&volume).unwrap();
        (report.objects, report.condemned, again.objects, world.keys(""), world.files())
    };
    let honest = run(None);
    for secs in [0, -1, i64::MIN, i64::MAX, 4_000_000_000] {
        assert_eq!(run(Some(Timestamp { secs, nanos: 0 })), honest, "{secs}");
    }
}

#[test]
fn names_that_hushfs_does_not_give_are_left_alone_and_counted() {
    let world = World::new();
    let volume = lived_in(&world);
    let expected = files(&volume);
    let odd = [
        "log/../volume",
        "log/0000000000000001.",
        "log/000000000000000G",
        "log/ 000000000000001",
        "log/00000000000000001",
        "log//0000000000000001",
        "LOG/0000000000000001",
        "tree/\u{1b}[2J",
        "tree/\n",
        "tree/\u{feff}0123456789abcdef0123456789abcdef",
        "tree/0123456789ABCDEF0123456789ABCDEF",
        "data/1/ab/0123456789abcdef0123456789abcdef",
        "data/00000001/ab/0123456789abcdef0123456789abcdef/",
        "data/ffffffff/zz/0123456789abcdef0123456789abcdef",
        "data/00000001/../../volume",
        "volume/",
        "volume ",
        "\u{10ffff}",
        "..",
        "/",
    ];
    for key in odd {
        world.memory.overwrite_raw(key, &b"odd"[..]);
    }
    world.memory.overwrite_raw(&format!("data/{}", "x".repeat(100_000)), &b"odd"[..]);
    let report = collect(&volume).unwrap();
    assert_eq!(report.foreign, odd.len() as u64 + 1, "{report:?}");
    volume.close_blocking().unwrap();
    for key in odd {
        assert!(world.memory.objects().contains_key(key), "{key:?} was deleted");
    }
    assert_eq!(world.files(), expected);
}

#[test]
fn m6_entries_and_a_checkpoint_of_a_past_life_fit_nowhere_after_a_restore() {
    let world = World::new();
    let old = world.machine(1).open().unwrap();
    put(&old, "common", &noise(CHUNK, 1));
    old.sync().unwrap();
    let backup = world.memory.objects();
    for name in ["lost a", "lost b", "lost c", "lost d", "lost e", "lost f"] {
        put(&old, name, &noise(CHUNK, 2));
        old.sync().unwrap();
    }
    old.checkpoint_now(&Default::default()).unwrap();
    put(&old, "lost g", &noise(CHUNK, 3));
    old.sync().unwrap();
    let (past, lost) = (world.memory.objects(), files(&old));
    // Only who has never seen the past life can go on after the restore.
    world.memory.restore(&backup);
    let volume = world.machine(2).open().unwrap();
    put(&volume, "new", &noise(CHUNK, 4));
    volume.sync().unwrap();
    let expected = files(&volume);
    let present = world.memory.objects();
    // Everything of the past life that has no counterpart now: also its checkpoint with all its packs.
    for (key, bytes) in past.iter().filter(|(key, _)| !present.contains_key(*key)) {
        world.memory.overwrite_raw(key, bytes.clone());
    }
    let followed = volume.poll_once().unwrap_err();
    assert!(matches!(followed, VolumeError::RolledBack(_)), "{followed}");
    put(&volume, "waits", &noise(CHUNK, 5));
    let refused = volume.sync().unwrap_err();
    assert!(matches!(refused.root(), VolumeError::RolledBack(_)), "{refused}");
    assert_eq!(files(&volume).len(), expected.len() + 1, "nothing of the past life is shown");
    // Who has seen neither cannot tell which is the present one; what is shown did exist.
    assert_eq!(world.files(), lost);
    assert!(collect(&volume).is_err(), "and nothing is collected");
    // Once they are gone again, what waited is stored.
    for key in past.keys().filter(|key| !present.contains_key(*key) && key.starts_with("log/")) {
        world.memory.remove_raw(key);
    }
    volume.sync().unwrap();
    assert_eq!(world.files()["waits"], noise(CHUNK, 5));
    is_clean(&world);
}

/// A listing of `count` packs that do not exist, behind what is there.
fn with_packs_that_are_not_there(liar: &Liar, count: u64) {
    const BEGIN: &str = "tree/ffff";
    liar.on_list(move |asked, reply| {
        let mut page = reply?;
        if asked.prefix.is_empty() && !page.more {
            let number = |key: &str| u64::from_str_radix(key.strip_prefix(BEGIN)?, 16).ok();
            let first = asked.after.and_then(number).map_or(0, |last| last + 1);
            let room = (asked.limit - page.objects.len()) as u64;
            let keys = (first..count.min(first + room)).map(|number| format!("{BEGIN}{number:028x}"));
            page.objects.extend(keys.map(|key| Listed { key, len: 1, modified: Timestamp::default() }));
            page.more = first + room < count;
        }
        Ok(page)
    });
}

#[test]
fn objects_in_great_number_that_are_not_there_cost_gc_nothing_that_is() {
    for alone in [true, false] {
        let world = World::new();
        let volume = lived_in(&world);
        if !alone {
            let other = world.machine(7).open().unwrap();
            put(&other, "theirs", b"x");
            other.sync().unwrap();
        }
        volume.close_blocking().unwrap();
        drop(volume);
        let expected = world.files();
        let (machine, liar) = deceived(&world, 5);
        with_packs_that_are_not_there(&liar, 20_000);
        let volume = machine.open().unwrap();
        let collected = collect(&volume).unwrap();
        let there = if alone { collected.objects } else { collected.condemned };
        assert!((20_000..20_100).contains(&there), "{collected:?}");
        assert!(world.files() == expected, "alone: {alone}");
        liar.repent();
        let waiting = collect(&volume).unwrap().condemned;
        assert!(waiting < 100, "what is not there waits no longer: {waiting}");
        assert!(world.files() == expected, "alone: {alone}");
        is_clean(&world);
    }
}
