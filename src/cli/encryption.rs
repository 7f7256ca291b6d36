//! Encryption at rest by the server, from the command line to the bucket.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::bucket_args::S3Args;
use super::exit::{Exit, refuse};
use super::opening::{HEADER_KEY, Opened};
use super::spot::try_writing;
use crate::keyring::{EncryptionSettings, MAX_HEADER_LEN};
use crate::object::{
    BucketError, Condition, Encryption, EncryptionContext, EncryptionRules, ErrorKind, Location, Mismatch,
    ServerEncryption, get_at_most,
};
use crate::vault::{ServerKeys, Vault};

/// Races for the header that are lost before a command gives up.
const MAX_ATTEMPTS: usize = 20;

/// What to ask of the server, on top of hushfs's own sealing.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[command(
    next_help_heading = "Encryption at rest by the server (on top of hushfs's own, which is always on)"
)]
pub struct SseArgs {
    /// What to ask of the server with every write: bucket (nothing: its default decides), s3, kms[:KEY-ID],
    /// dsse[:KEY-ID], or customer (SSE-C: hushfs sends a key that it derives; needs https)
    #[arg(long, value_name = "KIND")]
    pub sse: Option<String>,
    /// Part of the encryption context that KMS writes into its audit trail (kms and dsse; may be repeated)
    #[arg(long, value_name = "NAME=VALUE", requires = "sse")]
    pub sse_context: Vec<String>,
    /// One KMS call for many objects instead of one for each, against KMS's quota (kms only)
    #[arg(long, requires = "sse")]
    pub bucket_key: bool,
}

impl SseArgs {
    /// What was chosen, if anything.
    ///
    /// # Errors
    /// `Usage` for what S3 does not offer.
    pub fn chosen(&self) -> Result<Option<ServerEncryption>> {
        let Some(kind) = &self.sse else { return Ok(None) };
        let chosen = EncryptionContext::parse(self.sse_context.iter().map(String::as_str))
            .and_then(|context| ServerEncryption::new(kind, context, self.bucket_key));
        chosen.map(Some).map_err(|error| refuse(Exit::Usage, format!("--sse: {error}")))
    }

    /// As [`Self::chosen`], for what is at `location`: to be asked before anything is sent there.
    ///
    /// # Errors
    /// Also those of [`check_place`].
    pub fn chosen_for(&self, location: &Location, s3: &S3Args) -> Result<Option<ServerEncryption>> {
        let chosen = self.chosen()?;
        if let Some(kind) = &chosen {
            check_place(kind, location, s3)?;
        }
        Ok(chosen)
    }
}

/// Says that a choice bears on nothing where the mount on this machine does the writing.
pub fn note_mount_writes(chosen: Option<&ServerEncryption>) {
    if let Some(kind) = chosen {
        eprintln!(
            "hushfs: --sse {kind} changes nothing: the volume is mounted on this machine, and its mount writes, as it was \
             told to."
        );
    }
}

/// Refuses what cannot be had at `location`, before anything is sent.
///
/// # Errors
/// `Usage` for a folder; `Encryption` for customer keys over plain HTTP.
pub fn check_place(kind: &ServerEncryption, location: &Location, s3: &S3Args) -> Result<()> {
    if matches!(location, Location::Folder(_)) && *kind != ServerEncryption::Bucket {
        let why = format!("--sse {kind}: {location} is a folder, which no server encrypts; leave --sse out");
        return Err(refuse(Exit::Usage, why));
    }
    match s3.endpoint() {
        Some(endpoint)
            if *kind == ServerEncryption::Customer
                && !endpoint.to_ascii_lowercase().starts_with("https://") =>
        {
            Err(refuse(
                Exit::Encryption,
                format!(
                    "SSE-C sends the key of each object along with the request, and {endpoint} is plain HTTP, also \
                     on this machine; give an https:// endpoint, or choose another kind"
                ),
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// Puts the settings of an unlocked volume in force; `own` is what this process was told to write instead.
///
/// # Errors
/// `Encryption` when what was read before unlocking is not as the settings say.
pub fn settle(
    encryption: &Encryption,
    settings: &EncryptionSettings,
    own: Option<&ServerEncryption>,
    vault: &Vault,
) -> Result<()> {
    let readable = own.map_or_else(|| settings.clone(), |own| settings.moving_to(own));
    let judged = encryption.settle(EncryptionRules {
        writes: readable.writes,
        own: own.is_some(),
        settings: vault.encryption().all().cloned().collect(),
        also: readable.also,
        keys: Some(Arc::new(ServerKeys::of(vault))),
    });
    judged.map_err(|(key, mismatch): (String, Mismatch)| {
        anyhow::Error::new(BucketError::new(ErrorKind::Encryption, "get", key, mismatch))
    })
}

impl Opened {
    /// Asks for `chosen` instead of what the settings say, for what this process writes from now on; without a choice
    /// and where the settings ask for nothing, for what the bucket's policy demands. Kinds that other machines would
    /// not expect to read are noted in the volume's settings first.
    ///
    /// # Errors
    /// What cannot be had there; those of replacing the volume header.
    pub async fn write_as(&mut self, chosen: Option<ServerEncryption>, s3: &S3Args) -> Result<()> {
        self.has_chosen |= chosen.is_some();
        let kind = match chosen {
            Some(kind) => kind,
            None => match self.demanded().await {
                Some(kind) => kind,
                None => return self.check_place(s3),
            },
        };
        check_place(&kind, &self.store.location, s3)?;
        // In force before the header is replaced: a policy may demand this kind of every write.
        self.ask_for(&kind)?;
        let known = &self.unlocked.settings().encryption;
        if known.also_reading(&kind) != *known {
            // A server that does something else would take the header all the same, and then nobody could read it.
            try_writing(self, &kind).await?;
        }
        self.change_encryption(|settings| settings.also_reading(&kind)).await
    }

    /// What the settings ask for can be had here.
    ///
    /// # Errors
    /// As the function of this name.
    pub fn check_place(&self, s3: &S3Args) -> Result<()> {
        check_place(&self.unlocked.settings().encryption.writes, &self.store.location, s3)
    }

    /// Asks for what the bucket's policy demands, where the settings ask for nothing: for commands that write the
    /// volume header alone, which no setting judges.
    ///
    /// # Errors
    /// Those of [`Self::ask_for`] and of a trial.
    pub async fn write_as_demanded(&self) -> Result<()> {
        match self.demanded().await {
            Some(kind) => {
                self.ask_for(&kind)?;
                // A header that was stored and then refused for its encryption has replaced the old one all the same.
                try_writing(self, &kind).await
            }
            None => Ok(()),
        }
    }

    /// Asks for `kind` with what this process writes from now on, whatever the settings say.
    ///
    /// # Errors
    /// Those of [`settle`].
    pub fn ask_for(&self, kind: &ServerEncryption) -> Result<()> {
        settle(&self.store.encryption, &self.unlocked.settings().encryption, Some(kind), &self.vault)
    }

    async fn demanded(&self) -> Option<ServerEncryption> {
        match self.unlocked.settings().encryption.writes {
            ServerEncryption::Bucket => self.store.demanded_encryption().await,
            _ => None,
        }
    }

    /// Replaces the volume header by one with the settings of encryption that `change` makes of those that are
    /// there, unless they are that already. Durable when it returns.
    ///
    /// # Errors
    /// When others replace it all the time; those of the store; as [`Opened::check_log`].
    pub async fn change_encryption(
        &mut self,
        change: impl Fn(&EncryptionSettings) -> EncryptionSettings,
    ) -> Result<()> {
        let known = &self.unlocked.settings().encryption;
        if change(known) != *known {
            self.check_log().await?;
        }
        for _ in 0..MAX_ATTEMPTS {
            let known = &self.unlocked.settings().encryption;
            let wanted = change(known);
            if wanted == *known {
                return Ok(());
            }
            let (bytes, next) = self.unlocked.with_encryption(wanted, self.store.random.as_ref())?;
            let condition = Condition::Matches(self.etag.clone());
            match self.store.impatient().put(HEADER_KEY, bytes.clone().into(), condition).await {
                Ok(etag) => {
                    (self.etag, self.unlocked) = (etag, next);
                    self.vault.renew(&bytes).context("taking over the settings just written")?;
                    return self.note_generation(self.unlocked.generation());
                }
                Err(error) if error.kind == ErrorKind::Precondition => self.refresh().await?,
                Err(error) => {
                    let location = &self.store.location;
                    return Err(error).with_context(|| format!("replacing the volume header in {location}"));
                }
            }
        }
        let location = &self.store.location;
        Err(refuse(Exit::Failure, format!("the header of {location} changes all the time; try again later")))
    }

    /// Takes over the volume header that is there now, with the volume key that is at hand.
    ///
    /// # Errors
    /// Those of the store; a header that is older, or not this volume's.
    async fn refresh(&mut self) -> Result<()> {
        let location = &self.store.location;
        let bucket = self.store.impatient();
        let found = get_at_most(bucket.as_ref(), HEADER_KEY, MAX_HEADER_LEN as u64).await;
        let found = found.with_context(|| format!("looking at the volume header in {location}"))?;
        let newest = self
            .unlocked
            .reopen(&found.bytes)
            .with_context(|| format!("the volume header in {location} was replaced"))?;
        if newest.generation() < self.unlocked.generation() {
            let why = format!("{location} has an older volume header than a moment ago");
            return Err(refuse(Exit::Tampered, why));
        }
        self.vault.renew(&found.bytes).context("taking over newer settings")?;
        (self.etag, self.unlocked) = (found.etag, newest);
        self.note_generation(self.unlocked.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(sse: &str, context: &[&str], bucket_key: bool) -> SseArgs {
        let sse_context = context.iter().map(|pair| (*pair).to_owned()).collect();
        SseArgs { sse: Some(sse.to_owned()), sse_context, bucket_key }
    }

    fn exit_of(result: Result<impl Sized>) -> Option<Exit> {
        result.err().map(|error| crate::cli::classify::classify(&error))
    }

    #[test]
    fn a_choice_is_taken_together_from_its_options() {
        assert_eq!(SseArgs::default().chosen().unwrap(), None);
        let chosen = args("kms:k", &["team=a"], true).chosen().unwrap().unwrap();
        assert_eq!(chosen.describe(), "kms:k (bucket key, context team=a)");
        for refused in [args("dsse", &[], true), args("s3", &["a=b"], false), args("none", &[], false)] {
            assert_eq!(exit_of(refused.chosen()), Some(Exit::Usage), "{refused:?}");
        }
    }

    #[test]
    fn what_a_place_cannot_give_is_refused_before_anything_is_sent() {
        let folder: Location = "file:///srv/b".parse().unwrap();
        let bucket: Location = "s3://bucket".parse().unwrap();
        let at = |url: &str| S3Args { endpoint_url: Some(url.to_owned()), ..S3Args::default() };
        let check =
            |kind: ServerEncryption, place: &Location, s3: &S3Args| exit_of(check_place(&kind, place, s3));
        assert_eq!(check(ServerEncryption::S3, &folder, &S3Args::default()), Some(Exit::Usage));
        assert_eq!(check(ServerEncryption::Bucket, &folder, &S3Args::default()), None);
        for (url, refused) in [
            ("http://127.0.0.1:8333", true),
            ("http://s3.example", true),
            ("https://127.0.0.1:8333", false),
            ("HTTPS://s3.example", false),
        ] {
            let expected = refused.then_some(Exit::Encryption);
            assert_eq!(check(ServerEncryption::Customer, &bucket, &at(url)), expected, "{url}");
            assert_eq!(check(ServerEncryption::S3, &bucket, &at(url)), None);
        }
    }
}
