//! `hushfs unlock` and `hushfs lock`, with the kernel keyring of the machine that runs the tests.

use data_encoding::HEXLOWER;
use hushfs::base::{OsRandom, VolumeId};
use hushfs::crypto::{Cost, SecretBytes};
use hushfs::kernel_keys::KernelKeys;
use hushfs::keyring::{Credential, NewSlot, NewSlotKey, NewVolumeKey, OldData, UnlockedVolume, VolumeHeader};

use super::*;

/// Every key that a test leaves in the kernel would stay there: they are forgotten also by a panic.
pub struct Forgets<'a>(pub &'a Home);

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        let locked = self.0.hushfs(["lock", &self.0.bucket()]).run();
        if !std::thread::panicking() {
            assert_eq!(locked.code, 0, "{}", locked.err);
        }
    }
}

/// Keeps the key in the kernel for at most ten minutes.
fn unlocked(home: &Home) -> Forgets<'_> {
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel", "--for", "10m"]).pass().expect(0);
    Forgets(home)
}

/// Mounts without any option that would unlock.
pub fn mounts_unasked(home: &Home) {
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).expect(0);
    home.unmount();
}

/// What stands on standard error when nobody can be asked.
pub fn asks(home: &Home) -> String {
    let asked = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).expect(2);
    assert!(asked.err.contains("nobody is at a terminal"), "{}", asked.err);
    asked.err
}

fn shown(home: &Home) -> serde_json::Value {
    serde_json::from_str(&home.hushfs(["unlock", "--show", "--json"]).expect(0).out).unwrap()
}

/// The kept key as the kernel has it.
fn in_kernel(volume: &str) -> bool {
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    // What was forgotten stands there, marked as invalidated (i), until the kernel collects it.
    let flags = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    keys.lines().any(|line| line.contains(&format!("hushfs:{volume}")) && !flags(line).contains('i'))
}

/// Replaces the header by what `change` makes of the unlocked volume, as another machine would.
pub fn changed_elsewhere(home: &Home, change: impl FnOnce(&UnlockedVolume) -> Vec<u8>) {
    let path = home.bucket_folder().join("volume");
    let header =
        VolumeHeader::decode(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let passphrase = SecretBytes::new(b"correct horse battery staple".to_vec());
    let unlocked = header.unlock(&Credential::Passphrase(passphrase));
    std::fs::write(&path, change(&unlocked.unwrap_or_else(|error| panic!("{error}")))).unwrap();
}

#[test]
fn after_unlock_no_command_asks_and_after_lock_each_does() {
    let home = Home::with_volume();
    let forgets = unlocked(&home);
    let volume = shown(&home)[0]["volume"].as_str().unwrap().to_owned();
    assert!(in_kernel(&volume));
    mounts_unasked(&home);
    let bucket = home.bucket();
    for words in [&["fsck", &bucket][..], &["gc", &bucket], &["quota", &bucket]] {
        home.hushfs(words).expect(0);
    }
    home.hushfs(["key", "add", &bucket, "--new-key-file", home.path("k").to_str().unwrap()]).expect(0);
    let listed = home.hushfs(["key", "list", "--json", &bucket]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(
        (&listed["authenticated"], &listed["fingerprint"]),
        (&true.into(), &shown(&home)[0]["fingerprint"])
    );

    let locked = home.hushfs(["lock", &bucket]).expect(0);
    assert!(locked.err.contains("kernel keyring"), "{}", locked.err);
    assert!(!in_kernel(&volume));
    assert_eq!(shown(&home), serde_json::json!([]));
    asks(&home);
    home.hushfs(["fsck", &bucket]).expect(2);
    let listed = home.hushfs(["key", "list", "--json", &bucket]).expect(0);
    assert!(listed.out.contains("\"authenticated\": false"), "{}", listed.out);
    let again = home.hushfs(["lock", &bucket]).expect(0);
    assert!(again.err.contains("no key of"), "{}", again.err);
    drop(forgets);
}

#[test]
fn lock_says_what_is_still_mounted_and_the_mount_goes_on() {
    let home = Home::with_volume();
    let forgets = unlocked(&home);
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).expect(0);
    let locked = home.hushfs(["lock", &home.bucket()]).expect(0);
    let advice = format!("hushfs unmount {}", home.mount_str());
    assert!(locked.err.contains("still open") && locked.err.contains(&advice), "{}", locked.err);
    std::fs::write(home.mount().join("file"), "contents").unwrap();
    home.unmount();
    drop(forgets);
}

#[test]
fn a_named_way_to_unlock_goes_before_the_kept_key() {
    let home = Home::with_volume();
    let forgets = unlocked(&home);
    let wrong = home.secret("wrong", b"wrong\n");
    opens(&home, &["--passphrase-file", wrong.to_str().unwrap()]).expect(3);
    opens(&home, &[]).expect(0);
    // A kept key does not prolong its own life.
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel"]).expect(2);
    drop(forgets);
}

#[test]
fn a_new_passphrase_and_a_new_epoch_elsewhere_leave_the_kept_key_good() {
    let home = Home::with_volume();
    let forgets = unlocked(&home);
    let new = home.secret("new", b"a better one\n");
    let passwd = ["key", "passwd", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file"];
    home.hushfs(passwd).arg(&new).pass().expect(0);
    mounts_unasked(&home);
    opens(&home, &[]).pass().expect(3);
    let home = Home::with_volume();
    let second = unlocked(&home);
    changed_elsewhere(&home, |unlocked| {
        unlocked.with_new_epoch(OldData::Stays, &OsRandom).unwrap_or_else(|error| panic!("{error}")).bytes
    });
    mounts_unasked(&home);
    drop((forgets, second));
}

#[test]
fn what_is_kept_is_shown_with_its_place_and_what_is_left_of_its_time() {
    let home = Home::with_volume();
    let show = || home.hushfs(["unlock", "--show"]).expect(0).out;
    assert_eq!(show(), "no key is kept\n");
    let _forgets = unlocked(&home);
    let volume = shown(&home)[0]["volume"].as_str().unwrap().to_owned();
    let kept = show();
    for line in
        ["volume ", "  kept in      the kernel keyring for ", "  fingerprint  ", "  bucket       file:///"]
    {
        assert_eq!(kept.matches(line).count(), 1, "{kept}");
    }
    assert!(kept.contains(" for 10 m\n") || kept.contains(" for 9 m "), "{kept}");

    // As a restart does.
    let volume = HEXLOWER.decode(volume.as_bytes()).unwrap().try_into().unwrap();
    assert!(KernelKeys::open().unwrap().forget(VolumeId(volume)).unwrap());
    let gone = show();
    assert!(
        gone.contains(
            "no longer, it was removed there (as a restart does); keep it again with `hushfs unlock`"
        ),
        "{gone}"
    );
    assert_eq!(shown(&home)[0]["usable"], false);

    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel", "--for", "1s"]).pass().expect(0);
    while shown(&home)[0]["usable"] == true {
        std::thread::yield_now();
    }
    assert!(show().contains("no longer, its time is up; keep it again with `hushfs unlock`"), "{}", show());
}

#[test]
fn a_key_that_no_longer_opens_the_header_is_reported_and_removed() {
    for background in [true, false] {
        let home = Home::with_volume();
        let forgets = unlocked(&home);
        let volume = shown(&home)[0]["volume"].as_str().unwrap().to_owned();
        changed_elsewhere(&home, |unlocked| {
            let passphrase = SecretBytes::new(b"correct horse battery staple".to_vec());
            let key = NewSlotKey::Passphrase { passphrase: &passphrase, cost: Cost::MINIMUM };
            let slot = NewSlot::new(key, &OsRandom);
            let new = NewVolumeKey::generate(unlocked.volume(), &OsRandom)
                .unwrap_or_else(|error| panic!("{error}"));
            let next = unlocked.with_new_volume_key(&new, &[slot], OldData::Stays, &OsRandom);
            next.unwrap_or_else(|error| panic!("{error}")).bytes
        });
        let said = if background { asks(&home) } else { opens(&home, &[]).expect(2).err };
        assert!(said.contains("another volume key") && said.contains("it is forgotten"), "{said}");
        assert!(!in_kernel(&volume));
        assert_eq!(shown(&home), serde_json::json!([]));
        // The volume key that this machine knew is pinned all the same.
        let changed = opens(&home, &[]).pass().expect(6);
        assert!(changed.err.contains("another volume key than this machine knows"), "{}", changed.err);
        drop(forgets);
    }
}

#[test]
fn a_damaged_header_does_not_cost_the_kept_key() {
    let home = Home::with_volume();
    let forgets = unlocked(&home);
    let path = home.bucket_folder().join("volume");
    let good = std::fs::read(&path).unwrap();
    let mut damaged = good.clone();
    damaged[50] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    opens(&home, &[]).expect(6);
    std::fs::write(&path, good).unwrap();
    mounts_unasked(&home);
    drop(forgets);
}

#[test]
fn a_key_whose_time_is_up_or_that_the_kernel_lost_is_told_and_asked_for() {
    let home = Home::with_volume();
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel", "--for", "1s"]).pass().expect(0);
    // The second passes; the kernel tells when by forgetting the name.
    let volume = shown(&home)[0]["volume"].as_str().unwrap().to_owned();
    let outlives = (0..10_000).all(|_| shown(&home)[0]["usable"] == true);
    assert!(!outlives, "the key outlives its time");
    let said = asks(&home);
    assert!(said.contains("was to be forgotten by now"), "{said}");

    let forgets = unlocked(&home);
    let keys = hushfs::kernel_keys::KernelKeys::open().unwrap();
    assert!(keys.forget(hushfs::base::VolumeId::from_hex(&volume).unwrap()).unwrap());
    let said = asks(&home);
    assert!(said.contains("is gone") && said.contains("kernel keyring"), "{said}");
    drop(forgets);
}

#[test]
fn what_was_never_opened_here_cannot_be_locked() {
    let home = Home::with_volume();
    home.forget();
    let never = home.hushfs(["lock", &home.bucket()]).expect(4);
    assert!(never.err.contains("never opened"), "{}", never.err);
    home.hushfs(["lock"]).expect(2);
    home.hushfs(["unlock"]).expect(2);
    home.hushfs(["unlock", &home.bucket(), "--for", "1w"]).pass().expect(2);
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "drawer"]).pass().expect(2);
}
