//! From a volume header to an unlocked volume, and every reason not to believe one.

use anyhow::{Context, Result};

use super::exit::{Exit, refuse};
use super::opening::{FoundHeader, Opened, Store, open_keyring};
use super::paths;
use super::unlock::{Challenge, RawCredential, Trust};
use crate::keyring::{
    Credential, KeyringError, LocalError, LocalKeyring, LocalVolume, Pin, UnlockedVolume, VolumeHeader,
};
use crate::object::Location;

/// How often a header is fetched again that somebody on this machine has just replaced.
const MAX_REFETCHES: usize = 5;

/// Opens a volume whose header was fetched, with what `ask` brings once the header was compared with what
/// this machine remembers. It is asked a second time when it brings a kept key that no longer opens the header.
///
/// # Errors
/// As [`super::opening::open_volume`].
pub async fn unlock_header(
    store: Store,
    found: FoundHeader,
    ask: impl FnMut(&Challenge) -> Result<RawCredential>,
) -> Result<Opened> {
    Ok(unlock_found(store, found, ask).await?.0)
}

/// As [`unlock_header`], and returns what opened the volume as well.
///
/// # Errors
/// As [`super::opening::open_volume`].
pub async fn unlock_found(
    store: Store,
    found: FoundHeader,
    mut ask: impl FnMut(&Challenge) -> Result<RawCredential>,
) -> Result<(Opened, Credential)> {
    let keyring = open_keyring()?;
    keyring.check_header(&store.place, &found.header).map_err(|error| identity(error, &store))?;
    let challenge = Challenge::new(&store.location.to_string(), &found.header, &store.s3_args);
    let raw = ask(&challenge)?;
    let (mut trust, mut credential) = (raw.trust(), raw.into_credential(challenge.volume())?);
    let pin = keyring.pinned(&store.place)?;
    let is_old = pin.is_some_and(|pin| pin.check_generation(&found.header).is_err());
    if !is_old && is_stale(&credential, &found.header) {
        let raw = ask(&challenge.without_kept())?;
        (trust, credential) = (raw.trust(), raw.into_credential(found.header.volume())?);
    }
    let opened = unlock_with(store, found, &credential, trust).await?;
    Ok((opened, credential))
}

/// Whether it is a key that this machine kept, and the header is sealed under another one by now. Whatever
/// else is wrong with the header is not the key's fault.
fn is_stale(credential: &Credential, header: &VolumeHeader) -> bool {
    matches!(credential, Credential::Kept(_))
        && matches!(header.unlock(credential), Err(KeyringError::VolumeKeyReplaced))
}

/// Opens a volume with a credential that is at hand.
///
/// # Errors
/// As [`super::opening::open_volume`].
pub async fn unlock_with(
    store: Store,
    mut found: FoundHeader,
    credential: &Credential,
    trust: Trust,
) -> Result<Opened> {
    let keyring = open_keyring()?;
    for _ in 0..MAX_REFETCHES {
        let unlocked =
            tokio::task::block_in_place(|| check_and_unlock(&store, &keyring, &found, credential, trust));
        let older = match unlocked? {
            Checked::Opened(unlocked) => {
                let record = keyring.volume(&unlocked)?;
                match check_record(&keyring, &record, &unlocked, trust) {
                    Ok(()) => {
                        let is_known = keyring.pinned(&store.place)?.is_some();
                        check_maker(&unlocked, trust, is_known, &store.location)?;
                        return Opened::remember(store, keyring, unlocked, found.etag);
                    }
                    Err(error @ LocalError::OlderHeader { .. }) => error,
                    Err(error) => return Err(identity(error, &store)),
                }
            }
            Checked::Older(error) => error,
        };
        // Another command on this machine may have replaced the header since it was fetched. Only an old one that is
        // still there is somebody's doing.
        let newest = store.header().await?;
        if newest.etag == found.etag {
            return Err(identity(older, &store));
        }
        found = newest;
    }
    let location = &store.location;
    Err(refuse(Exit::Failure, format!("the header of {location} changes all the time; try again later")))
}

/// Compares the header with the newest that this machine has seen. A machine that has lost what it knew of the
/// volume's newest state says so, until the user vouches for the volume by its fingerprint.
fn check_record(
    keyring: &LocalKeyring,
    record: &LocalVolume,
    unlocked: &UnlockedVolume,
    trust: Trust,
) -> Result<(), LocalError> {
    match keyring.check_record(record) {
        Err(error @ LocalError::Lost { .. }) if trust.fingerprint == Some(unlocked.fingerprint()) => {
            log::warn!("{error}; it begins anew, as --fingerprint says that this is the volume");
            Ok(())
        }
        checked => checked,
    }
}

/// What became of a header.
enum Checked {
    Opened(UnlockedVolume),
    /// The key opens it not, and it is older than one that this machine has seen.
    Older(LocalError),
}

fn check_and_unlock(
    store: &Store,
    keyring: &LocalKeyring,
    found: &FoundHeader,
    credential: &Credential,
    trust: Trust,
) -> Result<Checked> {
    keyring.check_header(&store.place, &found.header).map_err(|error| identity(error, store))?;
    let unlocked = match found.header.unlock(credential) {
        Ok(unlocked) => unlocked,
        Err(
            error @ (KeyringError::WrongKey(_) | KeyringError::NoSlot(_) | KeyringError::VolumeKeyReplaced),
        ) => {
            let place = match keyring.pinned(&store.place)? {
                Some(pin) => match pin.check_generation(&found.header) {
                    Err(older) => return Ok(Checked::Older(older)),
                    Ok(()) => format!("{}: {}", store.location, doubt(&pin, &found.header, &error)),
                },
                None => store.location.to_string(),
            };
            return Err(error).context(place);
        }
        Err(error) => return Err(error).with_context(|| store.location.to_string()),
    };
    match keyring.check_identity(&store.place, &unlocked) {
        Err(LocalError::AnotherKey { found, .. }) if trust.fingerprint == Some(found) => {
            log::warn!(
                "the volume in {} has another volume key than before, {found}, as --fingerprint says; what this \
                 machine had seen of it under the old one is forgotten",
                store.location
            );
            keyring.accept(&store.place, &unlocked)?;
        }
        checked => checked.map_err(|error| identity(error, store))?,
    }
    Ok(Checked::Opened(unlocked))
}

/// What to think when a key does not open the header of a volume that this machine knows, the likeliest first.
fn doubt(pin: &Pin, header: &VolumeHeader, error: &KeyringError) -> &'static str {
    if matches!(error, KeyringError::VolumeKeyReplaced) {
        return "if the volume key was changed on another machine (hushfs key rotate --new-volume-key), only what was \
                chosen there opens it; if it was not, somebody has put something else in the place of the object \
                \"volume\"";
    }
    if header.generation() <= pin.generation {
        return "this key does not open it; if it once did, it was changed since (hushfs key passwd, key remove, key rotate \
                --new-volume-key), and only the new one opens it";
    }
    "this key does not open it. Most likely it is mistyped, or it was changed on another machine since (hushfs key \
     passwd, key remove, key rotate --new-volume-key): then only the new one opens it. If neither can be, somebody may \
     have changed the object \"volume\""
}

/// Refuses a volume that nobody vouches for, or that has another fingerprint than the user says. A store can make
/// a volume of its own that opens with somebody's age identity, as it takes nothing but the public recipient.
fn check_maker(unlocked: &UnlockedVolume, trust: Trust, is_known: bool, location: &Location) -> Result<()> {
    let found = unlocked.fingerprint();
    match trust.fingerprint {
        Some(expected) if expected == found => Ok(()),
        Some(expected) => Err(refuse(
            Exit::Tampered,
            format!("{location} is another volume: its fingerprint is {found} and should be {expected}"),
        )),
        None if trust.vouched || is_known => Ok(()),
        None => Err(refuse(
            Exit::Usage,
            format!(
                "this machine has never seen the volume in {location}, and what opened it does not tell who made it: \
                 anybody can make a volume that opens with your age identity or with a KMS key of theirs. Its \
                 fingerprint is {found}; if that is the one that init or the recovery page shows, say so: \
                 --fingerprint {found} (or name your KMS key: --kms=KEY-ID)"
            ),
        )),
    }
}

/// The advice that belongs to a changed identity.
fn identity(error: LocalError, store: &Store) -> anyhow::Error {
    let replaced = matches!(error, LocalError::AnotherVolume { .. });
    if let LocalError::AnotherKey { found, .. } = &error {
        let why = format!(
            "{} has another volume key than this machine knows. If you made a new one on another machine (hushfs key \
             rotate --new-volume-key), compare: that command and its recovery page showed the fingerprint, which you \
             can give here once, with --fingerprint. If they did not show {found}, somebody put another volume or an \
             older copy in its place",
            store.place
        );
        return anyhow::Error::new(error).context(why);
    }
    if let LocalError::Lost { .. } = &error {
        let why = format!(
            "whether {} shows an older state than this machine has seen cannot be told. Compare the last commit with \
             another machine's (hushfs status), or look for the file in a backup; to go on without it, give the \
             volume's fingerprint once, as init and the recovery page show it: --fingerprint",
            store.place
        );
        return anyhow::Error::new(error).context(why);
    }
    let error = anyhow::Error::new(error);
    if !replaced {
        return error;
    }
    let folder = paths::data_root().map(|root| root.join("keyring").display().to_string());
    error.context(format!(
        "{} is not what it was (if you replaced the volume yourself, move the local keyring {} away)",
        store.place,
        folder.unwrap_or_default()
    ))
}
