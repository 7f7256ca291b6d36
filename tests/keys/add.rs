use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_second_passphrase_opens_and_after_its_removal_does_not() {
    let home = Home::with_volume();
    let other = home.secret("other", b"somebody else's\n");
    let other = other.to_str().unwrap();
    key(&home, &["add", &home.bucket(), "--kdf", "minimum", "--new-passphrase-file", other], 0);
    assert_eq!(kinds(&home), ["passphrase", "recovery-code", "passphrase"]);
    opens(&home, &["--passphrase-file", other]).expect(0);
    opens(&home, &[]).pass().expect(0);

    let ambiguous = key(&home, &["remove", &home.bucket(), "passphrase", "--yes"], 2);
    assert!(ambiguous.err.contains("names 2"), "{}", ambiguous.err);
    let second = slots(&home)[2]["id"].as_str().unwrap().to_owned();
    key(&home, &["remove", &home.bucket(), &second, "--yes"], 0);
    opens(&home, &["--passphrase-file", other]).expect(3);
    opens(&home, &[]).pass().expect(0);
}

#[test]
fn secrets_that_another_user_can_exchange_bring_a_warning() {
    assert!(rustix::process::geteuid().is_root(), "this test gives files away: run it as root");
    let home = Home::with_volume();
    let (file, pass) =
        (home.secret("given.key", &[7; 32]), home.secret("given", b"correct horse battery staple\n"));
    key(&home, &["add", &home.bucket(), "--new-key-file", file.to_str().unwrap()], 0);
    for (option, path) in [("--key-file", &file), ("--passphrase-file", &pass)] {
        let unlock = [option, path.to_str().unwrap()];
        assert_eq!(opens(&home, &unlock).expect(0).err, "");
        std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
        let warned = opens(&home, &unlock).expect(0).err;
        let says = format!("{} belongs to another user (uid 65534), who can exchange it", path.display());
        assert!(warned.contains(&says), "{warned}");
    }
}

#[test]
fn a_key_file_that_is_too_short_is_named() {
    let home = Home::with_volume();
    let file = home.secret("short.key", &[7; 31]);
    let file = file.to_str().unwrap();
    for words in
        [["add", &home.bucket(), "--new-key-file", file], ["list", &home.bucket(), "--key-file", file]]
    {
        let ran = home.hushfs(["key"]).args(words);
        let refused = if words[0] == "add" { ran.pass() } else { ran }.expect(2);
        assert!(refused.err.contains(file) && refused.err.contains("31 bytes"), "{}", refused.err);
    }
}

#[test]
fn a_key_file_is_made_private_opens_and_after_its_removal_does_not() {
    let home = Home::with_volume();
    let file = home.path("new.key");
    let file = file.to_str().unwrap();
    key(&home, &["add", &home.bucket(), "--new-key-file", file], 0);
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    opens(&home, &["--key-file", file]).expect(0);
    key(&home, &["remove", &home.bucket(), "key-file", "--yes"], 0);
    opens(&home, &["--key-file", file]).expect(3);
}

#[test]
fn a_recovery_page_has_all_that_is_needed_years_later() {
    let home = Home::with_volume();
    key(&home, &["remove", &home.bucket(), "recovery-code", "--yes"], 0);
    let page = home.path("page.txt");
    let path = page.to_str().unwrap();
    let added = key(&home, &["add", &home.bucket(), "--new-recovery-code", "--output", path], 0);
    assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let page = std::fs::read_to_string(&page).unwrap();
    let line = |name: &str| {
        let line = page.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {page}")).trim().to_owned()
    };
    let listed = key(&home, &["list", "--json", &home.bucket()], 0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["volume"], line("volume id").as_str());
    assert_eq!(listed["fingerprint"], line("fingerprint").as_str());
    assert_eq!(line("bucket"), home.bucket());
    let code = line("recovery code");
    assert!(page.contains("hushfs mount --recovery-code"), "{page}");
    assert_eq!(listed["slots"][1]["id"], line("key slot").as_str());
    assert!(page.contains(&format!("hushfs key remove {} {}", home.bucket(), line("key slot"))), "{page}");
    assert!(!added.out.contains(&code) && !added.err.contains(&code));
    // Written down by hand: lower case, spaces.
    let typed = home.secret("typed", code.to_lowercase().replace('-', " ").as_bytes());
    for file in [typed.to_str().unwrap(), path] {
        opens(&home, &["--recovery-code-file", file]).expect(0);
    }
    // A page is never overwritten, and no slot is added when it cannot be written.
    key(&home, &["add", &home.bucket(), "--new-recovery-code", "--output", path], 1);
    assert_eq!(kinds(&home), ["passphrase", "recovery-code"]);
    let shown = key(&home, &["add", &home.bucket(), "--new-recovery-code"], 0);
    assert!(shown.out.starts_with("HUSHFS RECOVERY PAGE"), "{}", shown.out);
}

#[test]
fn two_additions_at_once_both_survive() {
    let home = Home::with_volume();
    let files: Vec<_> = (0..4).map(|n| home.secret(&format!("key{n}"), &[n as u8 + 1; 32])).collect();
    let children: Vec<_> = files
        .iter()
        .map(|file| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hushfs"));
            home.settle(&mut command);
            command.args(["key", "add", &home.bucket(), "--new-key-file"]).arg(file);
            command.arg("--passphrase-file").arg(home.path("pass"));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let ran = cli::ran(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    for file in &files {
        opens(&home, &["--key-file", file.to_str().unwrap()]).expect(0);
    }
    assert_eq!(kinds(&home).len(), 6);
}

#[test]
fn what_is_to_be_added_must_be_said_once_and_must_be_a_key() {
    let home = Home::with_volume();
    let short = home.secret("short", &[1; 31]);
    let empty = home.secret("empty", b"\n");
    let (short, empty) = (short.to_str().unwrap(), empty.to_str().unwrap());
    for words in [
        &["--kdf", "minimum"][..],
        &["--new-key-file", short],
        &["--new-passphrase-file", empty],
        &["--new-recovery-code", "--new-key-file", short],
        &["--new-recovery-code", "--new-passphrase-file", empty],
        &["--new-age", "age1nonsense"],
        &["--output", "page.txt"],
    ] {
        key(&home, &[&["add", &home.bucket()], words].concat(), 2);
    }
    assert_eq!(kinds(&home).len(), 2);
}

#[test]
fn there_are_at_most_32_slots() {
    let home = Home::with_volume();
    for number in 2..32u8 {
        let file = home.secret(&format!("key{number}"), &[number; 32]);
        key(&home, &["add", &home.bucket(), "--new-key-file", file.to_str().unwrap()], 0);
    }
    let full = key(&home, &["add", &home.bucket(), "--new-recovery-code"], 2);
    assert!(full.err.contains("32"), "{}", full.err);
    assert_eq!(kinds(&home).len(), 32);
}

#[test]
fn a_passphrase_that_is_easy_to_guess_is_told_of_and_old_ones_still_open() {
    let home = Home::new();
    let short = home.secret("short", b"a\n");
    let words = ["init", "--kdf", "minimum", &home.bucket(), "--passphrase-file", short.to_str().unwrap()];
    let made = home.hushfs(words).expect(0);
    assert!(made.err.contains("easy to guess"), "{}", made.err);
    let opened = opens(&home, &["--passphrase-file", short.to_str().unwrap()]).expect(0);
    assert!(!opened.err.contains("easy to guess"), "{}", opened.err);
    let passwd =
        ["key", "passwd", &home.bucket(), "--kdf", "minimum", "--passphrase-file", short.to_str().unwrap()];
    let same = home.hushfs(passwd).arg("--new-passphrase-file").arg(&short).expect(0);
    assert!(same.err.contains("easy to guess"), "{}", same.err);
    let better = home.hushfs(passwd).arg("--new-passphrase-file").arg(home.path("pass")).expect(0);
    assert!(!better.err.contains("easy to guess"), "{}", better.err);
}

/// A header that is written there would be missed, as soon as the newer bucket is put back.
#[test]
fn a_key_is_not_changed_in_a_bucket_that_was_rolled_back() {
    let home = Home::with_volume();
    let (bucket, older, newer) = (home.bucket_folder(), home.path("older"), home.path("newer"));
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    copy(&bucket, &older);
    // A commit of this machine, without a mount.
    home.hushfs(["quota", "--set", "1G", &home.bucket()]).pass().expect(0);
    std::fs::rename(&bucket, &newer).unwrap();
    copy(&older, &bucket);
    let header = std::fs::read(bucket.join("volume")).unwrap();
    let new = home.secret("new", b"another passphrase");
    for words in [
        &["add", "--new-recovery-code"][..],
        &["passwd", "--kdf", "minimum", "--new-passphrase-file", new.to_str().unwrap()],
        &["remove", "recovery-code"],
        &["rotate"],
    ] {
        let refused = home.hushfs(["key", words[0], &home.bucket()]).args(&words[1..]).pass().expect(6);
        assert!(refused.err.contains("rolled back"), "{}", refused.err);
        assert_eq!(std::fs::read(bucket.join("volume")).unwrap(), header, "{words:?}");
    }
    let refused = home.hushfs(["bucket", "audit", &home.bucket()]).pass().expect(6);
    assert!(refused.err.contains("rolled back"), "{}", refused.err);
    std::fs::remove_dir_all(&bucket).unwrap();
    std::fs::rename(&newer, &bucket).unwrap();
    home.hushfs(["key", "add", "--new-recovery-code", &home.bucket()]).pass().expect(0);
}

#[test]
fn a_page_is_written_for_a_recovery_code_alone() {
    let home = Home::with_volume();
    let (page, file) = (home.path("page"), home.path("file"));
    let (page, file) = (page.to_str().unwrap(), file.to_str().unwrap());
    key(&home, &["add", &home.bucket(), "--output", page, "--new-key-file", file], 2);
    assert_eq!(kinds(&home).len(), 2);
    assert!(!home.path("file").exists());
}
