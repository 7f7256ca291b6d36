//! Two machines do what they like, commit and follow when they like: in the end they show the same bytes, and no
//! content is gone that nobody knowingly replaced or removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::*;
use crate::base::random::SeededRandom;
use crate::base::{Ino, Random};
use crate::volume::Volume;

const NAMES: [&str; 5] = ["a", "b", "c.txt", "d", "e"];

struct Play {
    random: SeededRandom,
    volumes: [Arc<Volume>; 2],
    written: BTreeSet<Vec<u8>>,
    /// Contents that a machine saw when it replaced or removed them.
    replaced: BTreeSet<Vec<u8>>,
    count: u32,
}

impl Play {
    fn pick(&self, among: u64) -> u64 {
        self.random.next_u64() % among
    }

    /// Content that occurs nowhere else; sometimes too large for the log.
    fn content(&mut self) -> Vec<u8> {
        self.count += 1;
        let mut bytes = format!("content {}", self.count).into_bytes();
        if self.pick(4) == 0 {
            bytes.extend(noise(5000, u64::from(self.count)));
        }
        self.written.insert(bytes.clone());
        bytes
    }

    fn gone(&mut self, volume: &Volume, ino: Ino) {
        self.replaced.insert(content(volume, ino));
    }

    fn step(&mut self) {
        let volume = Arc::clone(&self.volumes[self.pick(2) as usize]);
        let directory = match self.pick(3) {
            0 => lookup(&volume, Ino::ROOT, "dir").unwrap_or(Ino::ROOT),
            _ => Ino::ROOT,
        };
        let name = NAMES[self.pick(5) as usize];
        let present = lookup(&volume, directory, name);
        match (self.pick(10), present) {
            (0, _) => volume.sync().unwrap(),
            (1, _) => volume.poll_once().unwrap(),
            (2, _) if lookup(&volume, Ino::ROOT, "dir").is_none() => {
                mkdir(&volume, Ino::ROOT, "dir").unwrap();
            }
            // Not empty, or gone: as rmdir says.
            (3, _) => drop(rmdir(&volume, Ino::ROOT, "dir")),
            (4, Some(ino)) => {
                self.gone(&volume, ino);
                unlink(&volume, directory, name).unwrap();
            }
            (5 | 6, Some(_)) => self.rename(&volume, directory, name),
            (_, Some(ino)) => {
                self.gone(&volume, ino);
                write(&volume, ino, &self.content()).unwrap();
            }
            (_, None) => {
                let ino = create(&volume, directory, name).unwrap();
                write(&volume, ino, &self.content()).unwrap();
            }
        }
    }

    fn rename(&mut self, volume: &Volume, directory: Ino, name: &str) {
        let new = NAMES[self.pick(5) as usize];
        if new == name && directory == Ino::ROOT {
            return;
        }
        if let Some(replaced) = lookup(volume, Ino::ROOT, new) {
            self.gone(volume, replaced);
        }
        rename(volume, (directory, name), (Ino::ROOT, new)).unwrap();
    }
}

fn play(seed: u64) {
    let world = World::new();
    let volumes = [world.machine(1).open().unwrap(), world.machine(2).open().unwrap()];
    let mut play = Play {
        random: SeededRandom::new(seed),
        volumes,
        written: BTreeSet::new(),
        replaced: BTreeSet::new(),
        count: 0,
    };
    for step in 0..80 {
        play.step();
        if step == 40 {
            play.volumes[0].checkpoint_now(&Default::default()).unwrap();
        }
    }
    for volume in &play.volumes {
        volume.sync().unwrap();
    }
    for volume in &play.volumes {
        volume.poll_once().unwrap();
    }
    let [one, two] = &play.volumes;
    assert_eq!(records(one), records(two), "seed {seed}");
    assert_eq!(records(one), world.records(), "seed {seed}");
    let present: BTreeSet<Vec<u8>> = files(one).into_values().collect();
    for content in play.written.difference(&play.replaced) {
        let shown = String::from_utf8_lossy(&content[..content.len().min(12)]);
        assert!(present.contains(content), "seed {seed}: {shown} is lost");
    }
}

#[test]
fn m4_machines_that_interleave_at_random_converge_and_lose_nobodys_data() {
    for seed in 0..40 {
        play(seed);
    }
}

#[test]
fn m4_replaying_the_log_twice_gives_the_same_bytes_wherever_the_checkpoint_is() {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    for number in 0..30u64 {
        let ino = put(&volume, &format!("file{number}"), &noise(3000, number));
        write(&volume, ino, &noise(CHUNK, number)).unwrap();
        if number % 3 == 0 {
            unlink(&volume, Ino::ROOT, &format!("file{number}")).unwrap();
        }
        volume.sync().unwrap();
    }
    let replayed = world.records();
    assert_eq!(replayed, records(&volume));
    assert_eq!(replayed, world.records());
    volume.checkpoint(&Default::default()).unwrap();
    assert_eq!(replayed, records(&volume), "folding changes no record");
}
