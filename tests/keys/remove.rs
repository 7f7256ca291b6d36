use super::*;

#[test]
fn a_removed_slot_opens_nothing_any_more_and_the_last_one_stays() {
    let home = Home::with_volume();
    let asked = key(&home, &["remove", &home.bucket(), "recovery-code"], 2);
    assert!(asked.err.contains("--yes") && asked.err.contains("cannot undo"), "{}", asked.err);
    assert_eq!(kinds(&home).len(), 2);

    let code = id(&home, "recovery-code");
    let removed = key(&home, &["remove", &home.bucket(), &code[..8], "--yes"], 0);
    assert!(removed.out.contains(&code), "{}", removed.out);
    assert_eq!(kinds(&home), ["passphrase"]);
    let last = key(&home, &["remove", &home.bucket(), "passphrase", "--yes"], 2);
    assert!(last.err.contains("last one"), "{}", last.err);
    assert_eq!(kinds(&home), ["passphrase"]);
    key(&home, &["remove", &home.bucket(), "recovery-code", "--yes"], 2);
}

#[test]
fn a_mount_goes_on_when_its_header_is_replaced_on_the_same_machine() {
    let home = Home::with_volume();
    home.mounted();
    key(&home, &["remove", &home.bucket(), "recovery-code", "--yes"], 0);
    for number in 0..3 {
        std::fs::write(home.mount().join(format!("{number}")), "contents").unwrap();
        home.sync();
    }
    assert_eq!(home.status()["health"], "ok");
    home.unmount();
    home.hushfs(["fsck", &home.bucket()]).pass().expect(0);
}

#[test]
fn the_header_with_the_removed_slot_is_not_accepted_again() {
    let home = Home::with_volume();
    let header = home.bucket_folder().join("volume");
    let old = std::fs::read(&header).unwrap();
    key(&home, &["remove", &home.bucket(), "recovery-code", "--yes"], 0);
    std::fs::write(&header, old).unwrap();
    let refused = home.hushfs(["fsck", &home.bucket()]).pass().expect(6);
    assert!(refused.err.contains("older"), "{}", refused.err);
}
