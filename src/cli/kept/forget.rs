//! Taking a key out of every place that may have it.

use std::path::Path;

use anyhow::{Context, Result};

use super::place::Shown;
use crate::base::VolumeId;
use crate::desktop_keys::{DesktopKeys, DesktopKeysError, Prompts};
use crate::kernel_keys::{KernelKeys, KernelKeysError};
use crate::keyring::{KeptPlace, LocalKeyring};

/// Forgets the key of `volume` wherever it may be; returns where it was. The note goes last: as long as the
/// key is anywhere, it says so.
///
/// # Errors
/// When the place that has the key does not give it up; when the note or the file cannot be removed.
pub async fn forget(keyring: &LocalKeyring, volume: VolumeId) -> Result<Vec<KeptPlace>> {
    let noted = match keyring.kept(volume) {
        Ok(note) => note.map(|note| note.place),
        Err(error) => {
            // Whatever it may be, it is removed; it may well be a key.
            log::warn!("{error}; it is removed");
            Some(KeptPlace::File)
        }
    };
    let path = keyring.kept_path(volume);
    let note = |place| Some(path.as_path()).filter(|_| noted == Some(place));
    let mut places = Vec::new();
    let kernel = forget_in_kernel(volume);
    if settle(kernel, KeptPlace::Kernel, note(KeptPlace::Kernel))? {
        places.push(KeptPlace::Kernel);
    }
    let desktop = forget_in_service(Some(volume)).await;
    if settle(desktop, KeptPlace::SecretService, note(KeptPlace::SecretService))? {
        places.push(KeptPlace::SecretService);
    }
    if note(KeptPlace::File).is_some() {
        places.push(KeptPlace::File);
    }
    keyring.forget_kept(volume)?;
    Ok(places)
}

/// Forgets what hushfs has left in the Secret Service beside the notes; true when there was anything.
///
/// # Errors
/// Those of the service, where there is one.
pub async fn forget_strays() -> Result<bool> {
    settle(forget_in_service(None).await, KeptPlace::SecretService, None)
}

fn forget_in_kernel(volume: VolumeId) -> Result<bool, Trouble> {
    Ok(KernelKeys::open()?.forget(volume)?)
}

async fn forget_in_service(volume: Option<VolumeId>) -> Result<bool, Trouble> {
    let service = DesktopKeys::connect(Prompts::Allowed).await.map_err(Trouble::Absent)?;
    Ok(service.forget(volume).await? > 0)
}

/// Why a place did not forget.
enum Trouble {
    Kernel(KernelKeysError),
    /// There is no service that could be asked.
    Absent(DesktopKeysError),
    /// There is one, and it refuses.
    Desktop(DesktopKeysError),
}

impl From<KernelKeysError> for Trouble {
    fn from(error: KernelKeysError) -> Self {
        Trouble::Kernel(error)
    }
}

impl From<DesktopKeysError> for Trouble {
    fn from(error: DesktopKeysError) -> Self {
        Trouble::Desktop(error)
    }
}

/// A place that cannot be asked is trouble only if it has the key.
fn settle(outcome: Result<bool, Trouble>, place: KeptPlace, note: Option<&Path>) -> Result<bool> {
    let still_there = || format!("the key is still in {}", Shown(place));
    match outcome {
        Ok(forgotten) => Ok(forgotten),
        Err(Trouble::Desktop(error)) => Err(error).with_context(still_there),
        Err(Trouble::Kernel(error)) => match note {
            Some(_) => Err(error).with_context(still_there),
            None => Ok(nothing_to_ask(&error)),
        },
        Err(Trouble::Absent(error)) => match note {
            Some(note) => Err(error).with_context(|| {
                let (place, note) = (still_there(), note.display());
                format!(
                    "{place}; forget it from a desktop session (if that password store is gone for good, remove \
                     {note})"
                )
            }),
            None => Ok(nothing_to_ask(&error)),
        },
    }
}

fn nothing_to_ask(error: &dyn std::error::Error) -> bool {
    log::debug!("looking for kept keys: {error}");
    false
}
