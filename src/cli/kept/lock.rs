//! `hushfs lock`: forgets a volume's key on this machine.

use anyhow::{Context, Result, anyhow};
use clap::Args;

use super::forget::{forget, forget_strays};
use super::place::Shown;
use crate::base::VolumeId;
use crate::cli::bucket_args::S3Args;
use crate::cli::control::MountStatus;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::{open_keyring, place_of};
use crate::cli::unlock::IgnoredUnlockArgs;
use crate::cli::{logging, report, runtime, status};
use crate::kernel_keys::KernelKeys;
use crate::keyring::LocalKeyring;
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs lock s3://my-bucket/home
  hushfs lock --all                (before you leave the machine; in ~/.bash_logout, for example)";

/// Forget a volume's key that this machine keeps
///
/// Takes it out of every place that `hushfs unlock` may have put it into; needs neither the network nor a key. A
/// mount that is running has the key in its memory and goes on: unmount it as well.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LockArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET", required_unless_present = "all")]
    bucket: Option<Location>,
    /// Forget the keys of all volumes
    #[arg(long, conflicts_with = "bucket")]
    all: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    ignored: IgnoredUnlockArgs,
}

/// Forgets, and says what is still open.
///
/// # Errors
/// `NoVolume` for a bucket that this machine has never seen; when a key stays where it is.
pub fn run(args: &LockArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let keyring = open_keyring()?;
    let runtime = runtime::start()?;
    let mounted = status::of_all()?;
    let Some(bucket) = &args.bucket else {
        runtime.block_on(lock_all(&keyring))?;
        tell(mounted.iter());
        return Ok(Exit::Success);
    };
    let volume = volume_at(&keyring, bucket, &args.s3)?;
    let places = runtime.block_on(forget(&keyring, volume)).with_context(|| format!("locking {bucket}"))?;
    match places.as_slice() {
        [] => eprintln!("no key of {bucket} was kept on this machine"),
        places => {
            let places: Vec<String> = places.iter().map(|place| Shown(*place).to_string()).collect();
            eprintln!("the key of {bucket} is forgotten; it was kept in {}", places.join(" and "));
        }
    }
    let id = volume.to_string();
    tell(mounted.iter().filter(|mount| mount.volume == id));
    Ok(Exit::Success)
}

fn volume_at(keyring: &LocalKeyring, bucket: &Location, s3: &S3Args) -> Result<VolumeId> {
    match keyring.pinned(&place_of(bucket, s3))? {
        Some(pin) => Ok(pin.volume),
        None => Err(refuse(
            Exit::NoVolume,
            format!(
                "this machine has never opened a volume in {bucket} (with this endpoint), so it keeps no key of \
                 it; `hushfs unlock --show` tells what it keeps"
            ),
        )),
    }
}

/// Goes on after a volume whose key stays, so that as much as possible is forgotten.
async fn lock_all(keyring: &LocalKeyring) -> Result<()> {
    let mut volumes = keyring.all_kept()?;
    match KernelKeys::open().and_then(|keys| keys.volumes()) {
        Ok(more) => volumes.extend(more),
        Err(error) => log::debug!("looking into the kernel keyring: {error}"),
    }
    volumes.sort();
    volumes.dedup();
    let (mut forgotten, mut failed) = (0, 0);
    for volume in volumes {
        match forget(keyring, volume).await {
            Ok(places) => forgotten += places.len(),
            Err(error) => {
                failed += 1;
                eprintln!("hushfs: volume {volume}: {}", report::describe(&error));
            }
        }
    }
    forgotten += usize::from(forget_strays().await?);
    match forgotten {
        0 => eprintln!("no key was forgotten"),
        1 => eprintln!("one key is forgotten"),
        more => eprintln!("{more} keys are forgotten"),
    }
    if failed > 0 {
        return Err(anyhow!("the keys of some volumes are still kept ({failed} failed)"));
    }
    Ok(())
}

fn tell<'a>(mounts: impl Iterator<Item = &'a MountStatus>) {
    for mount in mounts {
        let (at, pid) = (mount.mountpoint.display(), mount.pid);
        eprintln!(
            "still open: {at} is mounted, and process {pid} has its key in memory until `hushfs unmount {at}`"
        );
    }
}
