//! Putting a key into one of the places.

use std::time::Duration;

use anyhow::{Context, Result};

use super::forget::forget;
use super::place::{KeepIn, Shown};
use crate::cli::exit::{Exit, refuse};
use crate::cli::kdf::Kdf;
use crate::cli::opening::Opened;
use crate::cli::unlock::NewPassphraseArgs;
use crate::crypto::{Cost, SecretBytes};
use crate::desktop_keys::{DesktopKeys, Prompts};
use crate::kernel_keys::KernelKeys;
use crate::keyring::{KeptKey, KeptNote, KeptPlace};

/// How long the kernel keeps a key for which nothing was said: it outlives the login, so it gets an end.
const KERNEL_LIMIT: Duration = Duration::from_secs(86400);

/// The passphrase of a file, where that is the place.
pub struct FilePassphrase {
    passphrase: SecretBytes,
    cost: Cost,
}

/// A place that was chosen and is ready to keep a key.
pub enum Keeper {
    SecretService(DesktopKeys),
    Kernel(KernelKeys),
    File(FilePassphrase),
}

impl Keeper {
    /// The place that the user wants, or the best there is: the Secret Service, else the kernel.
    ///
    /// # Errors
    /// What keeps the place from being used.
    pub async fn choose(
        wanted: Option<KeepIn>,
        passphrase: &NewPassphraseArgs,
        kdf: Kdf,
        opened: &Opened,
    ) -> Result<Self> {
        match wanted {
            Some(KeepIn::SecretService) => {
                let service = DesktopKeys::connect(Prompts::Allowed).await;
                service.map(Keeper::SecretService).context("the key cannot be kept in the Secret Service")
            }
            Some(KeepIn::Kernel) => {
                KernelKeys::open().map(Keeper::Kernel).context("the key cannot be kept in the kernel keyring")
            }
            Some(KeepIn::File) => {
                let question = format!("this machine's key of {}", opened.store.location);
                let passphrase = tokio::task::block_in_place(|| passphrase.read(&question))?;
                let cost = kdf.cost(opened.store.clock.as_ref())?;
                Ok(Keeper::File(FilePassphrase { passphrase, cost }))
            }
            None => Self::best().await,
        }
    }

    async fn best() -> Result<Self> {
        match DesktopKeys::connect(Prompts::Allowed).await {
            Ok(service) => return Ok(Keeper::SecretService(service)),
            Err(error) => eprintln!("hushfs: {error}; the kernel keyring keeps the key."),
        }
        Self::kernel()
    }

    /// The kernel, when the Secret Service was no choice.
    ///
    /// # Errors
    /// When it keeps nothing either.
    pub fn kernel() -> Result<Self> {
        KernelKeys::open().map(Keeper::Kernel).map_err(|error| {
            refuse(
                Exit::Failure,
                format!(
                    "nothing here keeps the key: no Secret Service does, and {error}; \
                     --keep-in file keeps it in a file, under a passphrase"
                ),
            )
        })
    }

    /// Whether it is the Secret Service.
    pub fn is_service(&self) -> bool {
        self.place() == KeptPlace::SecretService
    }

    fn place(&self) -> KeptPlace {
        match self {
            Keeper::SecretService(_) => KeptPlace::SecretService,
            Keeper::Kernel(_) => KeptPlace::Kernel,
            Keeper::File(_) => KeptPlace::File,
        }
    }

    /// Keeps the key of the volume here and nowhere else; `limit` is zero for no limit. Durable, as far as the
    /// place is, when it returns.
    ///
    /// # Errors
    /// When the place refuses, or another one does not give up what it has.
    pub async fn keep(&self, opened: &Opened, limit: Option<Duration>) -> Result<KeptNote> {
        let limit = match (limit, self) {
            (None, Keeper::Kernel(_)) => Some(KERNEL_LIMIT),
            (limit, _) => limit.filter(|limit| !limit.is_zero()),
        };
        let key = KeptKey::of(&opened.unlocked);
        let now = u64::try_from(opened.store.clock.now().secs).context("the clock is before 1970")?;
        let until = limit.map(|limit| now + limit.as_secs());
        let note =
            KeptNote { volume: key.volume(), place: self.place(), fingerprint: key.fingerprint(), until };
        let moved = forget(&opened.keyring, key.volume()).await;
        moved.with_context(|| format!("another key of {} is kept already", opened.store.location))?;
        let kept = self.put(opened, &key, &note, limit).await;
        if let Err(error) = kept {
            // It may be there all the same: an answer that was not waited for.
            if let Err(error) = forget(&opened.keyring, key.volume()).await {
                log::warn!("{error:#}");
            }
            return Err(error.context(format!("the key cannot be kept in {}", Shown(self.place()))));
        }
        Ok(note)
    }

    async fn put(
        &self,
        opened: &Opened,
        key: &KeptKey,
        note: &KeptNote,
        limit: Option<Duration>,
    ) -> Result<()> {
        let keyring = &opened.keyring;
        match self {
            // The note first: a key that nobody knows of would outlive `hushfs lock`.
            Keeper::SecretService(service) => {
                keyring.note_kept(note)?;
                service.keep(note.volume, &key.encode()).await?;
            }
            Keeper::Kernel(keys) => {
                keyring.note_kept(note)?;
                keys.keep(note.volume, &key.encode(), limit)?;
            }
            Keeper::File(FilePassphrase { passphrase, cost }) => {
                let random = opened.store.random.as_ref();
                tokio::task::block_in_place(|| {
                    keyring.wrap_kept(key, note.until, passphrase, *cost, random)
                })?;
            }
        }
        Ok(())
    }
}
