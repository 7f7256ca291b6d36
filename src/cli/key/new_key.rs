//! What a new slot is made for: the arguments, and the key itself with all that the slot needs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::age_keys;
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::kdf::Kdf;
use crate::cli::opening::Opened;
use crate::cli::unlock::{KmsArgs, NewPassphraseArgs, Person, create_key_file, key_file};
use crate::crypto::{Cost, SecretBytes, SecretKey, same};
use crate::keyring::{NewSlot, NewSlotKey, OutsideSecret, RecoveryCode, SlotId, WrappedSecret};
use crate::kms::{EncryptionContext, Kms, KmsErrorKind};

/// What to add: exactly one of these.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What to add (exactly one)")]
pub struct NewKeyArgs {
    /// Add a passphrase, which the terminal asks for twice (or one of the sources below)
    #[arg(long, group = "new_key")]
    pub new_passphrase: bool,
    /// Add a recovery code, and print the page to keep
    #[arg(long, group = "new_key")]
    pub new_recovery_code: bool,
    /// Add the key in FILE, which is made (mode 0600) if it is missing
    #[arg(long, value_name = "FILE", group = "new_key")]
    pub new_key_file: Option<PathBuf>,
    /// Add a symmetric key of AWS KMS: an ARN, id or alias
    #[arg(long, value_name = "KEY-ID", group = "new_key")]
    pub new_kms: Option<String>,
    /// Add an age recipient: age1… of age-keygen, or of a plugin such as age-plugin-yubikey
    #[arg(long, value_name = "RECIPIENT", group = "new_key", visible_alias = "age")]
    pub new_age: Option<String>,
}

/// A key that is to open the volume, and the id that its slot will have.
pub struct NewKey {
    id: SlotId,
    secret: NewSecret,
}

/// The key itself, and what its kind of slot needs besides.
enum NewSecret {
    Passphrase(SecretBytes, Cost),
    RecoveryCode(RecoveryCode),
    KeyFile(SecretBytes),
    Kms(WrappedSecret, SecretKey),
    Age(WrappedSecret, SecretKey),
}

impl NewKey {
    /// The slot to be made.
    pub fn slot(&self) -> NewSlot<'_> {
        let key = match &self.secret {
            NewSecret::Passphrase(passphrase, cost) => NewSlotKey::Passphrase { passphrase, cost: *cost },
            NewSecret::RecoveryCode(code) => NewSlotKey::RecoveryCode(code),
            NewSecret::KeyFile(contents) => NewSlotKey::KeyFile(contents),
            NewSecret::Kms(wrapped, secret) => NewSlotKey::Kms(OutsideSecret { wrapped, secret }),
            NewSecret::Age(wrapped, secret) => NewSlotKey::Age(OutsideSecret { wrapped, secret }),
        };
        NewSlot { id: self.id, key }
    }

    /// Refuses what opens the volume already by another slot than `but`: whoever removed or changed one of the two would
    /// believe that it opens nothing any more.
    ///
    /// # Errors
    /// `Usage`; as [`crate::keyring::UnlockedVolume::slots_of`].
    pub fn check_unused(&self, opened: &Opened, but: Option<SlotId>) -> Result<()> {
        let credential = self.slot().credential();
        let used = tokio::task::block_in_place(|| opened.unlocked.slots_of(&credential))?;
        match used.into_iter().find(|slot| Some(*slot) != but) {
            None => Ok(()),
            Some(slot) => Err(opens_already(slot)),
        }
    }

    /// A passphrase, as expensive to guess as `kdf` says.
    ///
    /// # Errors
    /// Those of its source and of the calibration.
    pub fn passphrase(source: &NewPassphraseArgs, kdf: Kdf, opened: &Opened) -> Result<Self> {
        let passphrase = tokio::task::block_in_place(|| source.read(&opened.store.location.to_string()))?;
        let cost = kdf.cost(opened.store.clock.as_ref())?;
        Ok(Self::under_fresh_id(NewSecret::Passphrase(passphrase, cost), opened))
    }

    /// A fresh recovery code.
    pub fn recovery_code(opened: &Opened) -> Self {
        let code = RecoveryCode::generate(opened.store.random.as_ref());
        Self::under_fresh_id(NewSecret::RecoveryCode(code), opened)
    }

    /// The key file at `path`, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made or read, or when others can read it.
    pub fn key_file(path: &std::path::Path, opened: &Opened) -> Result<Self> {
        if !path.try_exists().with_context(|| format!("the key file {}", path.display()))? {
            create_key_file(path, opened.store.random.as_ref())?;
            eprintln!("hushfs: made the key file {}", path.display());
        }
        Ok(Self::under_fresh_id(NewSecret::KeyFile(key_file(path)?), opened))
    }

    /// A fresh secret that the KMS key wraps, after a look whether it unwraps it again.
    ///
    /// # Errors
    /// Those of KMS. That these credentials may not decrypt is only a warning: it may be meant so.
    pub async fn kms(key: &str, args: &KmsArgs, s3: &S3Args, opened: &Opened) -> Result<Self> {
        let random = opened.store.random.as_ref();
        let (id, secret) = (SlotId::generate(random), SecretKey::generate(random));
        let context = EncryptionContext { volume: opened.unlocked.volume(), slot: id.0 };
        let kms = Kms::new(args.options(s3));
        let done = kms.wrap(key, context, &secret).await?;
        match kms.unwrap(&done.key, context, &done.ciphertext).await {
            Ok(again) if same(again.expose(), secret.expose()) => {}
            Ok(_) => bail!("KMS unwraps another secret than the one that it wrapped with {key}"),
            Err(error) if error.kind == KmsErrorKind::Denied => {
                eprintln!("hushfs: warning: it was not tried whether the slot opens: {error}.");
            }
            Err(error) => return Err(error).context("trying whether the slot opens"),
        }
        let wrapped = WrappedSecret::new(done.key, done.ciphertext)?;
        Ok(Self { id, secret: NewSecret::Kms(wrapped, secret) })
    }

    /// A fresh secret that the recipient's identity unwraps.
    ///
    /// # Errors
    /// Those of age and of the recipient's plugin.
    pub fn age(recipient: &str, opened: &Opened) -> Result<Self> {
        let secret = SecretKey::generate(opened.store.random.as_ref());
        let file = tokio::task::block_in_place(|| age_keys::wrap(recipient, &secret, Arc::new(Person)))?;
        let wrapped = WrappedSecret::new(recipient.to_owned(), file)?;
        Ok(Self::under_fresh_id(NewSecret::Age(wrapped, secret), opened))
    }

    fn under_fresh_id(secret: NewSecret, opened: &Opened) -> Self {
        Self { id: SlotId::generate(opened.store.random.as_ref()), secret }
    }
}

/// What was given as new is none.
pub fn opens_already(slot: SlotId) -> anyhow::Error {
    let text =
        format!("what was given as new opens the volume already, by its slot {slot}; nothing was changed");
    refuse(Exit::Usage, text)
}

impl NewKeyArgs {
    /// Whether anything was named, and not a passphrase's source beside another kind.
    ///
    /// # Errors
    /// `Usage`.
    pub fn check(&self, passphrase: &NewPassphraseArgs) -> Result<()> {
        let other = self.new_recovery_code
            || self.new_key_file.is_some()
            || self.new_kms.is_some()
            || self.new_age.is_some();
        if other && passphrase.is_named() {
            return Err(refuse(Exit::Usage, "one kind of key is added at a time"));
        }
        if !other && !self.new_passphrase && !passphrase.is_named() {
            return Err(refuse(
                Exit::Usage,
                "nothing to add: say --new-passphrase, --new-recovery-code, --new-key-file FILE, \
                 --new-kms KEY-ID or --new-age RECIPIENT",
            ));
        }
        Ok(())
    }

    /// Makes or reads the new key.
    ///
    /// # Errors
    /// Those of its source.
    pub async fn make(
        &self,
        source: &NewPassphraseArgs,
        kdf: Kdf,
        servers: (&KmsArgs, &S3Args),
        opened: &Opened,
    ) -> Result<NewKey> {
        if self.new_recovery_code {
            return Ok(NewKey::recovery_code(opened));
        }
        if let Some(path) = &self.new_key_file {
            return NewKey::key_file(path, opened);
        }
        if let Some(key) = &self.new_kms {
            return NewKey::kms(key, servers.0, servers.1, opened).await;
        }
        match &self.new_age {
            Some(recipient) => NewKey::age(recipient, opened),
            None => NewKey::passphrase(source, kdf, opened),
        }
    }
}
