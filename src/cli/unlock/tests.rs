use std::fs::Permissions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::base::{OsRandom, VolumeId};
use crate::crypto::SecretBytes;
use crate::keyring::{Credential, Fingerprint, SlotId, SlotKind};

fn file(folder: &Path, name: &str, contents: &[u8], mode: u32) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, contents).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn secret(args: &UnlockArgs) -> Vec<u8> {
    args.credential(&Challenge::plain("file:///x")).unwrap().secret().expose().to_vec()
}

fn refusal(args: &UnlockArgs) -> String {
    match args.credential(&Challenge::plain("file:///x")) {
        Ok(_) => panic!("was not refused"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn a_passphrase_file_loses_one_line_end_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    for (contents, passphrase) in [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), (" p w \n\n", " p w \n")] {
        let path = file(scratch.path(), "pass", contents.as_bytes(), 0o600);
        assert_eq!(
            secret(&UnlockArgs { passphrase_file: Some(path), ..Default::default() }),
            passphrase.as_bytes()
        );
    }
}

#[test]
fn empty_passphrases_are_refused_from_every_source() {
    let scratch = tempfile::tempdir().unwrap();
    let path = file(scratch.path(), "pass", b"\n", 0o600);
    let open = std::fs::File::open(&path).unwrap();
    for args in [
        UnlockArgs { passphrase_file: Some(path.clone()), ..Default::default() },
        UnlockArgs { passphrase_fd: Some(open.as_raw_fd() as u32), ..Default::default() },
        UnlockArgs { passphrase_command: Some("echo".to_owned()), ..Default::default() },
    ] {
        assert!(refusal(&args).contains("empty"));
    }
}

#[test]
fn a_descriptor_gives_its_passphrase() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"from a pipe\n").unwrap();
    drop(writer);
    let args = UnlockArgs { passphrase_fd: Some(reader.as_raw_fd() as u32), ..Default::default() };
    assert_eq!(secret(&args), b"from a pipe");
    let args = UnlockArgs { passphrase_fd: Some(9999), ..Default::default() };
    assert!(refusal(&args).contains("9999 is not open"));
}

#[test]
fn a_command_gives_its_first_line_unless_it_fails() {
    let args =
        |command: &str| UnlockArgs { passphrase_command: Some(command.to_owned()), ..Default::default() };
    assert_eq!(secret(&args("printf 'one\\ntwo\\n'")), b"one");
    assert!(refusal(&args("echo pw; exit 3")).contains("failed"));
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = file(scratch.path(), "key", &[7; 32], 0o640);
    let args = UnlockArgs { key_file: Some(path.clone()), ..Default::default() };
    assert!(refusal(&args).contains("chmod 600"));
    std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(secret(&args), [7; 32]);
}

#[test]
fn a_new_key_file_is_private_random_and_never_replaces_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("key");
    create_key_file(&path, &OsRandom).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let first = std::fs::read(&path).unwrap();
    assert!(first.len() >= 32 && first.iter().any(|byte| *byte != first[0]));
    assert!(create_key_file(&path, &OsRandom).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

#[test]
fn two_ways_to_unlock_are_one_too_many() {
    let args = UnlockArgs {
        key_file: Some("/nowhere".into()),
        passphrase_command: Some("echo pw".to_owned()),
        ..Default::default()
    };
    assert!(refusal(&args).contains("one of them"));
}

#[test]
fn a_kept_key_survives_the_pipe_to_the_background_and_is_looked_at_there() {
    let mut pipe = Vec::new();
    RawCredential::kept(SecretBytes::new(vec![1; 74])).send(&mut pipe).unwrap();
    let received = RawCredential::receive(&mut pipe.as_slice()).unwrap();
    assert_eq!((received.kind(), received.secret().expose()), (None, &[1; 74][..]));
    assert!(received.into_credential(VolumeId([0; 16])).is_err());
}

#[test]
fn a_credential_survives_the_pipe_to_the_background() {
    let credential = RawCredential::new(SlotKind::Age, SecretBytes::new(vec![9; 32]))
        .for_slot(SlotId([3; 16]))
        .without_voucher()
        .expecting(Some(Fingerprint([4; 16])));
    let mut pipe = Vec::new();
    credential.send(&mut pipe).unwrap();
    let received = RawCredential::receive(&mut pipe.as_slice()).unwrap();
    assert_eq!(received.trust(), Trust { vouched: false, fingerprint: Some(Fingerprint([4; 16])) });
    match received.into_credential(VolumeId([0; 16])).unwrap() {
        Credential::Age(unwrapped) => {
            assert_eq!((unwrapped.slot, *unwrapped.secret.expose()), (SlotId([3; 16]), [9; 32]));
        }
        _ => panic!("another kind came out"),
    }
    assert!(RawCredential::receive(&mut &pipe[..10]).is_err());
    assert!(RawCredential::receive(&mut &[b'x'; 80][..]).is_err());
    let mut long = pipe.clone();
    long[36..40].fill(0xff);
    assert!(RawCredential::receive(&mut long.as_slice()).is_err());
}
