//! A small volume with objects of every kind, and what it looked like after each commit.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushfs::base::{Ino, SystemClock};
use hushfs::crypto::SecretBytes;
use hushfs::fs::{Filesystem, Handle, RenameMode};
use hushfs::keyring::{NewSlot, NewSlotKey, NewVolume, create};
use hushfs::object::MemoryBucket;
use hushfs::object::memory::ObjectMap;
use hushfs::volume::Volume;

use crate::machine::{Machine, Opened};
use crate::picture::{Picture, ROOT_USER, look};

/// The key file of every sample; the volumes still differ in all their keys.
pub const KEY_FILE: &[u8] = b"a key file of at least thirty-two bytes";
pub const CHUNK: usize = 8192;

/// Bucket and namespace after one commit.
pub struct Moment {
    pub objects: ObjectMap,
    pub picture: Picture,
}

/// The volume, and the machine that wrote it.
pub struct Sample {
    pub bucket: MemoryBucket,
    pub writer: Machine,
    /// After the log entry of this number.
    pub history: BTreeMap<usize, Moment>,
}

impl Sample {
    /// Seven commits and a checkpoint in the middle: entries before it, at it and after it, one pack, two segments.
    pub fn new() -> Self {
        let bucket = MemoryBucket::new();
        let writer = Machine::new();
        init(&bucket, &writer);
        let mut sample = Self { bucket, writer, history: BTreeMap::new() };
        sample.fill();
        sample
    }

    fn fill(&mut self) {
        let opened = self.writer.open(&self.bucket).unwrap();
        let fs = &opened.fs;
        let folder = fs.mkdir(&ROOT_USER, Ino::ROOT, b"folder", 0o755, 0).unwrap().attr.ino;
        put(fs, Ino::ROOT, b"empty", b"");
        let tiny = put(fs, folder, b"tiny", b"x");
        self.commit(&opened);
        put(fs, folder, b"large", &noise(&self.writer, 2 * CHUNK + 5000));
        self.commit(&opened);
        fs.link(tiny, Ino::ROOT, b"hard link").unwrap();
        fs.symlink(&ROOT_USER, Ino::ROOT, b"symlink", b"folder/large").unwrap();
        fs.setxattr(&ROOT_USER, tiny, b"user.colour", b"blue", 0).unwrap();
        self.commit(&opened);
        opened.volume.checkpoint_now(&Default::default()).unwrap();
        self.note(&opened);
        put(fs, folder, b"\xff later", &noise(&self.writer, CHUNK + 5000));
        self.commit(&opened);
        fs.write(tiny, Handle::from_flags(0), 1, b" and more", false).unwrap();
        fs.rename(Ino::ROOT, b"empty", folder, b"moved", RenameMode::Replace).unwrap();
        self.commit(&opened);
        opened.close().unwrap();
        self.note(&opened);
    }

    fn commit(&mut self, opened: &Opened) {
        opened.fs.sync().unwrap();
        self.note(opened);
    }

    fn note(&mut self, opened: &Opened) {
        let picture = look(&opened.fs).into_iter().map(|(path, node)| (path, node.unwrap())).collect();
        let moment = Moment { objects: self.bucket.objects(), picture };
        self.history.insert(self.keys("log/").len(), moment);
    }

    /// What is in the bucket and to be seen of it when all is well.
    pub fn now(&self) -> &Moment {
        self.history.last_key_value().unwrap().1
    }

    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.bucket.objects().into_keys().filter(|key| key.starts_with(prefix)).collect()
    }

    /// One key of each kind of object: a header, an entry that is replayed, a pack, a segment.
    pub fn one_of_each(&self) -> Vec<String> {
        let last = |prefix: &str| self.keys(prefix).pop().unwrap();
        vec![last("volume"), last("log/"), last("tree/"), last("data/")]
    }

    pub fn object(&self, key: &str) -> Bytes {
        self.now().objects[key].clone()
    }

    /// Undoes what was done to the bucket.
    pub fn restore(&self) {
        self.bucket.restore(&self.now().objects);
    }
}

/// A volume in an empty bucket, with the sample's key file.
pub fn init(bucket: &MemoryBucket, machine: &Machine) {
    let new = NewVolume {
        chunk_size: CHUNK as u32,
        label: "sample".into(),
        single_writer: false,
        ..NewVolume::default()
    };
    let key = SecretBytes::new(KEY_FILE.to_vec());
    let slots = [NewSlot::new(NewSlotKey::KeyFile(&key), machine.random())];
    let created = create(&new, slots, machine.random(), &SystemClock).unwrap();
    bucket.overwrite_raw("volume", created.bytes);
    let env = machine.environment(bucket, &created.unlocked);
    machine.runtime().block_on(Volume::create(&env, CHUNK as u32, 0, 0)).unwrap();
}

/// Makes a file with content.
pub fn put(fs: &Filesystem, parent: Ino, name: &[u8], data: &[u8]) -> Ino {
    let (entry, handle) = fs.create(&ROOT_USER, parent, name, 0o644, 0, libc::O_RDWR).unwrap();
    if !data.is_empty() {
        fs.write(entry.attr.ino, handle, 0, data, false).unwrap();
    }
    fs.release(entry.attr.ino, handle);
    entry.attr.ino
}

fn noise(machine: &Machine, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    machine.random().fill(&mut bytes);
    bytes
}

#[test]
fn the_sample_has_objects_of_every_kind_and_is_clean() {
    let sample = Sample::new();
    assert_eq!(sample.keys("volume").len(), 1);
    assert_eq!(sample.keys("log/").len(), 8, "{:?}", sample.keys("log/"));
    assert_eq!(sample.keys("tree/").len(), 1);
    assert_eq!(sample.keys("data/").len(), 2);
    for machine in [&sample.writer, &Machine::new()] {
        let verdict = crate::judge::judge(machine, &sample.bucket, &sample.now().picture, "untouched");
        assert_eq!(verdict.complaints, Vec::<String>::new());
    }
}
