//! age slots: X25519, and a plugin (a small program that stands for a hardware key's).

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ::age::secrecy::ExposeSecret;
use ::age::x25519;

use super::*;

/// Made for these tests; the data part is six bytes that only the plugin understands.
const PLUGIN_RECIPIENT: &str = "age1hushtest1vys8getnwsltqxjx";
const PLUGIN_IDENTITY: &str = "AGE-PLUGIN-HUSHTEST-1VYS8GETNWSVCZ4Z7";

/// An identity file and its recipient.
fn identity(home: &Home, name: &str) -> (String, String) {
    let identity = x25519::Identity::generate();
    let text = format!("# for a test\n{}\n", identity.to_string().expose_secret());
    let file = home.secret(name, text.as_bytes());
    (file.to_str().unwrap().to_owned(), identity.to_public().to_string())
}

#[test]
fn an_age_identity_opens_mounts_and_after_its_slots_removal_does_not() {
    let home = Home::with_volume();
    let (file, recipient) = identity(&home, "identity");
    let (other, _) = identity(&home, "other");
    opens(&home, &["--age-identity", &file]).expect(3);
    key(&home, &["add", &home.bucket(), "--age", &recipient], 0);
    assert_eq!(slots(&home)[2]["age_recipient"], recipient.as_str());
    opens(&home, &["--age-identity", &file]).expect(0);
    opens(&home, &["--age-identity", &other]).expect(3);
    home.hushfs(["mount", &home.bucket(), &home.mount_str(), "--age-identity", &file]).expect(0);
    std::fs::write(home.mount().join("file"), "contents").unwrap();
    home.unmount();
    key(&home, &["remove", &home.bucket(), "age", "--yes"], 0);
    opens(&home, &["--age-identity", &file]).expect(3);
}

#[test]
fn a_recipient_among_several_opens_with_an_identity_among_several() {
    let home = Home::with_volume();
    let (first, recipient) = identity(&home, "first");
    let (second, another) = identity(&home, "second");
    for recipient in [&recipient, &another] {
        key(&home, &["add", &home.bucket(), "--new-age", recipient], 0);
    }
    let both = [std::fs::read(home.path("first")).unwrap(), std::fs::read(&second).unwrap()].concat();
    let both = home.secret("both", &both);
    for file in [first.as_str(), &second, both.to_str().unwrap()] {
        opens(&home, &["--age-identity", file]).expect(0);
    }
    for again in [recipient.to_uppercase(), recipient] {
        let refused = key(&home, &["add", &home.bucket(), "--new-age", &again], 2);
        assert!(refused.err.contains(slots(&home)[2]["id"].as_str().unwrap()), "{}", refused.err);
    }
}

#[test]
fn on_a_new_machine_an_age_identity_needs_the_fingerprint() {
    let home = Home::with_volume();
    let (file, recipient) = identity(&home, "identity");
    key(&home, &["add", &home.bucket(), "--new-age", &recipient], 0);
    home.forget();
    let refused = opens(&home, &["--age-identity", &file]).expect(2);
    let fingerprint = refused.err.split("--fingerprint ").nth(1).unwrap().split(' ').next().unwrap();
    opens(&home, &["--age-identity", &file, "--fingerprint", fingerprint]).expect(0);
    opens(&home, &["--age-identity", &file]).expect(0);
}

#[test]
fn a_volume_that_a_store_made_for_my_recipient_is_not_taken_for_mine() {
    let (home, attacker) = (Home::with_volume(), Home::with_volume());
    let (file, recipient) = identity(&home, "identity");
    for home in [&home, &attacker] {
        key(home, &["add", &home.bucket(), "--new-age", &recipient], 0);
    }
    std::fs::remove_dir_all(home.bucket_folder()).unwrap();
    std::fs::rename(attacker.bucket_folder(), home.bucket_folder()).unwrap();
    opens(&home, &["--age-identity", &file]).expect(6);
    home.forget();
    opens(&home, &["--age-identity", &file]).expect(2);
}

#[test]
fn a_plugin_wraps_and_unwraps_and_a_missing_one_is_named() {
    let home = Home::with_volume();
    let identity = home.secret("identity", format!("{PLUGIN_IDENTITY}\n").as_bytes());
    let missing = key(&home, &["add", &home.bucket(), "--new-age", PLUGIN_RECIPIENT], 1);
    assert!(missing.err.contains("age-plugin-hushtest"), "{}", missing.err);

    let path = install_plugin(&home);
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hushfs"));
        home.settle(&mut command);
        command.args(words).env("PATH", &path).stdin(std::process::Stdio::null());
        cli::ran(command.output().unwrap())
    };
    let pass = home.path("pass");
    let pass = ["--passphrase-file", pass.to_str().unwrap()];
    let added = run(&[&["key", "add", &home.bucket(), "--new-age", PLUGIN_RECIPIENT][..], &pass].concat());
    assert_eq!(added.code, 0, "{}", added.err);
    let opened = run(&["fsck", &home.bucket(), "--age-identity", identity.to_str().unwrap()]);
    assert_eq!(opened.code, 0, "{}", opened.err);
    // What the plugin has to say reaches the user, without its escape sequences.
    assert!(opened.err.contains("touch the key now") && !opened.err.contains('\u{1b}'), "{}", opened.err);
}

#[test]
fn a_plugin_that_dies_or_babbles_is_called_so_and_nobody_is_told_to_print_keys() {
    let home = Home::with_volume();
    let path = install_plugin(&home);
    let program = home.path("plugins/age-plugin-hushtest");
    let babble = "#!/bin/sh\nprintf '\\377\\376\\n'; cat >/dev/null\n";
    for (script, says) in [("#!/bin/sh\nexit 3\n", "died"), (babble, "protocol")] {
        std::fs::write(&program, script).unwrap();
        let add = ["key", "add", &home.bucket(), "--new-age", PLUGIN_RECIPIENT];
        let failed = home.hushfs(add).pass().env("PATH", &path).expect(1).err;
        assert!(failed.contains("a plugin of age failed") && failed.contains(says), "{failed}");
        assert!(failed.contains("try it with age itself") && !failed.contains("AGEDEBUG"), "{failed}");
    }
    assert_eq!(kinds(&home).len(), 2);
}

/// Puts the plugin into a folder and returns a PATH with it.
fn install_plugin(home: &Home) -> String {
    let folder = home.path("plugins");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("age-plugin-hushtest");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys/age-plugin-hushtest");
    std::fs::copy(source, &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}
