//! The arguments that name a source, and the choice among them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::challenge::Challenge;
use super::kms_args::KmsArgs;
use super::raw_credential::RawCredential;
use super::{outside, read, strength, terminal};
use crate::cli::exit::{Exit, refuse};
use crate::cli::kept;
use crate::keyring::{Fingerprint, SlotKind};

/// The systemd credential that is used when it is there and nothing else was named.
const CREDENTIAL: &str = "hushfs.passphrase";

/// How to open the volume. Without any of these: the systemd credential `hushfs.passphrase` if the
/// service has it, else the key that this machine keeps (`hushfs unlock`), else the terminal.
#[derive(Debug, Clone, Default, Args)]
#[command(
    next_help_heading = "Unlocking (a key that hushfs unlock has kept, else the terminal, if none is given)"
)]
pub struct UnlockArgs {
    /// Read the passphrase from FILE (a newline at its end does not count)
    #[arg(long, value_name = "FILE", group = "passphrase")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the passphrase from the open file descriptor N
    #[arg(long, value_name = "N", group = "passphrase")]
    pub passphrase_fd: Option<u32>,
    /// Run COMMAND with sh and take the first line it prints
    #[arg(long, value_name = "COMMAND", group = "passphrase")]
    pub passphrase_command: Option<String>,
    /// Take the systemd credential NAME (LoadCredential= of the service)
    #[arg(long, value_name = "NAME", group = "passphrase")]
    pub systemd_credential: Option<String>,
    /// Unlock with the key in FILE: at least 32 random bytes, mode 0600
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Ask for the recovery code
    #[arg(long, conflicts_with_all = ["passphrase", "key_file", "recovery_code_file"])]
    pub recovery_code: bool,
    /// Read the recovery code, or the whole recovery page, from FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase", "key_file"])]
    pub recovery_code_file: Option<PathBuf>,
    /// Unlock with AWS KMS; KEY-ID (an ARN, id or alias) makes sure that it is your key and nobody else's
    #[arg(
        long,
        value_name = "KEY-ID",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with_all = ["passphrase", "key_file", "recovery_code", "recovery_code_file"]
    )]
    pub kms: Option<Option<String>>,
    /// Unlock with an age identity in FILE (of age-keygen, or of a plugin such as age-plugin-yubikey)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["passphrase", "key_file", "recovery_code", "recovery_code_file", "kms"]
    )]
    pub age_identity: Option<PathBuf>,
    /// Refuse a volume with another fingerprint; needed with an age identity, or KMS without KEY-ID, on a
    /// machine that has never seen the volume
    #[arg(long, value_name = "FINGERPRINT")]
    pub fingerprint: Option<Fingerprint>,
    #[command(flatten)]
    pub kms_server: KmsArgs,
}

/// For commands that talk to a mount and need no key: scripts may pass the same flags to all commands.
#[derive(Debug, Clone, Default, Args)]
pub struct IgnoredUnlockArgs {
    #[arg(long, hide = true)]
    passphrase_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    passphrase_fd: Option<u32>,
    #[arg(long, hide = true)]
    passphrase_command: Option<String>,
    #[arg(long, hide = true)]
    systemd_credential: Option<String>,
    #[arg(long, hide = true)]
    key_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    recovery_code: bool,
    #[arg(long, hide = true)]
    recovery_code_file: Option<PathBuf>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    kms: Option<Option<String>>,
    #[arg(long, hide = true)]
    kms_endpoint_url: Option<String>,
    #[arg(long, hide = true)]
    kms_region: Option<String>,
    #[arg(long, hide = true)]
    age_identity: Option<PathBuf>,
    #[arg(long, hide = true)]
    fingerprint: Option<String>,
}

impl UnlockArgs {
    /// Reads the one credential that opens an existing volume: what was named, else the systemd credential, else
    /// the key that this machine keeps, else what the terminal says.
    ///
    /// # Errors
    /// Usage errors for two sources at once or none at all; the source's own trouble.
    pub fn credential(&self, challenge: &Challenge) -> Result<RawCredential> {
        if challenge.kept_refused {
            kept::discard(challenge)?;
            return self.own_credential(challenge);
        }
        let credential = match self.named_credential(challenge)? {
            Some(named) => named,
            None => match kept::find(challenge)? {
                Some(kept) => kept,
                None => ask(challenge)?,
            },
        };
        Ok(credential.expecting(self.fingerprint))
    }

    /// As [`Self::credential`], without what this machine keeps.
    ///
    /// # Errors
    /// As [`Self::credential`].
    pub fn own_credential(&self, challenge: &Challenge) -> Result<RawCredential> {
        let credential = match self.named_credential(challenge)? {
            Some(named) => named,
            None => ask(challenge)?,
        };
        Ok(credential.expecting(self.fingerprint))
    }

    fn named_credential(&self, challenge: &Challenge) -> Result<Option<RawCredential>> {
        if let Some(key) = &self.kms {
            let options = self.kms_server.options_for(challenge);
            return outside::from_kms(challenge, options, key.as_deref()).map(Some);
        }
        if let Some(file) = &self.age_identity {
            return outside::from_age(challenge, file).map(Some);
        }
        if let Some(file) = &self.key_file {
            if self.has_passphrase_source() {
                return Err(refuse(
                    Exit::Usage,
                    "a key file and a passphrase were given; one of them opens the volume",
                ));
            }
            return Ok(Some(RawCredential::new(SlotKind::KeyFile, read::key_file(file)?)));
        }
        if let Some(file) = &self.recovery_code_file {
            let code = read::recovery_code_file(file)?;
            return Ok(Some(RawCredential::new(SlotKind::RecoveryCode, code)));
        }
        if self.recovery_code {
            let code = terminal::ask(&format!("Recovery code for {}: ", challenge.place))?;
            return Ok(Some(RawCredential::new(SlotKind::RecoveryCode, code)));
        }
        self.passphrase_from_source()
    }

    /// Reads what a new volume is to be opened with: a passphrase (asked twice at the terminal), a key
    /// file, or both.
    ///
    /// # Errors
    /// As [`Self::credential`].
    pub fn new_credentials(&self, volume: &str) -> Result<Vec<RawCredential>> {
        if self.recovery_code || self.recovery_code_file.is_some() {
            return Err(refuse(
                Exit::Usage,
                "init makes the recovery code itself; give a passphrase or a key file",
            ));
        }
        if self.kms.is_some() || self.age_identity.is_some() || self.fingerprint.is_some() {
            return Err(refuse(
                Exit::Usage,
                "init makes a volume with a passphrase or a key file; add KMS or age afterwards: hushfs key add",
            ));
        }
        let mut credentials = Vec::new();
        match self.passphrase_from_source()? {
            Some(passphrase) => {
                strength::warn(passphrase.secret());
                credentials.push(passphrase);
            }
            None if self.key_file.is_some() => {}
            None => credentials.push(RawCredential::new(SlotKind::Passphrase, terminal::ask_twice(volume)?)),
        }
        if let Some(file) = &self.key_file {
            credentials.push(RawCredential::new(SlotKind::KeyFile, read::key_file(file)?));
        }
        Ok(credentials)
    }

    /// True when a way to unlock was named, so that nobody needs to be asked.
    pub fn names_a_source(&self) -> bool {
        self.has_passphrase_source()
            || self.key_file.is_some()
            || self.recovery_code
            || self.recovery_code_file.is_some()
            || self.kms.is_some()
            || self.age_identity.is_some()
    }

    fn has_passphrase_source(&self) -> bool {
        self.passphrase_file.is_some()
            || self.passphrase_fd.is_some()
            || self.passphrase_command.is_some()
            || self.systemd_credential.is_some()
    }

    /// The passphrase of whatever source was named, or of the service's credential.
    fn passphrase_from_source(&self) -> Result<Option<RawCredential>> {
        let passphrase = if let Some(file) = &self.passphrase_file {
            read::passphrase_file(file)?
        } else if let Some(fd) = self.passphrase_fd {
            read::descriptor(fd)?
        } else if let Some(command) = &self.passphrase_command {
            read::command(command)?
        } else if let Some(name) = &self.systemd_credential {
            read::systemd_credential(name)?.with_context(|| {
                format!("the service has no systemd credential {name:?} (LoadCredential=)")
            })?
        } else if self.key_file.is_some() {
            return Ok(None);
        } else {
            match read::systemd_credential(CREDENTIAL)? {
                Some(passphrase) => passphrase,
                None => return Ok(None),
            }
        };
        if passphrase.is_empty() {
            return Err(refuse(Exit::Usage, "the passphrase is empty"));
        }
        Ok(Some(RawCredential::new(SlotKind::Passphrase, passphrase)))
    }
}

/// The passphrase, from whoever is at the terminal.
fn ask(challenge: &Challenge) -> Result<RawCredential> {
    let passphrase = terminal::ask(&format!("Passphrase for {}: ", challenge.place))?;
    Ok(RawCredential::new(SlotKind::Passphrase, passphrase))
}
