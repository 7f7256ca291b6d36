use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Command, Stdio};

use super::*;

/// Bytes that no compression makes small.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The epochs that the bucket's objects are sealed under.
fn epochs(home: &Home) -> BTreeSet<u32> {
    let objects = ["log", "tree", "data"].iter().flat_map(|folder| home.objects(folder));
    let epoch = |path| {
        let mut bytes = [0; 4];
        fs::File::open(path).unwrap().read_exact_at(&mut bytes, 16).unwrap();
        u32::from_le_bytes(bytes)
    };
    objects.map(epoch).collect()
}

fn rotate(home: &Home, words: &[&str], code: i32) -> Ran {
    key(home, &[&["rotate", &home.bucket()], words].concat(), code)
}

/// A mounted volume with some of everything.
fn with_files() -> Home {
    let home = Home::with_volume();
    let mount = home.mounted().mount();
    fs::write(mount.join("large"), noise(3_000_000, 1)).unwrap();
    fs::write(mount.join("small"), b"inline").unwrap();
    fs::hard_link(mount.join("large"), mount.join("link")).unwrap();
    home.sync();
    // Copied by reference (copy_file_range).
    fs::copy(mount.join("large"), mount.join("copy")).unwrap();
    let mut holes = fs::File::create(mount.join("holes")).unwrap();
    holes.seek(SeekFrom::Start(5_000_000)).unwrap();
    holes.write_all(&noise(70_000, 2)).unwrap();
    holes.set_len(9_000_000).unwrap();
    fs::create_dir(mount.join("folder")).unwrap();
    for number in 0..50 {
        fs::write(mount.join(format!("folder/{number}")), noise(20_000, 10 + number)).unwrap();
    }
    home.sync();
    home
}

/// What [`with_files`] made is there.
fn check_files(home: &Home) {
    let read = |name: &str| fs::read(home.mount().join(name)).unwrap();
    let same = |name: &str, expected: &[u8]| assert!(read(name) == expected, "{name} has changed");
    same("large", &noise(3_000_000, 1));
    same("link", &noise(3_000_000, 1));
    same("copy", &noise(3_000_000, 1));
    same("small", b"inline");
    same("holes", &[vec![0; 5_000_000], noise(70_000, 2), vec![0; 3_930_000]].concat());
    for number in 0..50 {
        same(&format!("folder/{number}"), &noise(20_000, 10 + number));
    }
    let status = |name: &str| fs::metadata(home.mount().join(name)).unwrap();
    assert_eq!((status("large").nlink(), status("large").ino()), (2, status("link").ino()));
    assert!(status("holes").blocks() * 512 < 200_000, "{}", status("holes").blocks());
}

fn is_clean(home: &Home) {
    let checked = opens(home, &["--data"]).pass().expect(0);
    assert!(checked.out.ends_with("clean\n"), "{}", checked.out);
}

#[test]
fn a_mount_follows_a_rotation_and_old_data_stays_where_it_is() {
    let home = with_files();
    let rotated = rotate(&home, &[], 0);
    assert!(rotated.out.starts_with("epoch 2 from now on (before: epoch 1)\n"), "{}", rotated.out);
    assert!(rotated.out.contains("--reencrypt"), "{}", rotated.out);
    fs::write(home.mount().join("after"), noise(100_000, 5)).unwrap();
    home.sync();
    assert_eq!(epochs(&home), [1, 2].into());
    assert!(!home.objects("data/2").is_empty() && !home.objects("data/1").is_empty());
    home.move_to_new_machine();
    check_files(&home);
    home.unmount();
    // The same without a mount.
    assert!(rotate(&home, &[], 0).out.starts_with("epoch 3 from now on (before: epoch 2)\n"));
    is_clean(&home);
}

#[test]
fn reencryption_beside_a_mount_leaves_nothing_under_old_keys_and_every_file_as_it_was() {
    let home = with_files();
    let mount = home.mount();
    let mut unlinked = fs::File::create_new(mount.join("unlinked")).unwrap();
    unlinked.write_all(&noise(500_000, 7)).unwrap();
    home.sync();
    drop(unlinked);
    let stored =
        |home: &Home| home.objects("data").iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let before = stored(&home);
    let mut unlinked = fs::File::open(mount.join("unlinked")).unwrap();
    fs::remove_file(mount.join("unlinked")).unwrap();

    let moved = rotate(&home, &["--reencrypt", "--yes"], 0);
    assert!(moved.err.contains("to be read and written again: "), "{}", moved.err);
    assert!(moved.out.contains("epoch 2 from now on"), "{}", moved.out);
    assert!(moved.out.contains("the key of epoch 1 is dropped"), "{}", moved.out);
    assert!(moved.out.contains("cannot undo"), "{}", moved.out);
    assert_eq!(epochs(&home), [2].into());
    // Copies by reference still share.
    assert!(stored(&home) < before + 100_000, "{} bytes, {before} before", stored(&home));
    let mut bytes = Vec::new();
    unlinked.read_to_end(&mut bytes).unwrap();
    assert!(bytes == noise(500_000, 7), "the unlinked file has changed");
    drop(unlinked);
    check_files(&home);
    fs::write(mount.join("after"), b"still writable").unwrap();
    home.move_to_new_machine();
    check_files(&home);
    home.unmount();
    is_clean(&home);
}

#[test]
fn a_reencryption_that_is_killed_goes_on_where_it_was() {
    for mounted in [true, false] {
        let home = with_files();
        if !mounted {
            home.unmount();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_hushfs"));
        home.settle(&mut command);
        command.args(["key", "rotate", &home.bucket(), "--reencrypt", "--yes", "--limit-rate", "300K"]);
        command.arg("--passphrase-file").arg(home.path("pass"));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // It says how far it is every two seconds.
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = said.into_iter().find(|line| line.contains("re-encrypting:"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(line.is_some(), "it ended before it could be killed (mounted: {mounted})");
        assert!(epochs(&home).contains(&1));
        if mounted {
            check_files(&home);
        }
        let moved = rotate(&home, &["--reencrypt", "--yes"], 0);
        assert!(moved.out.starts_with("going on with the re-encryption to epoch 2"), "{}", moved.out);
        assert_eq!(epochs(&home), [2].into(), "mounted: {mounted}");
        if !mounted {
            home.mounted();
        }
        home.move_to_new_machine();
        check_files(&home);
        home.unmount();
        is_clean(&home);
    }
}

#[test]
fn nothing_is_moved_without_a_yes() {
    let home = Home::with_volume();
    let before = fs::read(home.bucket_folder().join("volume")).unwrap();
    rotate(&home, &["--reencrypt"], 2);
    rotate(&home, &["--new-volume-key"], 2);
    assert_eq!(fs::read(home.bucket_folder().join("volume")).unwrap(), before);
    for words in [&["--limit-rate", "1M"][..], &["--output", "x"], &["--new-passphrase-file", "x"]] {
        rotate(&home, words, 2);
    }
}

#[test]
fn a_store_that_shows_the_header_from_before_a_rotation_is_refused() {
    let home = Home::with_volume();
    let header = home.bucket_folder().join("volume");
    let old = fs::read(&header).unwrap();
    rotate(&home, &[], 0);
    let new = fs::read(&header).unwrap();
    fs::write(&header, &old).unwrap();
    let refused = rotate(&home, &[], 6);
    assert!(refused.err.contains("an older copy was put in its place"), "{}", refused.err);
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(6);
    // Also a mount that is running.
    fs::write(&header, &new).unwrap();
    home.mounted();
    rotate(&home, &[], 0);
    fs::write(&header, &old).unwrap();
    rotate(&home, &["--reencrypt", "--yes"], 6);
}

#[test]
fn after_a_loss_a_new_volume_key_shuts_out_what_opened_it_before() {
    let home = with_files();
    let new = home.path("new.key");
    let (new, page) = (new.to_str().unwrap().to_owned(), home.path("page.txt"));
    let words = ["--new-volume-key", "--new-key-file", &new, "--output", page.to_str().unwrap(), "--yes"];
    let mounted = rotate(&home, &words, 16);
    assert!(mounted.err.contains("unmount"), "{}", mounted.err);
    home.unmount();
    let header = home.bucket_folder().join("volume");
    let old = fs::read(&header).unwrap();
    fs::rename(home.path("data"), home.path("other")).unwrap();
    opens(&home, &[]).pass().expect(0);

    let replaced = rotate(&home, &[&words[..], &["--reencrypt"]].concat(), 0);
    assert!(replaced.err.contains("cannot undo") && replaced.err.contains("passphrase"), "{}", replaced.err);
    assert_eq!(kinds(&home), ["key-file", "recovery-code"]);
    assert_eq!(epochs(&home), [2].into());
    let text = fs::read_to_string(&page).unwrap();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).trim().to_owned()
    };
    let fingerprint = line("fingerprint");
    assert!(replaced.out.contains(&fingerprint), "{}", replaced.out);
    // This machine knows it already; the old passphrase opens nothing, the page's code does.
    opens(&home, &["--key-file", &new]).expect(0);
    let shut = opens(&home, &[]).pass().expect(3);
    assert!(shut.err.contains("--new-volume-key"), "{}", shut.err);
    let code = home.secret("code", line("recovery code").as_bytes());
    opens(&home, &["--recovery-code-file", code.to_str().unwrap()]).expect(0);
    // The header from before is another identity now. The new keys do not open it, which is not their fault.
    let present = fs::read(&header).unwrap();
    fs::write(&header, &old).unwrap();
    opens(&home, &[]).pass().expect(6);
    for unlock in [["--key-file", &new], ["--recovery-code-file", code.to_str().unwrap()]] {
        let refused = opens(&home, &unlock).expect(6);
        assert!(refused.err.contains("an older copy was put in its place"), "{}", refused.err);
    }
    fs::write(&header, &present).unwrap();

    // Another machine that knew the old key wants to be told.
    fs::rename(home.path("data"), home.path("first")).unwrap();
    fs::rename(home.path("other"), home.path("data")).unwrap();
    let refused = opens(&home, &["--key-file", &new]).expect(6);
    assert!(refused.err.contains("--fingerprint"), "{}", refused.err);
    opens(&home, &["--key-file", &new, "--fingerprint", &"0".repeat(32)]).expect(6);
    home.hushfs(["mount", &home.bucket(), &home.mount_str(), "--key-file", &new])
        .args(["--fingerprint", &fingerprint])
        .expect(0);
    check_files(&home);
    home.unmount();
    let clean = opens(&home, &["--data", "--key-file", &new]).expect(0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);
}

#[test]
fn a_machine_that_did_not_come_to_write_down_its_new_key_is_told_like_any_other() {
    let home = Home::with_volume();
    // As it was before the new key: what a crash right after the header's replacement leaves.
    let copied =
        Command::new("cp").arg("-a").args([home.path("data"), home.path("before")]).status().unwrap();
    assert!(copied.success());
    let new = home.secret("new", b"another passphrase\n");
    let words =
        ["--new-volume-key", "--kdf", "minimum", "--yes", "--new-passphrase-file", new.to_str().unwrap()];
    let replaced = rotate(&home, &words, 0);
    assert!(replaced.out.starts_with("HUSHFS RECOVERY PAGE"), "{}", replaced.out);
    let fingerprint =
        replaced.out.lines().find_map(|line| line.strip_prefix("other machines are to be told so once: "));
    let fingerprint: Vec<&str> = fingerprint.unwrap().split(' ').collect();
    fs::remove_dir_all(home.path("data")).unwrap();
    fs::rename(home.path("before"), home.path("data")).unwrap();
    let unlock = ["--passphrase-file", new.to_str().unwrap()];
    opens(&home, &unlock).expect(6);
    opens(&home, &[&unlock[..], &fingerprint].concat()).expect(0);
    opens(&home, &unlock).expect(0);
    // And goes on.
    let call = home.hushfs(["key", "rotate", &home.bucket(), "--reencrypt", "--yes"]).args(unlock);
    assert!(call.expect(0).out.contains("dropped"));
    assert_eq!(epochs(&home).len(), 1);
}

#[test]
fn a_header_from_before_the_key_was_changed_is_told_from_a_mistyped_passphrase() {
    let home = Home::with_volume();
    let header = home.bucket_folder().join("volume");
    let old = fs::read(&header).unwrap();
    let (new, wrong) = (home.secret("new", b"another passphrase\n"), home.secret("wrong", b"mistyped\n"));
    let with = |file: &std::path::Path| ["--passphrase-file".to_owned(), file.to_str().unwrap().to_owned()];
    key(
        &home,
        &["passwd", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file", new.to_str().unwrap()],
        0,
    );
    home.hushfs(["fsck", &home.bucket()]).args(with(&wrong)).expect(3);
    fs::write(&header, &old).unwrap();
    let refused = home.hushfs(["fsck", &home.bucket()]).args(with(&new)).expect(6);
    assert!(refused.err.contains("generation 1, but this machine has seen 2"), "{}", refused.err);
    // Whoever never saw the newer one cannot know.
    home.forget();
    home.hushfs(["fsck", &home.bucket()]).args(with(&new)).expect(3);
}

#[test]
fn a_kept_key_outlives_a_header_from_before_it() {
    let home = Home::with_volume();
    let header = home.bucket_folder().join("volume");
    let old = fs::read(&header).unwrap();
    let new = home.path("new.key").to_str().unwrap().to_owned();
    let page = home.path("page.txt").to_str().unwrap().to_owned();
    rotate(&home, &["--new-volume-key", "--new-key-file", &new, "--output", &page, "--yes"], 0);
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel", "--key-file", &new]).expect(0);
    let present = fs::read(&header).unwrap();
    fs::write(&header, &old).unwrap();
    let refused = opens(&home, &[]).expect(6);
    assert!(refused.err.contains("an older copy was put in its place"), "{}", refused.err);
    fs::write(&header, &present).unwrap();
    opens(&home, &[]).expect(0);
    home.hushfs(["lock", &home.bucket()]).expect(0);
}

#[test]
fn a_new_volume_key_for_an_old_passphrase_brings_a_warning() {
    let home = Home::with_volume();
    let (pass, page) = (home.path("pass"), home.path("page"));
    let (pass, page) = (pass.to_str().unwrap(), page.to_str().unwrap());
    let words =
        ["--new-volume-key", "--kdf", "minimum", "--new-passphrase-file", pass, "--output", page, "--yes"];
    let old = id(&home, "passphrase");
    let replaced = rotate(&home, &words, 0);
    assert!(replaced.err.contains(&format!("what opens the slot {old} now")), "{}", replaced.err);
}
