//! A bucket that lies to a running machine: what was acknowledged is in it, or sync says that it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::world::*;
use crate::base::Seq;
use crate::commit_log::entry_key;
use crate::object::liar::PutLie;
use crate::object::{Bucket, BucketError, ErrorKind, Liar, Listed, Page};
use crate::volume::{GcRequest, VolumeError, fsck, gc};

/// A machine whose bucket can be told to lie.
fn deceived(world: &World, number: u8) -> (Machine, Liar) {
    let liar = Liar::new(Arc::new(world.memory.clone()));
    let mut machine = world.machine(number);
    machine.env.bucket = Arc::new(liar.clone()) as Arc<dyn Bucket>;
    (machine, liar)
}

fn in_log(key: &str) -> bool {
    key.starts_with("log/")
}

#[test]
fn an_entry_that_is_refused_and_nowhere_to_be_seen_never_passes_for_committed() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    liar.on_put(|key, _| if in_log(key) { PutLie::Refuse } else { PutLie::Honest });
    for name in ["first", "second", "third"] {
        put(&volume, name, &noise(CHUNK, 1));
        let refused = volume.sync().unwrap_err();
        assert!(matches!(refused.root(), VolumeError::Corrupt(_)), "{refused}");
    }
    assert!(world.files().is_empty());
    liar.repent();
    volume.sync().unwrap();
    assert_eq!(world.files().len(), 3, "nothing that waited was forgotten");
    assert_eq!(records(&volume), world.records());
}

#[test]
fn an_entry_that_was_stored_though_the_bucket_denies_it_is_recognised() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    liar.on_put(|_, _| PutLie::StoreAndRefuse);
    for name in ["first", "second"] {
        put(&volume, name, &noise(CHUNK, 1));
        volume.sync().unwrap();
    }
    volume.checkpoint_now(&Default::default()).unwrap();
    volume.sync().unwrap();
    assert_eq!(world.files().len(), 2);
    assert_eq!(world.keys("log/").len(), 4, "each entry once");
}

#[test]
fn entries_of_others_that_are_hidden_do_not_make_a_commit_pass() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    let other = world.machine(2).open().unwrap();
    put(&other, "theirs", b"theirs");
    other.sync().unwrap();
    for hide_reads in [true, false] {
        liar.repent();
        match hide_reads {
            true => liar.hide(in_log),
            false => liar.on_list(|_, _| Ok(Page::default())),
        }
        put(&volume, &format!("mine {hide_reads}"), b"mine");
        let refused = volume.sync().unwrap_err();
        assert!(matches!(refused.root(), VolumeError::Corrupt(_)), "{refused}");
    }
    liar.repent();
    volume.sync().unwrap();
    assert_eq!(world.files().len(), 3);
    assert_eq!(records(&volume), world.records());
}

#[test]
fn a_commit_that_was_confirmed_and_thrown_away_is_noticed_at_the_next_mount_and_by_others() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    put(&volume, "kept", b"x");
    volume.sync().unwrap();
    liar.on_put(|key, _| if in_log(key) { PutLie::Pretend } else { PutLie::Honest });
    put(&volume, "thrown away", b"x");
    volume.sync().unwrap();
    liar.repent();
    let refused = machine.open().err().unwrap();
    assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
    put(&volume, "after", b"x");
    volume.sync().unwrap();
    let refused = world.machine(2).open_read_only().err().unwrap();
    assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
}

#[test]
fn a_segment_that_was_confirmed_and_thrown_away_is_an_error_when_it_is_read() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    liar.on_put(|key, _| if key.starts_with("data/") { PutLie::Pretend } else { PutLie::Honest });
    put(&volume, "file", &noise(CHUNK, 1));
    volume.sync().unwrap();
    let reader = world.machine(2).open_read_only().unwrap();
    let report = fsck(&reader, true, &|_, _| {}).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
}

#[test]
fn objects_that_are_listed_and_denied_are_problems_by_name_and_fsck_goes_on() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    for name in ["one", "two"] {
        put(&volume, name, &noise(CHUNK, 1));
        volume.sync().unwrap();
    }
    let segments = world.keys("data/");
    assert_eq!(segments.len(), 2);
    liar.on_get(|key, reply| match key.starts_with("data/") {
        true => Err(BucketError::new(ErrorKind::NotFound, "get", key, "404")),
        false => reply,
    });
    let report = fsck(&volume, true, &|_, _| {}).unwrap();
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    for (problem, key) in report.problems.iter().zip(&segments) {
        assert!(
            problem.contains(key.as_str()) && problem.contains("is listed, but cannot be had"),
            "{problem}"
        );
    }
}

#[test]
fn a_listing_without_the_newest_entries_of_the_log_is_a_problem() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    for name in ["one", "two"] {
        put(&volume, name, b"x");
        volume.sync().unwrap();
    }
    assert_eq!(fsck(&volume, false, &|_, _| {}).unwrap().problems, Vec::<String>::new());
    let newest = world.keys("log/").pop().unwrap();
    liar.on_list(move |_, reply| {
        reply.map(|mut page| {
            page.objects.retain(|object| object.key != newest);
            page
        })
    });
    let report = fsck(&volume, false, &|_, _| {}).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].contains("its listing is short"), "{:?}", report.problems);
}

/// A volume on which `other` has stored a large file that the bucket does not show to `machine`, which thinks that it
/// is alone.
fn with_hidden_work(world: &World) -> (Machine, Liar, Files) {
    let (machine, liar) = deceived(world, 1);
    let known = world.keys("log/");
    let other = world.machine(2).open().unwrap();
    put(&other, "theirs", &noise(3 * CHUNK, 1));
    other.sync().unwrap();
    other.checkpoint_now(&Default::default()).unwrap();
    put(&other, "more", &noise(2 * CHUNK, 2));
    other.sync().unwrap();
    liar.hide(move |key| in_log(key) && !known.iter().any(|shown| shown == key));
    (machine, liar, files(&other))
}

#[test]
fn m5_gc_on_a_state_that_hides_others_work_deletes_nothing() {
    let world = World::new();
    let (machine, liar, expected) = with_hidden_work(&world);
    let volume = machine.open().unwrap();
    assert!(gc(&volume, GcRequest::default(), &|_, _| {}).is_err());
    liar.repent();
    assert_eq!(world.files(), expected);
    gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert_eq!(world.files(), expected, "who sees all collects again");
}

#[test]
fn m5_gc_deletes_nothing_of_others_whose_work_appears_while_it_runs() {
    let world = World::new();
    let (machine, liar, expected) = with_hidden_work(&world);
    let volume = machine.open().unwrap();
    // The first put of an entry meets theirs: from then on everything is shown.
    let (truth, met) = (liar.clone(), Arc::new(AtomicBool::new(false)));
    let meeting = Arc::clone(&met);
    liar.on_put(move |key, _| {
        meeting.fetch_or(in_log(key), Ordering::SeqCst);
        PutLie::Honest
    });
    let hidden: Vec<String> = world.keys("log/").split_off(1);
    let (reads, lists) = (Arc::clone(&met), Arc::clone(&met));
    let unseen = hidden.clone();
    truth.on_get(move |key, reply| {
        match unseen.iter().any(|hidden| hidden == key) && !reads.load(Ordering::SeqCst) {
            true => Err(crate::object::liar::not_found("get", key)),
            false => reply,
        }
    });
    truth.on_list(move |_, reply| {
        reply.map(|mut page| {
            page.objects.retain(|object| lists.load(Ordering::SeqCst) || !hidden.contains(&object.key));
            page
        })
    });
    let report = gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert!(met.load(Ordering::SeqCst));
    assert_eq!(report.objects, 0, "{report:?}");
    assert_eq!(world.files(), expected);
    let reader = world.machine(3).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}

#[test]
fn m5_a_listing_without_segments_makes_gc_delete_nothing_that_is_needed() {
    let world = World::new();
    let (machine, liar) = deceived(&world, 1);
    let volume = machine.open().unwrap();
    put(&volume, "kept", &noise(3 * CHUNK, 1));
    volume.sync().unwrap();
    volume.checkpoint_now(&Default::default()).unwrap();
    let expected = files(&volume);
    for hidden in ["data/", "tree/", "log/", ""] {
        liar.on_list(move |_, reply| {
            reply.map(|mut page| {
                page.objects.retain(|object| !object.key.starts_with(hidden));
                page
            })
        });
        let collected = gc(&volume, GcRequest::default(), &|_, _| {});
        assert!(collected.is_ok() || hidden.is_empty() || hidden == "log/", "{hidden}: {collected:?}");
        assert_eq!(world.files(), expected, "{hidden}");
    }
}

/// Names that a hostile listing shows, all of them in order.
fn made_up(after: Option<&str>, limit: usize, prefix: &str) -> Page {
    let from: u64 =
        after.and_then(|key| key.rsplit('-').next()?.parse().ok()).map_or(0, |number: u64| number + 1);
    let names = (from..from + limit as u64).map(|number| format!("{prefix}~-{number:020}"));
    let listed = |key| Listed { key, len: 1 << 40, modified: Default::default() };
    Page { objects: names.map(listed).collect(), more: true }
}

#[test]
fn listings_that_do_not_advance_or_never_end_are_refused() {
    let world = World::new();
    let machine = world.machine(2);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    volume.sync().unwrap();
    type Lie = fn(crate::object::liar::Asked<'_>, Page) -> Page;
    let lies: [(&str, Lie); 6] = [
        ("the same page for ever", |_, mut page| {
            page.more = true;
            page
        }),
        ("nothing, and more of it", |_, _| Page { objects: Vec::new(), more: true }),
        ("descending", |_, mut page| {
            page.objects.reverse();
            page
        }),
        ("the first key for ever", |asked, _| {
            let key = format!("{}0000000000000001", asked.prefix);
            Page { objects: vec![Listed { key, len: 0, modified: Default::default() }], more: true }
        }),
        ("foreign names without end", |asked, _| made_up(asked.after, asked.limit, asked.prefix)),
        ("names outside of the prefix", |asked, _| made_up(None, asked.limit, "~other/")),
    ];
    for (what, lie) in lies {
        let (deceived, liar) = deceived(&world, 3);
        liar.on_list(move |asked, reply| reply.map(|page| lie(asked, page)));
        let opened = deceived.open_read_only();
        // A listing of which no page is asked for twice may be true as far as it goes.
        let refused = match opened {
            Err(error) => error,
            Ok(_) if what == "descending" || what == "the same page for ever" => continue,
            Ok(_) => panic!("{what}: it was believed"),
        };
        let corrupt = matches!(&refused, VolumeError::Bucket(error) if error.kind == ErrorKind::Corrupt);
        assert!(corrupt || matches!(refused, VolumeError::RolledBack(_)), "{what}: {refused}");
    }
}

#[test]
fn foreign_names_in_the_log_hide_no_entry() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    volume.sync().unwrap();
    for number in 0..1500 {
        world.memory.overwrite_raw(&format!("log/0000000000000001.{number:04}"), &b"foreign"[..]);
    }
    assert_eq!(world.files().len(), 1, "a page of foreign names is passed over");
    world.memory.overwrite_raw(&entry_key(Seq(u64::MAX)), &b"foreign"[..]);
    let refused = world.machine(2).open_read_only().err().unwrap();
    assert!(matches!(refused, VolumeError::Tampered { .. }), "{refused}");
}
