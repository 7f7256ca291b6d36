//! Against the kernel that runs the tests.

use std::time::Duration;

use super::*;
use crate::base::{OsRandom, VolumeId};
use crate::crypto::SecretBytes;

/// A volume of its own for each test; what is kept for it is forgotten at the end, also by a panic.
struct Kept {
    keys: KernelKeys,
    volume: VolumeId,
}

impl Kept {
    fn new() -> Self {
        let keys = KernelKeys::open().expect("these tests need a kernel that permits keyrings");
        Self { keys, volume: VolumeId::generate(&OsRandom) }
    }

    fn found(&self) -> Option<Vec<u8>> {
        self.keys.find(self.volume).unwrap().map(|secret| secret.expose().to_vec())
    }

    /// The line of /proc/keys: id, flags, usage, time limit, permissions, uid, gid, type, name.
    fn line(&self) -> Vec<String> {
        let keys = std::fs::read_to_string("/proc/keys").unwrap();
        let name = format!("hushfs:{}:", self.volume);
        let mut lines =
            keys.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        // What was forgotten stands there, marked as invalidated, until the kernel collects it.
        let line = lines.find(|words| words[8..].contains(&name) && !words[1].contains('i'));
        line.unwrap_or_else(|| panic!("no {name} in {keys}"))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keys.forget(self.volume).unwrap();
    }
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

#[test]
fn a_secret_comes_back_is_replaced_and_is_forgotten() {
    let kept = Kept::new();
    assert_eq!(kept.found(), None);
    for bytes in [&b"one"[..], &[0; 74], b"three"] {
        kept.keys.keep(kept.volume, &secret(bytes), None).unwrap();
        assert_eq!(kept.found().as_deref(), Some(bytes));
    }
    assert!(kept.keys.volumes().unwrap().contains(&kept.volume));
    assert!(kept.keys.forget(kept.volume).unwrap());
    assert_eq!(kept.found(), None);
    assert!(!kept.keys.forget(kept.volume).unwrap());
    assert!(!kept.keys.volumes().unwrap().contains(&kept.volume));
}

#[test]
fn only_the_owner_has_any_permission_and_the_name_tells_the_volume_alone() {
    let kept = Kept::new();
    kept.keys.keep(kept.volume, &secret(b"key"), None).unwrap();
    let line = kept.line();
    assert_eq!(line[4], "2f2f0000", "{line:?}");
    assert_eq!(line[5], rustix::process::geteuid().as_raw().to_string());
    assert_eq!(line[7..9], ["user", &format!("hushfs:{}:", kept.volume)]);
}

#[test]
fn the_kernel_is_told_the_time_limit_and_a_later_keep_without_one_lifts_it() {
    let kept = Kept::new();
    for (limit, shown) in [
        (Duration::from_secs(90), "1m"),
        (Duration::from_secs(3 * 86400 + 60), "3d"),
        (Duration::from_millis(1), "0s"),
    ] {
        kept.keys.keep(kept.volume, &secret(b"key"), Some(limit)).unwrap();
        // With a limit of a second the key may be gone before it is looked at.
        if shown != "0s" {
            assert_eq!(kept.line()[3], shown);
        }
    }
    kept.keys.keep(kept.volume, &secret(b"key"), None).unwrap();
    assert_eq!(kept.line()[3], "perm");
}

#[test]
fn what_is_too_long_is_neither_kept_nor_read() {
    let kept = Kept::new();
    let refused = kept.keys.keep(kept.volume, &secret(&[1; 1025]), None);
    assert_eq!(refused, Err(KernelKeysError::TooLong(1025)));
    assert_eq!(kept.found(), None);
    // Somebody of the same user puts something of that name there.
    let ring =
        linux_keyutils::KeyRing::from_special_id(linux_keyutils::KeyRingIdentifier::User, false).unwrap();
    let key = ring.add_key(&format!("hushfs:{}", kept.volume), &[1; 2000]).unwrap();
    key.set_perms(linux_keyutils::KeyPermissions::from_u32(0x3f3f_0000)).unwrap();
    match kept.keys.find(kept.volume) {
        Err(error) => assert_eq!(error, KernelKeysError::TooLong(2000)),
        Ok(_) => panic!("was read"),
    }
}
