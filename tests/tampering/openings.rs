//! Buckets that hold no volume, not all of one, or one of the future: each has an error of its own.

use hushfs::crypto::SecretBytes;
use hushfs::keyring::{Credential, KeyringError};
use hushfs::object::{ErrorKind, MemoryBucket};
use hushfs::volume::VolumeError;

use crate::judge::Trial;
use crate::machine::{Machine, Refusal};
use crate::sample::Sample;

fn refusal(bucket: &MemoryBucket) -> Refusal {
    Machine::new().open_read_only(bucket).err().expect("there is nothing to open")
}

#[test]
fn an_empty_bucket_has_no_header_to_be_found() {
    let refused = refusal(&MemoryBucket::new());
    assert!(matches!(&refused, Refusal::Bucket(error) if error.kind == ErrorKind::NotFound), "{refused}");
}

#[test]
fn a_foreign_volume_object_is_called_foreign() {
    for foreign in [&b""[..], b"volume", b"\x89PNG\r\n\x1a\n", &[0; 4096]] {
        let bucket = MemoryBucket::new();
        bucket.overwrite_raw("volume", foreign);
        let refused = refusal(&bucket);
        assert!(matches!(refused, Refusal::Header(KeyringError::Foreign)), "{refused}");
    }
}

#[test]
fn a_header_of_a_newer_format_or_suite_is_called_newer_and_not_damaged() {
    let sample = Sample::new();
    for (at, value) in [(8, 2), (9, 1)] {
        let mut newer = sample.object("volume").to_vec();
        newer[at] = value;
        sample.bucket.overwrite_raw("volume", newer);
        let refused = refusal(&sample.bucket);
        assert!(matches!(refused, Refusal::Header(KeyringError::NewerFormat(_))), "{refused}");
    }
}

#[test]
fn an_object_of_a_newer_format_is_refused_by_name() {
    let trial = Trial::new();
    for key in trial.sample.one_of_each().into_iter().filter(|key| key != "volume") {
        let mut newer = trial.sample.object(&key).to_vec();
        newer[8] = 2;
        trial.must_notice(&key, newer, &format!("{key} of format 2"));
    }
}

#[test]
fn a_header_without_a_log_is_a_half_made_volume() {
    let sample = Sample::new();
    let bucket = MemoryBucket::new();
    bucket.overwrite_raw("volume", sample.object("volume"));
    let refused = refusal(&bucket);
    assert!(matches!(refused, Refusal::Volume(VolumeError::HalfInitialised(_))), "{refused}");
}

#[test]
fn a_log_without_a_header_is_no_volume() {
    let sample = Sample::new();
    sample.bucket.remove_raw("volume");
    let refused = refusal(&sample.bucket);
    assert!(matches!(&refused, Refusal::Bucket(error) if error.kind == ErrorKind::NotFound), "{refused}");
}

#[test]
fn a_wrong_key_is_told_from_damage() {
    let sample = Sample::new();
    let wrong = Credential::KeyFile(SecretBytes::new(vec![7; 32]));
    let refused = Machine::new().unlock_with(&sample.bucket, &wrong).err().unwrap();
    assert!(matches!(refused, Refusal::Header(KeyringError::WrongKey(_))), "{refused}");
    let mut damaged = sample.object("volume").to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    sample.bucket.overwrite_raw("volume", damaged);
    let refused = refusal(&sample.bucket);
    assert!(matches!(refused, Refusal::Header(KeyringError::Damaged(_))), "{refused}");
}
