//! A volume that an earlier hushfs made still opens, with everything in it (tests/fixtures/volume-v1).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hushfs::base::{Ino, Timestamp};
use hushfs::crypto::SecretBytes;
use hushfs::fs::{Attr, Filesystem};
use hushfs::keyring::{Credential, UnlockedVolume};
use hushfs::meta::record::FileKind;
use hushfs::object::MemoryBucket;
use hushfs::volume::fsck;
use sha2::{Digest, Sha256};

use crate::machine::{Machine, Opened};
use crate::picture::{entries, read_all, xattrs};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/volume-v1")
}

/// The objects below `folder`, in memory: the fixture itself is only read.
fn load(root: &Path, folder: &Path, bucket: &MemoryBucket) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            load(root, &path, bucket);
        } else {
            let key = path.strip_prefix(root).unwrap().to_str().unwrap();
            bucket.overwrite_raw(key, fs::read(&path).unwrap());
        }
    }
}

/// The fixture's header, opened with its passphrase; `bucket` has all of its objects then.
fn unlock(machine: &Machine, bucket: &MemoryBucket) -> UnlockedVolume {
    let root = fixture().join("bucket");
    load(&root, &root, bucket);
    let passphrase = fs::read(fixture().join("passphrase")).unwrap();
    let passphrase = SecretBytes::new(passphrase.trim_ascii_end().to_vec());
    let unlocked = machine.unlock_with(bucket, &Credential::Passphrase(passphrase)).unwrap();
    assert_eq!(unlocked.settings().label, "frozen, format 1");
    unlocked
}

fn open(machine: &Machine) -> Opened {
    let bucket = MemoryBucket::new();
    machine.open_unlocked(&bucket, &unlock(machine, &bucket), true).unwrap()
}

/// One path as a line of the manifest has it.
fn describe(fs: &Filesystem, attr: &Attr, path: &[u8]) -> Vec<u8> {
    let kind = match attr.kind {
        FileKind::Regular => libc::S_IFREG,
        FileKind::Directory => libc::S_IFDIR,
        FileKind::Symlink => libc::S_IFLNK,
        FileKind::Fifo => libc::S_IFIFO,
        FileKind::Socket => libc::S_IFSOCK,
        FileKind::CharDevice => libc::S_IFCHR,
        FileKind::BlockDevice => libc::S_IFBLK,
    };
    let sum = match attr.kind {
        FileKind::Regular => hex(&Sha256::digest(read_all(fs, attr.ino, attr).unwrap())),
        FileKind::Symlink => hex(&Sha256::digest(fs.readlink(attr.ino).unwrap())),
        _ => "-".into(),
    };
    let xattrs = match attr.kind {
        FileKind::Symlink => Vec::new(),
        _ => {
            xattrs(fs, attr.ino).unwrap().into_iter().map(|(name, value)| [name, value].join(&b'=')).collect()
        }
    };
    let xattrs = if xattrs.is_empty() { b"-".to_vec() } else { xattrs.join(&b',') };
    let Attr { perm, nlink, uid, gid, size, .. } = attr;
    let mode = kind | u32::from(*perm);
    let text = format!("{mode:x} {nlink} {uid}:{gid} {size} {} {sum} ", decimal(attr.mtime));
    [text.as_bytes(), &xattrs, b" ", path].concat()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Seconds as stat(1) prints them: before 1970 the fraction counts backwards.
fn decimal(time: Timestamp) -> String {
    let nanos = i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos);
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn describe_all(fs: &Filesystem, directory: Ino, above: &[u8], lines: &mut BTreeSet<Vec<u8>>) {
    for (name, ino) in entries(fs, directory).unwrap() {
        let path = [above, &name[..]].concat();
        let attr = fs.getattr(ino).unwrap();
        lines.insert(describe(fs, &attr, &path));
        if attr.kind == FileKind::Directory {
            describe_all(fs, ino, &[&path[..], b"/"].concat(), lines);
        }
    }
}

#[test]
fn a_volume_of_format_1_opens_with_everything_that_was_put_into_it() {
    let machine = Machine::new();
    let opened = open(&machine);
    let mut found = BTreeSet::new();
    describe_all(&opened.fs, Ino::ROOT, b"", &mut found);
    let manifest = fs::read(fixture().join("manifest")).unwrap();
    let expected: BTreeSet<Vec<u8>> =
        manifest.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    assert!(expected.len() > 50, "the manifest is whole");
    let lines = |a: &BTreeSet<Vec<u8>>, b: &BTreeSet<Vec<u8>>| -> Vec<String> {
        a.difference(b).map(|line| line.escape_ascii().to_string()).collect()
    };
    assert_eq!(
        (lines(&expected, &found), lines(&found, &expected)),
        (vec![], vec![]),
        "(missing, unexpected)"
    );
}

#[test]
fn fsck_finds_nothing_wrong_with_a_volume_of_format_1() {
    let machine = Machine::new();
    let opened = open(&machine);
    let report = fsck(&opened.volume, true, &|_, _| {}).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.entries > 8 && report.packs == 1 && report.segments == 5, "{report:?}");
}

#[test]
fn a_volume_of_format_1_can_be_written_on() {
    let (machine, bucket) = (Machine::new(), MemoryBucket::new());
    let unlocked = unlock(&machine, &bucket);
    let opened = machine.open_unlocked(&bucket, &unlocked, false).unwrap();
    crate::sample::put(&opened.fs, Ino::ROOT, b"new", &[7; 50_000]);
    opened.volume.checkpoint_now(&Default::default()).unwrap();
    opened.close().unwrap();
    drop(opened);
    let again = machine.open_unlocked(&bucket, &unlocked, true).unwrap();
    let entry = again.fs.lookup(Ino::ROOT, b"new").unwrap();
    assert_eq!(read_all(&again.fs, entry.attr.ino, &entry.attr).unwrap(), vec![7; 50_000]);
    assert_eq!(fsck(&again.volume, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}
