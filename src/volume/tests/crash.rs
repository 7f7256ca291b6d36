//! The machine dies at every request of a scripted run, with and without the last request having been applied. The
//! next mount shows a prefix of what was acknowledged, including everything before the last completed sync (M2).

use super::world::*;
use crate::base::Ino;
use crate::object::fault::LastRequest;
use crate::volume::Volume;

enum Step {
    Put(&'static str, usize),
    Append(&'static str, usize),
    Rename(&'static str, &'static str),
    Unlink(&'static str),
    Sync,
    Checkpoint,
    Close,
}

use Step::*;

const SCRIPT: [Step; 24] = [
    Put("a", 10),
    Put("b", 5000),
    Sync,
    Append("a", 200_000),
    Rename("b", "c"),
    Sync,
    Put("d", 70_000),
    Unlink("a"),
    Put("a", 1),
    Sync,
    Checkpoint,
    Put("e", 4096),
    Sync,
    Rename("e", "c"),
    Append("c", 100_000),
    Put("f", 20),
    Checkpoint,
    Unlink("d"),
    Sync,
    Put("g", 66_000),
    Put("h", 3),
    Sync,
    Append("h", 12),
    Close,
];

/// What a run did until it ended or died.
struct Run {
    /// The files after each acknowledged operation; the first is the empty volume.
    states: Vec<Files>,
    /// Acknowledged operations before the last sync that completed.
    synced: usize,
}

impl Run {
    fn now(&self) -> Files {
        self.states[self.states.len() - 1].clone()
    }

    fn note(&mut self, change: impl FnOnce(&mut Files)) {
        let mut files = self.now();
        change(&mut files);
        self.states.push(files);
    }
}

fn bytes(name: &str, len: usize) -> Vec<u8> {
    noise(len, len as u64 + u64::from(name.as_bytes()[0]))
}

/// Plays the script until its end or the machine's death.
fn run(volume: &Volume) -> Run {
    let mut run = Run { states: vec![Files::new()], synced: 0 };
    for step in &SCRIPT {
        match step {
            Put(name, len) => {
                let ino = create(volume, Ino::ROOT, name).unwrap();
                run.note(|files| drop(files.insert((*name).into(), Vec::new())));
                write(volume, ino, &bytes(name, *len)).unwrap();
                run.note(|files| drop(files.insert((*name).into(), bytes(name, *len))));
            }
            Append(name, len) => {
                let ino = lookup(volume, Ino::ROOT, name).unwrap();
                let whole = [run.now()[*name].as_slice(), &bytes(name, *len)].concat();
                write(volume, ino, &whole).unwrap();
                run.note(|files| drop(files.insert((*name).into(), whole)));
            }
            Rename(from, to) => {
                rename(volume, (Ino::ROOT, from), (Ino::ROOT, to)).unwrap();
                run.note(|files| {
                    let content = files.remove(*from).unwrap();
                    files.insert((*to).into(), content);
                });
            }
            Unlink(name) => {
                unlink(volume, Ino::ROOT, name).unwrap();
                run.note(|files| drop(files.remove(*name)));
            }
            Sync | Checkpoint | Close => {
                let done = match step {
                    Sync => volume.sync(),
                    Checkpoint => volume.checkpoint_now(&Default::default()),
                    _ => volume.close_blocking(),
                };
                if done.is_err() {
                    return run;
                }
                run.synced = run.states.len() - 1;
            }
        }
    }
    run
}

#[test]
fn m2_death_at_every_request_leaves_a_prefix_that_includes_the_last_sync() {
    let mut deaths = 0;
    for last in [LastRequest::NotSent, LastRequest::Applied] {
        for served in 0.. {
            let world = World::new();
            let machine = world.machine(1);
            let volume = machine.open().unwrap();
            machine.faulty.die_after(served, last);
            let run = run(&volume);
            if !machine.faulty.is_dead() {
                break;
            }
            deaths += 1;
            drop(volume);
            machine.faulty.clear();
            let place = format!("{served} requests, the last {last:?}");
            let volume = machine.open().unwrap_or_else(|error| panic!("{place}: {error}"));
            let found = files(&volume);
            let allowed = &run.states[run.synced..];
            assert!(allowed.contains(&found), "{place}: {:?}", found.keys());
            // And the volume works.
            put(&volume, "after", b"the crash");
            volume.close_blocking().unwrap();
            assert_eq!(world.files()["after"], b"the crash", "{place}");
            let counters =
                crate::meta::read::superblock(&world.machine(9).open_read_only().unwrap().snapshot());
            assert_eq!(counters.unwrap().inodes, found.len() as u64 + 2, "{place}");
        }
    }
    assert!(deaths > 30, "only {deaths} places to die");
}

#[test]
fn lost_replies_at_every_request_lose_and_repeat_nothing() {
    let whole = {
        let world = World::new();
        let machine = world.machine(1);
        let before = machine.faulty.requests();
        run(&machine.open().unwrap());
        machine.faulty.requests() - before
    };
    for nth in 3..whole {
        let world = World::new();
        let machine = world.machine(1);
        let volume = machine.open().unwrap();
        let opened = machine.faulty.requests();
        machine.faulty.add(crate::object::Rule::nth((nth - opened).max(1), crate::object::Fault::LoseReply));
        run(&volume);
        volume.close_blocking().unwrap();
        let found = world.files();
        assert_eq!(found, files(&volume), "lost reply {nth}");
        assert!(volume.status().conflicts.is_empty());
    }
}
