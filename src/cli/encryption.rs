//! Encryption at rest by the server, from the command line to the bucket.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::bucket_args::S3Args;
use super::exit::{Exit, refuse};
use super::opening::{HEADER_KEY, Opened};
use crate::keyring::EncryptionSettings;
use crate::object::{
    BucketError, Condition, Encryption, EncryptionContext, EncryptionRules, ErrorKind, Location, Mismatch,
    ServerEncryption,
};
use crate::vault::{ServerKeys, Vault};

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

/// The rules that a volume's settings make.
fn rules(settings: &EncryptionSettings, vault: &Vault) -> EncryptionRules {
    EncryptionRules {
        writes: settings.writes.clone(),
        also: settings.also.clone(),
        keys: Some(Arc::new(ServerKeys::of(vault))),
    }
}

/// Puts the settings of an unlocked volume in force.
///
/// # Errors
/// `Encryption` when what was read before unlocking is not as the settings say.
pub fn settle(encryption: &Encryption, settings: &EncryptionSettings, vault: &Vault) -> Result<()> {
    let judged = encryption.settle(rules(settings, vault));
    judged.map_err(|(key, mismatch): (String, Mismatch)| {
        anyhow::Error::new(BucketError::new(ErrorKind::Encryption, "get", key, mismatch))
    })
}

impl Opened {
    /// Asks for `chosen` instead of what the settings say, for what this process writes from now on. Kinds that
    /// other machines would not expect to read are noted in the volume's settings first.
    ///
    /// # Errors
    /// What cannot be had there; those of replacing the volume header.
    pub async fn write_as(&mut self, chosen: Option<ServerEncryption>, s3: &S3Args) -> Result<()> {
        let settings = &self.unlocked.settings().encryption;
        let kind = chosen.unwrap_or_else(|| settings.writes.clone());
        check_place(&kind, &self.store.location, s3)?;
        if kind == settings.writes {
            return Ok(());
        }
        let readable = settings.also_reading(&kind);
        // In force before the header is replaced: a policy may demand this kind of every write.
        let own = readable.moving_to(&kind);
        settle(&self.store.encryption, &own, &self.vault)?;
        if readable != *settings {
            self.change_encryption(readable).await?;
        }
        Ok(())
    }

    /// Replaces the volume header by one with other settings of encryption. Durable when it returns.
    ///
    /// # Errors
    /// When somebody else replaces it at the same moment; those of the store.
    pub async fn change_encryption(&mut self, encryption: EncryptionSettings) -> Result<()> {
        let random = self.store.random.as_ref();
        let (bytes, next) = self.unlocked.with_encryption(encryption, random)?;
        let location = &self.store.location;
        let put =
            self.store.impatient().put(HEADER_KEY, bytes.into(), Condition::Matches(self.etag.clone())).await;
        let etag = match put {
            Ok(etag) => etag,
            Err(error) if error.kind == ErrorKind::Precondition => {
                let why =
                    format!("the header of {location} was changed by another machine just now; try again");
                return Err(refuse(Exit::Failure, why));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("replacing the volume header in {location}"));
            }
        };
        (self.etag, self.unlocked) = (etag, next);
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
