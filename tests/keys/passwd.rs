use hushfs::base::OsRandom;
use hushfs::crypto::{Cost, SecretBytes};
use hushfs::keyring::{NewSlot, NewSlotKey};

use super::kept::changed_elsewhere;
use super::*;

fn passwd(home: &Home, words: &[&str]) -> Ran {
    passwd_to(home, "a better one\n", words)
}

fn passwd_to(home: &Home, new: &str, words: &[&str]) -> Ran {
    let new = home.secret("new", new.as_bytes());
    let new = new.to_str().unwrap();
    let common = ["key", "passwd", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file", new];
    home.hushfs(common).args(words).run()
}

#[test]
fn the_new_passphrase_opens_and_the_old_one_does_not() {
    let home = Home::with_volume();
    let before = slots(&home);
    let old = home.path("pass");
    assert_eq!(passwd(&home, &["--passphrase-file", old.to_str().unwrap()]).code, 0);
    opens(&home, &[]).pass().expect(3);
    opens(&home, &["--passphrase-file", home.path("new").to_str().unwrap()]).expect(0);
    let after = slots(&home);
    assert_eq!(kinds(&home), ["passphrase", "recovery-code"]);
    assert_ne!(before[0]["id"], after[0]["id"]);
    assert_eq!(before[1], after[1]);
}

#[test]
fn of_two_passphrases_the_one_that_opens_is_replaced_and_a_lost_one_can_be_named() {
    let home = Home::with_volume();
    let other = home.secret("other", b"somebody else's\n");
    let other = other.to_str().unwrap();
    key(&home, &["add", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file", other], 0);
    assert_eq!(passwd(&home, &["--passphrase-file", other]).code, 0);
    opens(&home, &["--passphrase-file", other]).expect(3);
    opens(&home, &[]).pass().expect(0);

    let file = home.secret("file", &[7; 32]);
    let file = file.to_str().unwrap();
    key(&home, &["add", &home.bucket(), "--new-key-file", file], 0);
    let unclear = passwd(&home, &["--key-file", file]);
    assert!(unclear.code == 2 && unclear.err.contains("--slot"), "{}", unclear.err);
    let lost = slots(&home)[0]["id"].as_str().unwrap().to_owned();
    let found = passwd_to(&home, "another one\n", &["--key-file", file, "--slot", &lost[..8]]);
    assert_eq!(found.code, 0, "{}", found.err);
    opens(&home, &[]).pass().expect(3);
    let code = id(&home, "recovery-code");
    assert_eq!(passwd(&home, &["--key-file", file, "--slot", &code]).code, 2);
}

#[test]
fn a_mount_goes_on_after_its_passphrase_was_changed() {
    let home = Home::with_volume();
    home.mounted();
    let old = home.path("pass");
    assert_eq!(passwd(&home, &["--passphrase-file", old.to_str().unwrap()]).code, 0);
    std::fs::write(home.mount().join("file"), "contents").unwrap();
    home.unmount();
    let new = home.path("new");
    let mount = ["mount", &home.bucket(), &home.mount_str(), "--passphrase-file", new.to_str().unwrap()];
    home.hushfs(mount).expect(0);
    assert_eq!(std::fs::read_to_string(home.mount().join("file")).unwrap(), "contents");
    home.unmount();
}

#[test]
fn a_mistyped_passphrase_is_called_so_before_anybody_is_suspected() {
    let home = Home::with_volume();
    let (data, before) = (home.path("data"), home.path("data-before"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    let wrong = home.secret("wrong", b"mistyped\n");
    let wrong = ["--passphrase-file", wrong.to_str().unwrap()];
    let mistyped = opens(&home, &wrong).expect(3);
    assert!(!mistyped.err.contains("another machine"), "{}", mistyped.err);

    // As another machine sees it: it knows the volume from before.
    copy(&data, &before);
    let old = home.path("pass");
    assert_eq!(passwd(&home, &["--passphrase-file", old.to_str().unwrap()]).code, 0);
    std::fs::remove_dir_all(&data).unwrap();
    copy(&before, &data);
    let mistyped = opens(&home, &wrong).expect(3).err;
    let first = mistyped.find("mistyped, or it was changed on another machine");
    let last = mistyped.find("somebody may have changed");
    assert!(first.is_some() && first < last, "{mistyped}");
}

#[test]
fn what_opens_the_volume_already_gets_no_second_slot() {
    let home = Home::with_volume();
    let (pass, file) = (home.path("pass"), home.secret("file", &[7; 32]));
    let (pass, file) = (pass.to_str().unwrap(), file.to_str().unwrap());
    key(&home, &["add", &home.bucket(), "--new-key-file", file], 0);
    for new in [["--new-key-file", file], ["--new-passphrase-file", pass]] {
        let refused = key(&home, &[&["add", &home.bucket()], &new[..]].concat(), 2);
        assert!(refused.err.contains("opens the volume already"), "{}", refused.err);
    }
    let other = home.secret("other", b"somebody else's\n");
    let other = other.to_str().unwrap();
    key(&home, &["add", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file", other], 0);
    let refused = key(&home, &["passwd", &home.bucket(), "--new-passphrase-file", other], 2);
    assert!(
        refused.err.contains(&format!("slot {}", slots(&home)[3]["id"].as_str().unwrap())),
        "{}",
        refused.err
    );
    assert_eq!(kinds(&home), ["passphrase", "recovery-code", "key-file", "passphrase"]);
    // Its own: the slot is made anew, at another cost.
    key(&home, &["passwd", &home.bucket(), "--kdf", "moderate", "--new-passphrase-file", pass], 0);
    assert_eq!(slots(&home)[0]["argon2id"]["memory_kib"], 64 * 1024);
}

#[test]
fn a_secret_that_still_opens_the_volume_by_another_slot_is_said() {
    let home = Home::with_volume();
    // As older builds made it.
    changed_elsewhere(&home, |unlocked| {
        let passphrase = SecretBytes::new(b"correct horse battery staple".to_vec());
        let slots = [(); 3].map(|()| {
            let key = NewSlotKey::Passphrase { passphrase: &passphrase, cost: Cost::MINIMUM };
            unlocked.new_slot(&NewSlot::new(key, &OsRandom), &OsRandom).unwrap()
        });
        unlocked.reseal(&slots, &OsRandom).unwrap()
    });
    let ids: Vec<String> = slots(&home).iter().map(|slot| slot["id"].as_str().unwrap().to_owned()).collect();
    let removed = key(&home, &["remove", &home.bucket(), &ids[0], "--yes"], 0).err;
    assert!(
        removed.contains("still opens the volume") && removed.contains(&ids[1]) && removed.contains(&ids[2]),
        "{removed}"
    );
    let old = home.path("pass");
    let old = ["--passphrase-file", old.to_str().unwrap()];
    let changed = passwd(&home, &old);
    assert!(
        changed.code == 0 && changed.err.contains(&format!("key remove {} {}", home.bucket(), ids[2])),
        "{}",
        changed.err
    );
    assert!(!changed.err.contains(&ids[1]), "{}", changed.err);
    let changed = passwd(&home, &[&old[..], &["--slot", &ids[2]]].concat());
    assert_eq!(changed.code, 2, "the new one is in use: {}", changed.err);
}
