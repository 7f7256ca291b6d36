//! Looking for a kept key when a command needs a credential and was told of none.

use anyhow::{Context, Result};

use super::forget::forget;
use super::place::Shown;
use crate::base::{Clock, SystemClock, VolumeId};
use crate::cli::opening::open_keyring;
use crate::cli::unlock::{Challenge, RawCredential, terminal};
use crate::cli::{report, runtime};
use crate::crypto::SecretBytes;
use crate::desktop_keys::{DesktopKeys, DesktopKeysError, Prompts};
use crate::kernel_keys::{KernelKeys, KernelKeysError};
use crate::keyring::{KeptKey, KeptNote, KeptPlace, LocalKeyring};

/// The kept key of the volume; `None` when there is none to be had, after a line that says why if there
/// should be one.
///
/// # Errors
/// When the local keyring refuses; a wrong passphrase for a key in a file.
pub fn find(challenge: &Challenge) -> Result<Option<RawCredential>> {
    find_with(challenge, Prompts::Allowed)
}

/// As [`find`], with a question only where somebody is at a terminal: for commands that can do without a key.
///
/// # Errors
/// As [`find`].
pub fn find_if_somebody_is_there(challenge: &Challenge) -> Result<Option<RawCredential>> {
    find_with(challenge, if terminal::is_there() { Prompts::Allowed } else { Prompts::Never })
}

fn find_with(challenge: &Challenge, prompts: Prompts) -> Result<Option<RawCredential>> {
    let keyring = open_keyring()?;
    let Some(note) = keyring.kept(challenge.volume())? else { return Ok(None) };
    if note.is_over(SystemClock.now().secs) {
        return give_up(&keyring, &note, challenge, "was to be forgotten by now");
    }
    if note.place == KeptPlace::File && prompts == Prompts::Never {
        return unavailable(
            challenge,
            &"it is in a file under a passphrase, and nobody is at a terminal to be asked",
        );
    }
    let place = Shown(note.place);
    let bytes = match take(&keyring, &note, challenge, prompts) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return give_up(
                &keyring,
                &note,
                challenge,
                "is gone: the machine was restarted, or somebody removed it",
            );
        }
        Err(Trouble::Local(error)) => return Err(error),
        Err(Trouble::Kernel(error)) => return unavailable(challenge, &error),
        Err(Trouble::Desktop(error)) => return unavailable(challenge, &error),
    };
    match KeptKey::decode(bytes.expose(), note.volume) {
        Ok(key) if key.fingerprint() == note.fingerprint => Ok(Some(RawCredential::kept(bytes))),
        Ok(_) => give_up(&keyring, &note, challenge, "is another one than was kept"),
        Err(error) => {
            log::debug!("{place}: {error}");
            give_up(&keyring, &note, challenge, "is damaged")
        }
    }
}

/// Forgets a kept key that did not open the volume.
///
/// # Errors
/// When the local keyring refuses.
pub fn discard(challenge: &Challenge) -> Result<()> {
    let keyring = open_keyring()?;
    let Some(note) = keyring.kept(challenge.volume())? else { return Ok(()) };
    let why = "no longer opens the volume: somebody gave it another volume key (`hushfs key rotate \
               --new-volume-key`), or its header was forged";
    give_up(&keyring, &note, challenge, why).map(drop)
}

/// Why a place gave nothing.
enum Trouble {
    Local(anyhow::Error),
    Kernel(KernelKeysError),
    Desktop(DesktopKeysError),
}

/// What the place has.
fn take(
    keyring: &LocalKeyring,
    note: &KeptNote,
    challenge: &Challenge,
    prompts: Prompts,
) -> Result<Option<SecretBytes>, Trouble> {
    match note.place {
        KeptPlace::Kernel => {
            KernelKeys::open().and_then(|keys| keys.find(note.volume)).map_err(Trouble::Kernel)
        }
        KeptPlace::SecretService => ask_service(note.volume, prompts),
        KeptPlace::File => unwrap(keyring, note.volume, &challenge.place).map_err(Trouble::Local),
    }
}

fn ask_service(volume: VolumeId, prompts: Prompts) -> Result<Option<SecretBytes>, Trouble> {
    let asked = runtime::apart(async {
        let service = DesktopKeys::connect(prompts).await?;
        service.find(volume).await
    });
    asked.map_err(Trouble::Local)?.map_err(Trouble::Desktop)
}

fn unwrap(keyring: &LocalKeyring, volume: VolumeId, place: &str) -> Result<Option<SecretBytes>> {
    let passphrase = terminal::ask(&format!("This machine's passphrase for {place}: "))
        .context("the volume's key is kept in a file under a passphrase")?;
    Ok(keyring.unwrap_kept(volume, &passphrase)?.map(|key| key.encode()))
}

/// The key is of no use any more: it is forgotten, and the volume's own credential is asked for.
fn give_up(
    keyring: &LocalKeyring,
    note: &KeptNote,
    challenge: &Challenge,
    why: &str,
) -> Result<Option<RawCredential>> {
    let outcome = match runtime::apart(forget(keyring, note.volume))? {
        Ok(_) => "it is forgotten".to_owned(),
        // It is of no use to this command either way.
        Err(error) => format!("it cannot be forgotten now: {}", report::describe(&error)),
    };
    let (volume, place) = (&challenge.place, Shown(note.place));
    eprintln!("hushfs: the key of {volume} that was kept in {place} {why}; {outcome}.");
    Ok(None)
}

/// The key may be there, but cannot be had now.
fn unavailable(challenge: &Challenge, why: &dyn std::fmt::Display) -> Result<Option<RawCredential>> {
    eprintln!("hushfs: the kept key of {} cannot be had: {why}.", challenge.place);
    Ok(None)
}
