//! `hushfs init`: makes a volume.

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{getgid, getuid};

use super::bucket_args::S3Args;
use super::encryption::{SseArgs, check_place};
use super::exit::{Exit, refuse};
use super::kdf::Kdf;
use super::maintenance::Session;
use super::opening::{HEADER_KEY, Opened, Store, open_keyring};
use super::recovery_page::RecoveryPage;
use super::size::size_parser;
use super::unlock::{RawCredential, UnlockArgs, create_key_file};
use super::{logging, probing, runtime};
use crate::keyring::{
    Created, EncryptionSettings, NewSlot, NewSlotKey, NewVolume, RecoveryCode, Settings, SlotId, SlotKind,
    create,
};
use crate::object::{Bucket, Condition, EncryptionRules, Location};
use crate::volume::Volume;

/// What a bucket may hold before it holds a volume: leftovers of an interrupted init.
const OWN_LEFTOVERS: [&str; 2] = ["probe/", "lock"];

const EXAMPLES: &str = "\
Examples:
  hushfs init file:///srv/bucket
  hushfs init s3://my-bucket/home --region eu-central-1 --label home
  hushfs init s3://my-bucket/home --key-file /etc/hushfs/home.key   (made if it is missing)
  hushfs init file:///srv/bucket --quota 100G
  hushfs init s3://my-bucket/home --sse kms:alias/hushfs --bucket-key
  hushfs init s3://test/vol --endpoint-url http://127.0.0.1:8333 --path-style

Standard output has the volume's id, its fingerprint and the recovery code, which is shown only once.";

/// Make a volume in an empty bucket (or below an empty prefix)
///
/// Asks for a passphrase twice, or takes it from a source below; with --key-file alone the volume has no
/// passphrase. Looks first whether the store honours conditional writes, without which several machines
/// could overwrite each other's changes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// A name for people, sealed like everything else
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Bytes of a file that are sealed together: a power of two from 4K to 128K
    #[arg(long, value_name = "SIZE", default_value = "64K", value_parser = size_parser())]
    chunk_size: u64,
    /// What files may hold in all, before compression; 0 for no limit
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size_parser())]
    quota: u64,
    /// How many files and folders there may be; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    quota_inodes: u64,
    /// Accept a store that ignores conditional writes: a lock object keeps other writers out
    #[arg(long)]
    single_writer: bool,
    /// How hard guessing the passphrase shall be
    #[arg(long, value_enum, default_value_t = Kdf::Calibrated)]
    kdf: Kdf,
    #[command(flatten)]
    sse: SseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Makes the volume and prints what its owner has to keep.
///
/// # Errors
/// `NotEmpty`, `UnsafeStore`, `Usage`, and those of the store.
pub fn run(args: &InitArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    runtime::start()?.block_on(make(args))?;
    Ok(Exit::Success)
}

async fn make(args: &InitArgs) -> Result<()> {
    let location = &args.bucket;
    let mut new = NewVolume {
        chunk_size: u32::try_from(args.chunk_size).unwrap_or(u32::MAX),
        label: args.label.clone(),
        single_writer: args.single_writer,
        encryption: args.sse.chosen_for(location, &args.s3)?.unwrap_or_default(),
    };
    check_settings(&new)?;
    let store = Store::open_or_create(location, &args.s3).await?;
    if args.sse.sse.is_none()
        && let Some(demanded) = store.demanded_encryption().await
    {
        eprintln!(
            "hushfs: the bucket's policy wants every write to ask for encryption: the volume asks for {demanded}, as \
             with --sse {demanded}."
        );
        check_place(&demanded, location, &args.s3)?;
        new.encryption = demanded;
    }
    // From the first object on: a policy may demand it of every write.
    store.encryption.begin(EncryptionRules { writes: new.encryption.clone(), ..EncryptionRules::default() });
    let bucket = store.impatient();
    refuse_what_is_there(bucket.as_ref(), &store).await?;
    if let Some(warning) = probing::examine(&store, args.single_writer).await? {
        eprintln!("hushfs: warning: {warning}.");
    }

    if let Some(file) = args.unlock.key_file.as_ref().filter(|file| !file.exists()) {
        create_key_file(file, store.random.as_ref())?;
        eprintln!(
            "hushfs: made the key file {}; whoever has it can open the volume, without it (and \
                   without the recovery code) nobody can",
            file.display()
        );
    }
    let credentials = args.unlock.new_credentials(&location.to_string())?;
    let created = seal(&new, &credentials, args.kdf, &store)?;
    drop(credentials);

    let etag = bucket
        .put(HEADER_KEY, created.bytes.clone().into(), Condition::CreateOnly)
        .await
        .with_context(|| format!("writing the volume header to {location}"))?;
    let Created { recovery_code, recovery_slot, unlocked, .. } = created;
    let opened = Opened::remember(store, open_keyring()?, unlocked, etag)?;
    let environment = opened.reading(opened.store.patient());
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    if let Err(error) = Volume::create(&environment, new.chunk_size, uid, gid).await {
        withdraw(bucket.as_ref()).await;
        return Err(error).with_context(|| format!("writing the first commit to {location}"));
    }
    announce(&opened, &recovery_code, recovery_slot)?;
    set_quota(args, &opened).await.with_context(|| {
        format!("the volume is made, but without its quota; set it: hushfs quota {location} --set BYTES")
    })
}

/// The quota is an operation like others: it needs a session.
async fn set_quota(args: &InitArgs, opened: &Opened) -> Result<()> {
    if args.quota == 0 && args.quota_inodes == 0 {
        return Ok(());
    }
    let session = Session::begin(opened, false, "init").await?;
    let set =
        tokio::task::block_in_place(|| session.volume.set_quota(Some(args.quota), Some(args.quota_inodes)));
    let ended = session.end().await;
    set?;
    ended
}

fn check_settings(new: &NewVolume) -> Result<()> {
    let settings = Settings {
        chunk_size: new.chunk_size,
        created: crate::base::Timestamp::default(),
        label: new.label.clone(),
        single_writer: new.single_writer,
        encryption: EncryptionSettings::only(new.encryption.clone()),
        reencrypting: false,
    };
    Ok(settings.check().map_err(crate::keyring::KeyringError::from)?)
}

/// A bucket must be empty but for what an interrupted init leaves, or init would mix two owners' objects.
async fn refuse_what_is_there(bucket: &dyn Bucket, store: &Store) -> Result<()> {
    let location = &store.location;
    let page = bucket.list("", None, 100).await.with_context(|| format!("looking into {location}"))?;
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    let leftover = |key: &&&str| OWN_LEFTOVERS.iter().any(|own| key.starts_with(own));
    if let Some(foreign) = keys.iter().find(|key| !leftover(key) && !is_ours(key)) {
        return Err(refuse(
            Exit::NotEmpty,
            format!(
                "{location} is not empty: there is {foreign:?}, which is not hushfs's; \
                 use another bucket or a prefix, as in {location}/hushfs"
            ),
        ));
    }
    let has_log = !bucket.list("log/", None, 1).await?.objects.is_empty();
    let has_header = keys.contains(&HEADER_KEY)
        || bucket.list(HEADER_KEY, None, 1).await?.objects.iter().any(|o| o.key == HEADER_KEY);
    match (has_header, has_log) {
        (false, false) => Ok(()),
        (true, true) => Err(refuse(
            Exit::NotEmpty,
            format!("there is a volume in {location} already; mount it: hushfs mount {location} MOUNTPOINT"),
        )),
        (true, false) => Err(refuse(
            Exit::NotEmpty,
            format!(
                "{location} holds a half-made volume: an init was interrupted before its first commit, so \
                 it never held a file; delete its object {HEADER_KEY:?} and run init again"
            ),
        )),
        (false, true) => Err(refuse(
            Exit::NotEmpty,
            format!(
                "{location} holds the log of a volume whose object {HEADER_KEY:?} is gone; restore that \
                 object from a copy, or use another prefix"
            ),
        )),
    }
}

fn is_ours(key: &str) -> bool {
    key == HEADER_KEY || ["log/", "tree/", "data/"].iter().any(|folder| key.starts_with(folder))
}

fn seal(new: &NewVolume, credentials: &[RawCredential], kdf: Kdf, store: &Store) -> Result<Created> {
    let cost = kdf.cost(store.clock.as_ref())?;
    let (random, clock) = (store.random.as_ref(), store.clock.as_ref());
    let slots = credentials.iter().map(|credential| {
        let key = match credential.kind() {
            Some(SlotKind::KeyFile) => NewSlotKey::KeyFile(credential.secret()),
            _ => NewSlotKey::Passphrase { passphrase: credential.secret(), cost },
        };
        NewSlot::new(key, random)
    });
    Ok(tokio::task::block_in_place(|| create(new, slots, random, clock))?)
}

/// Removes the header of a volume that got no first commit, so that init can be run again.
async fn withdraw(bucket: &dyn Bucket) {
    if let Err(error) = bucket.delete(&[HEADER_KEY.to_owned()]).await {
        eprintln!("hushfs: the object {HEADER_KEY:?} stays behind ({error}); delete it before the next init");
    }
}

fn announce(opened: &Opened, recovery_code: &RecoveryCode, slot: SlotId) -> Result<()> {
    let location = &opened.store.location;
    println!(
        "A volume was made in {location}. The recovery code below is shown only this once and kept nowhere.\n"
    );
    RecoveryPage::new(opened, recovery_code, slot).print()?;
    println!("\nNext: hushfs mount {location} MOUNTPOINT");
    Ok(())
}
