//! A key in a file, under a passphrase of this machine, which is typed at a terminal.

use std::path::PathBuf;

use super::kept::asks;
use super::*;

const LOCAL: &str = "moonlight on wet slate";

/// Runs hushfs at a terminal and types each answer once its prompt has appeared.
fn typed(home: &Home, answers: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = std::process::Command::new("python3");
    command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys/typist.py"));
    command.args(answers.iter().flat_map(|(prompt, answer)| [prompt, answer]));
    command.args(["--", env!("CARGO_BIN_EXE_hushfs")]).args(arguments);
    home.settle(&mut command);
    cli::ran(command.stdin(std::process::Stdio::null()).output().unwrap())
}

/// Keeps the key in a file and returns its path.
fn kept(home: &Home) -> PathBuf {
    let local = home.secret("local", LOCAL.as_bytes());
    let unlock = ["unlock", &home.bucket(), "--keep-in", "file", "--kdf", "minimum", "--new-passphrase-file"];
    home.hushfs(unlock).arg(local).pass().expect(0);
    let files = home.path("data/hushfs/keyring").read_dir().unwrap();
    let mut files = files.map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "kept")).unwrap()
}

#[test]
fn the_machines_passphrase_is_asked_for_instead_of_the_volumes() {
    let home = Home::with_volume();
    let unlock = ["unlock", &home.bucket(), "--keep-in", "file", "--kdf", "minimum", "--passphrase-file"];
    let pass = home.path("pass");
    let unlock = [&unlock[..], &[pass.to_str().unwrap()]].concat();
    let typing = [("New passphrase", LOCAL), ("again", LOCAL)];
    let unlocked = typed(&home, &typing, &unlock);
    assert_eq!(unlocked.code, 0, "{}", unlocked.out);
    assert!(unlocked.out.contains("a file under a passphrase") && !unlocked.out.contains(LOCAL));

    let mount = ["mount", &home.bucket(), &home.mount_str()];
    let prompt = "This machine's passphrase";
    let mounted = typed(&home, &[(prompt, LOCAL)], &mount);
    assert_eq!(mounted.code, 0, "{}", mounted.out);
    home.unmount();
    assert_eq!(typed(&home, &[(prompt, "wrong")], &mount).code, 3);
    // Nobody there to ask.
    let said = asks(&home);
    assert!(said.contains("kept in a file"), "{said}");
    opens(&home, &[]).pass().expect(0);

    home.hushfs(["lock", &home.bucket()]).expect(0);
    let asked = typed(&home, &[("Passphrase for", "correct horse battery staple")], &mount);
    assert_eq!(asked.code, 0, "{}", asked.out);
    home.unmount();
    asks(&home);
}

#[test]
fn the_list_of_slots_asks_for_the_machines_passphrase_only_where_somebody_is() {
    let home = Home::with_volume();
    kept(&home);
    let list = ["key", "list", &home.bucket()];
    let nobody = home.hushfs(list).expect(0);
    assert!(
        nobody.out.contains("Not authenticated") && nobody.err.contains("nobody is at a terminal"),
        "{}",
        nobody.err
    );
    let prompt = "This machine's passphrase";
    let listed = typed(&home, &[(prompt, LOCAL)], &list);
    assert!(listed.code == 0 && listed.out.contains("Authentic"), "{}", listed.out);
    assert_eq!(typed(&home, &[(prompt, "wrong")], &list).code, 3);
    let without = typed(&home, &[], &[&list[..], &["--no-key"]].concat());
    assert!(without.code == 0 && without.out.contains("Not authenticated"), "{}", without.out);
    assert!(!without.out.contains(prompt), "{}", without.out);
    home.hushfs(list).args(["--no-key"]).pass().expect(2);
}

#[test]
fn at_a_terminal_a_passphrase_that_is_easy_to_guess_is_asked_for_anew() {
    let home = Home::new();
    let init = ["init", "--kdf", "minimum", &home.bucket()];
    let typing =
        [("New passphrase", "a"), ("easy to guess", "aaaaaaaaaa"), ("different", LOCAL), ("again", LOCAL)];
    let made = typed(&home, &typing, &init);
    assert_eq!(made.code, 0, "{}", made.out);
    let file = home.secret("file", LOCAL.as_bytes());
    opens(&home, &["--passphrase-file", file.to_str().unwrap()]).expect(0);
}

#[test]
fn a_file_that_is_not_private_is_refused_by_name_and_lock_takes_it_away() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_volume();
    let file = kept(&home);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = opens(&home, &[]).expect(8);
    assert!(refused.err.contains(file.to_str().unwrap()), "{}", refused.err);
    home.hushfs(["lock", &home.bucket()]).expect(0);
    assert!(!file.exists());

    let file = kept(&home);
    let elsewhere = home.path("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let refused = opens(&home, &[]).expect(8);
    assert!(refused.err.contains("symbolic link"), "{}", refused.err);
    home.hushfs(["lock", &home.bucket()]).expect(0);
    assert!(file.symlink_metadata().is_err() && elsewhere.exists());
}

#[test]
fn the_file_shows_neither_the_key_nor_the_bucket_and_one_place_keeps_the_key_at_a_time() {
    let home = Home::with_volume();
    let file = kept(&home);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"hushfs-s"));
    assert!(!bytes.windows(6).any(|window| window == b"bucket"));
    home.hushfs(["unlock", &home.bucket(), "--keep-in", "kernel", "--for", "10m"]).pass().expect(0);
    let forgets = super::kept::Forgets(&home);
    assert!(std::fs::read(&file).unwrap().len() < bytes.len(), "the wrapped key is still there");
    super::kept::mounts_unasked(&home);
    drop(forgets);
    assert!(!file.exists());
}
