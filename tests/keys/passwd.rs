use super::*;

fn passwd(home: &Home, words: &[&str]) -> Ran {
    let new = home.secret("new", b"a better one\n");
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
    assert_eq!(passwd(&home, &["--key-file", file, "--slot", &lost[..8]]).code, 0);
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
