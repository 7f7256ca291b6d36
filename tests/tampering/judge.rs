//! Opens a bucket, looks at everything, runs fsck, and insists that nothing wrong is believed.

use hushfs::base::Ino;
use hushfs::fs::{Filesystem, FsError, Handle, errno};
use hushfs::object::MemoryBucket;
use hushfs::volume::fsck;

use crate::guard::Guard;
use crate::machine::{Machine, Opened, Refusal};
use crate::picture::{Node, Picture, look};
use crate::sample::{CHUNK, Sample};

/// What a machine says about a bucket, having shown nothing but the truth.
pub struct Verdict {
    /// Whether the volume could be opened at all.
    pub refusal: Option<Refusal>,
    /// All errors, with the refusal's; empty when everything is as it should be.
    pub complaints: Vec<String>,
}

/// # Panics
/// When anything is shown that is not in `expected`, or something of `expected` is missing without an error.
pub fn judge(machine: &Machine, bucket: &MemoryBucket, expected: &Picture, case: &str) -> Verdict {
    let opened = match machine.open_read_only(bucket) {
        Ok(opened) => opened,
        Err(refusal) => {
            let complaints = vec![refusal.to_string()];
            return Verdict { refusal: Some(refusal), complaints };
        }
    };
    let mut complaints = compare(&opened.fs, expected, case);
    match fsck(&opened.volume, true, &|_, _| {}) {
        Ok(report) => complaints.extend(report.problems),
        Err(error) => complaints.push(error.to_string()),
    }
    Verdict { refusal: None, complaints }
}

/// Looks at everything; the errors that were met.
///
/// # Panics
/// As [`judge`], and when an error is anything but EIO.
pub fn compare(fs: &Filesystem, expected: &Picture, case: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut hidden: Vec<Vec<u8>> = Vec::new();
    let seen = look(fs);
    for (path, node) in &seen {
        let shown = path.escape_ascii();
        let right = expected.get(path).unwrap_or_else(|| panic!("{case}: {shown} was never there"));
        match node {
            Ok(node) => assert!(node == right, "{case}: {shown} is shown with wrong contents"),
            Err(error) => {
                assert_eq!(errno(error), libc::EIO, "{case}: {shown}: {error}");
                complaints.push(format!("{shown}: {error}"));
                hidden.push(path.clone());
                if let Node::File { data, .. } = right {
                    read_in_pieces(fs, path, data, case);
                }
            }
        }
    }
    for path in expected.keys().filter(|path| !seen.contains_key(*path)) {
        let excused = hidden.iter().any(|above| path.starts_with(above));
        assert!(excused, "{case}: {} is missing without an error", path.escape_ascii());
    }
    complaints
}

/// Parts of a damaged file may be readable: they are right then.
fn read_in_pieces(fs: &Filesystem, path: &[u8], data: &[u8], case: &str) {
    let Ok(ino) = find(fs, path) else { return };
    for (number, piece) in data.chunks(CHUNK).enumerate() {
        match fs.read(ino, Handle::from_flags(0), (number * CHUNK) as u64, CHUNK as u32) {
            Ok(bytes) => {
                assert!(bytes == piece, "{case}: chunk {number} of {} is wrong", path.escape_ascii());
            }
            Err(error) => assert_eq!(errno(&error), libc::EIO, "{case}: {error}"),
        }
    }
}

fn find(fs: &Filesystem, path: &[u8]) -> Result<Ino, FsError> {
    path.split(|byte| *byte == b'/').try_fold(Ino::ROOT, |ino, name| Ok(fs.lookup(ino, name)?.attr.ino))
}

/// A sample under attack, seen by the machine that wrote it.
pub struct Trial {
    pub sample: Sample,
    guard: Guard,
}

impl Trial {
    pub fn new() -> Self {
        Self { sample: Sample::new(), guard: Guard::new() }
    }

    /// Judges the bucket as it is now, with the contents that it should have.
    pub fn judge(&self, case: &str) -> Verdict {
        self.judge_as(&self.sample.writer, &self.sample.now().picture, case)
    }

    /// The same for any machine and any contents.
    pub fn judge_as(&self, machine: &Machine, expected: &Picture, case: &str) -> Verdict {
        self.watch(case, || judge(machine, &self.sample.bucket, expected, case))
    }

    /// Replaces one object and insists that it is noticed, then puts it back.
    pub fn must_notice(&self, key: &str, bytes: Vec<u8>, case: &str) {
        assert!(self.notices(key, bytes, case), "{case}: nobody noticed");
    }

    /// Whether anything complains about the replaced object; nothing wrong is shown either way.
    pub fn notices(&self, key: &str, bytes: Vec<u8>, case: &str) -> bool {
        self.sample.bucket.overwrite_raw(key, bytes);
        let verdict = self.judge(case);
        self.sample.bucket.overwrite_raw(key, self.sample.object(key));
        !verdict.complaints.is_empty()
    }

    /// Opens for writing, watched.
    pub fn open(&self, machine: &Machine, case: &str) -> Result<Opened, Refusal> {
        self.watch(case, || machine.open(&self.sample.bucket))
    }

    /// Opens for looking, as the machine that wrote it, while all is well.
    pub fn open_read_only(&self, case: &str) -> Opened {
        self.watch(case, || self.sample.writer.open_read_only(&self.sample.bucket)).unwrap()
    }

    /// Does something under observation.
    pub fn watch<T>(&self, case: &str, work: impl FnOnce() -> T) -> T {
        self.guard.watch(case, work)
    }
}
