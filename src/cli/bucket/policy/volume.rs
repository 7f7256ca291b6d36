//! Whether the volume that lives under BUCKET could still be written once a kind of encryption is demanded.
//!
//! Its setting is sealed. With a key it is looked up; without one the object `volume` gives a hint at best.

use anyhow::{Context, Result};

use super::PolicyArgs;
use crate::cli::encryption::check_place;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::{HEADER_KEY, Opened, Store};
use crate::cli::unlocking::unlock_header;
use crate::object::policy::Requirements;
use crate::object::{Bucket, ErrorKind, S3Bucket, ServerEncryption};

/// Says what writing takes from now on, and refuses what would lock the volume's own machines out. Returns the volume
/// where a key was given.
///
/// # Errors
/// `Encryption` for a volume whose setting the policy would refuse; those of unlocking where a key was given.
pub(super) async fn check_volume(
    args: &PolicyArgs,
    bucket: &S3Bucket,
    requirements: &Requirements,
) -> Result<Option<Opened>> {
    let place = &args.bucket;
    if requirements.deny_customer_keys && requirements.encryption.is_none() {
        eprintln!("Volumes with --sse customer can no longer be written under {place}.");
    }
    if let Some(kind) = &requirements.encryption {
        eprintln!(
            "From now on a write under {place} must ask for {kind} aloud; the bucket's default does not count.\n\
             hushfs asks for it in volumes made with --sse {kind}, and in those without --sse; with others, give --sse \
             {kind} to each mount, gc and quota."
        );
    }
    if args.unlock.names_a_source() {
        return check_setting(args, requirements).await.map(Some);
    }
    let hint = match bucket.head(HEADER_KEY).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
        Err(error) => format!("is perhaps there: {}", error.source),
        Ok(info) => match &requirements.encryption {
            Some(kind)
                if *kind != ServerEncryption::Customer
                    && !info.encryption.is_silent()
                    && !info.encryption.is(kind, None) =>
            {
                let said = info.encryption;
                format!("is there. WARNING: its setting seems to be another one (the server says: {said})")
            }
            Some(_) | None => "is there".to_owned(),
        },
    };
    eprintln!(
        "A volume {hint}. Its setting is sealed: give a way to unlock it (--passphrase-file FILE) to have it checked, \
         and a write tried."
    );
    Ok(None)
}

/// The volume, whose setting fits the requirements, or asks for nothing and can be moved to what they demand.
pub(super) async fn check_setting(args: &PolicyArgs, requirements: &Requirements) -> Result<Opened> {
    let store = Store::open(&args.bucket, &args.s3).await?;
    let found = store.header().await?;
    let opened = unlock_header(store, found, |challenge| args.unlock.credential(challenge)).await;
    let opened = opened.context("looking up the volume's setting")?;
    let setting = &opened.unlocked.settings().encryption.writes;
    if requirements.admits(setting) {
        eprintln!("The volume there asks for {setting}: it fits.");
        return Ok(opened);
    }
    if let (ServerEncryption::Bucket, Some(kind)) = (setting, &requirements.encryption) {
        check_place(kind, &args.bucket, &args.s3)?;
        eprintln!(
            "The volume there asks for nothing. With this policy it gets the setting {kind}: it asks for it with every \
             write from now on, and mounts elsewhere learn of it with their next write. What is there already stays as \
             it is (hushfs bucket reencrypt moves it)."
        );
        return Ok(opened);
    }
    let why = format!(
        "the volume there asks for {} with every write, which this policy would refuse. Demand what it asks for; or \
         apply without a way to unlock, and give a matching --sse to each mount, gc and quota from then on",
        setting.describe()
    );
    Err(refuse(Exit::Encryption, why))
}
