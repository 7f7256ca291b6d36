//! Two machines that did not know of each other: who gives way, and that nobody's data is lost.

use std::sync::Arc;

use super::world::*;
use crate::base::Ino;
use crate::volume::Volume;

/// Two machines that have seen the same: the files `shared` (and the empty directory `dir`).
struct Pair {
    world: World,
    first: Arc<Volume>,
    second: Arc<Volume>,
    machine: Machine,
}

fn pair() -> Pair {
    let world = World::new();
    let first = world.machine(1).open().unwrap();
    put(&first, "shared", b"old");
    mkdir(&first, Ino::ROOT, "dir").unwrap();
    first.sync().unwrap();
    let machine = world.machine(2);
    let second = machine.open().unwrap();
    Pair { world, first, second, machine }
}

impl Pair {
    /// The first commits, then the second, which loses the race; all see the same in the end. The files, and how
    /// many conflicts the second had.
    fn settle(&self) -> (Files, usize) {
        self.first.sync().unwrap();
        self.second.sync().unwrap();
        self.first.poll_once().unwrap();
        let (one, two) = (records(&self.first), records(&self.second));
        assert_eq!(one, two);
        assert_eq!(one, self.world.records());
        (files(&self.first), self.second.status().conflicts.len())
    }
}

fn named(files: &Files) -> Vec<(&str, &[u8])> {
    files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

#[test]
fn a_lost_race_without_conflict_keeps_both_and_costs_one_more_put() {
    let pair = pair();
    put(&pair.first, "a", b"1");
    put(&pair.second, "b", b"2");
    pair.first.sync().unwrap();
    let (_, requests) = pair.machine.requests_of(|| pair.second.sync().unwrap());
    assert_eq!(requests, ["put log", "get log", "list log", "get log", "put log", "list log"]);
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 0);
    assert_eq!(named(&files), [("a", &b"1"[..]), ("b", b"2"), ("dir/", b""), ("shared", b"old")]);
}

#[test]
fn a_second_file_of_the_same_name_gets_a_conflict_name_and_keeps_its_content() {
    let pair = pair();
    put(&pair.first, "a.txt", b"1");
    let ino = put(&pair.second, "a.txt", b"2");
    // Later operations find it under its new name.
    write(&pair.second, ino, b"22").unwrap();
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 1);
    assert_eq!(files["a.txt"], b"1");
    assert_eq!(files["a (conflict host2 2023-11-14).txt"], b"22");
}

#[test]
fn operations_that_name_a_renamed_entry_follow_it() {
    let pair = pair();
    put(&pair.first, "a", b"1");
    put(&pair.second, "a", b"2");
    rename(&pair.second, (Ino::ROOT, "a"), (Ino::ROOT, "b")).unwrap();
    put(&pair.second, "a", b"3");
    unlink(&pair.second, Ino::ROOT, "a").unwrap();
    let (files, _) = pair.settle();
    assert_eq!(named(&files), [("a", &b"1"[..]), ("b", b"2"), ("dir/", b""), ("shared", b"old")]);
}

#[test]
fn two_contents_of_one_file_are_both_kept_whole() {
    let pair = pair();
    let ino = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    let (one, two) = (noise(CHUNK * 2 + 77, 1), noise(CHUNK + 5000, 2));
    write(&pair.first, ino, &one).unwrap();
    write(&pair.second, ino, b"an earlier draft").unwrap();
    write(&pair.second, ino, &two).unwrap();
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 1);
    assert_eq!(files["shared"], one);
    assert_eq!(files["shared (conflict host2 2023-11-14)"], two);
}

#[test]
fn content_written_while_the_batch_was_on_its_way_is_in_the_copy_too() {
    let pair = pair();
    let ino = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    write(&pair.first, ino, b"theirs").unwrap();
    pair.first.sync().unwrap();
    write(&pair.second, ino, b"in flight").unwrap();
    pair.machine.faulty.set_unavailable(true);
    pair.second.sync().unwrap_err();
    let pending = noise(CHUNK, 3);
    write(&pair.second, ino, &pending).unwrap();
    pair.machine.faulty.set_unavailable(false);
    let (files, _) = pair.settle();
    assert_eq!(files["shared"], b"theirs");
    assert_eq!(files["shared (conflict host2 2023-11-14)"], pending);
    assert_eq!(files.len(), 3);
}

#[test]
fn a_file_removed_there_and_written_here_stays_as_a_copy() {
    let pair = pair();
    let ino = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    unlink(&pair.first, Ino::ROOT, "shared").unwrap();
    write(&pair.second, ino, b"new").unwrap();
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 1);
    assert_eq!(named(&files), [("dir/", &b""[..]), ("shared (conflict host2 2023-11-14)", b"new")]);
}

#[test]
fn a_file_written_there_and_removed_here_stays() {
    let pair = pair();
    let ino = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    write(&pair.first, ino, b"new").unwrap();
    unlink(&pair.second, Ino::ROOT, "shared").unwrap();
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 1);
    assert_eq!(files["shared"], b"new");
}

#[test]
fn a_file_written_there_and_replaced_here_stays_beside_its_replacement() {
    let pair = pair();
    let ino = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    write(&pair.first, ino, b"theirs").unwrap();
    put(&pair.second, "shared.tmp", b"ours");
    rename(&pair.second, (Ino::ROOT, "shared.tmp"), (Ino::ROOT, "shared")).unwrap();
    let (files, _) = pair.settle();
    assert_eq!(files["shared"], b"theirs");
    assert_eq!(files["shared (conflict host2 2023-11-14)"], b"ours");
    assert_eq!(files.len(), 3);
}

#[test]
fn two_editors_that_save_by_renaming_both_keep_their_text() {
    let pair = pair();
    for (volume, text) in [(&pair.first, &b"first"[..]), (&pair.second, b"second")] {
        put(volume, "shared.tmp", text);
        rename(volume, (Ino::ROOT, "shared.tmp"), (Ino::ROOT, "shared")).unwrap();
    }
    let (files, _) = pair.settle();
    assert_eq!(files["shared"], b"first");
    assert_eq!(files["shared (conflict host2 2023-11-14)"], b"second");
    assert_eq!(files.len(), 3);
}

#[test]
fn directories_of_the_same_name_merge() {
    let pair = pair();
    for (volume, name) in [(&pair.first, "one"), (&pair.second, "two")] {
        let directory = mkdir(volume, Ino::ROOT, "both").unwrap();
        let inner = mkdir(volume, directory, "inner").unwrap();
        let ino = create(volume, inner, name).unwrap();
        write(volume, ino, name.as_bytes()).unwrap();
    }
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 0);
    assert_eq!(files["both/inner/one"], b"one");
    assert_eq!(files["both/inner/two"], b"two");
}

#[test]
fn what_was_put_into_a_directory_that_is_gone_goes_to_the_root() {
    let pair = pair();
    rmdir(&pair.first, Ino::ROOT, "dir").unwrap();
    let directory = lookup(&pair.second, Ino::ROOT, "dir").unwrap();
    let ino = create(&pair.second, directory, "file").unwrap();
    write(&pair.second, ino, b"x").unwrap();
    let inner = mkdir(&pair.second, directory, "inner").unwrap();
    let ino = create(&pair.second, inner, "deep").unwrap();
    write(&pair.second, ino, b"y").unwrap();
    let (files, conflicts) = pair.settle();
    assert_eq!(conflicts, 2);
    assert_eq!(files["file (conflict host2 2023-11-14)"], b"x");
    assert_eq!(files["inner (conflict host2 2023-11-14)/deep"], b"y");
}

#[test]
fn removing_what_is_gone_already_is_reported_and_nothing_more() {
    let pair = pair();
    for volume in [&pair.first, &pair.second] {
        unlink(volume, Ino::ROOT, "shared").unwrap();
        rmdir(volume, Ino::ROOT, "dir").unwrap();
    }
    let (files, conflicts) = pair.settle();
    assert_eq!((files.len(), conflicts), (0, 2));
}

#[test]
fn a_clone_of_a_file_that_changed_there_keeps_what_was_copied_here() {
    let pair = pair();
    let source = lookup(&pair.first, Ino::ROOT, "shared").unwrap();
    write(&pair.first, source, b"changed").unwrap();
    let ino = create(&pair.second, Ino::ROOT, "copy").unwrap();
    let now = pair.second.now();
    let clone = crate::meta::op::Op::Clone {
        source,
        from: 0,
        ino,
        to: 0,
        count: 1,
        version: 0,
        size: 3,
        mtime: now,
        ctime: now,
    };
    apply(&pair.second, clone).unwrap();
    let (files, _) = pair.settle();
    assert_eq!(files["shared"], b"changed");
    assert_eq!(files["copy"], b"old");
}
