//! The life of a mount: open the volume, serve the kernel, answer orders, close.
//!
//! Whatever goes wrong before the directory can be used is undone here and reported; afterwards nothing
//! but the end of the session, a signal or an order ends it.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::at_rest::AtRest;
use super::events::{Event, forward_signals};
use super::kernel;
use super::mounted::{Identity, Mounted};
use super::order::MountOrder;
use super::writing::Writing;
use crate::cli::control::ControlSocket;
use crate::cli::exit::Exit;
use crate::cli::opening::{Opened, host_name, open_volume};
use crate::cli::single_writer::{self, HeldLock};
use crate::cli::unlock::{Challenge, RawCredential};
use crate::cli::{paths, probing, runtime, turn};
use crate::keyring::VolumeLock;
use crate::object::{Bucket, Location};
use crate::volume::{Volume, VolumeOptions};

/// Who asked for the mount: the terminal, or the process that started this one.
pub trait Front {
    /// Brings what opens the volume; called after the volume was found, and once more when that was a kept key which no
    /// longer opens it.
    ///
    /// # Errors
    /// When there is nothing to bring.
    fn credential(&mut self, challenge: &Challenge) -> Result<RawCredential>;
    /// Tells the user something that does not keep the mount from going on.
    ///
    /// # Errors
    /// When nobody listens any more.
    fn warn(&mut self, warning: &str) -> Result<()>;
    /// The directory can be used.
    ///
    /// # Errors
    /// When nobody listens any more: the mount is taken back then.
    fn mounted(&mut self) -> Result<()>;
}

/// What keeps other writers out while this one lives.
struct Locks {
    /// Of this machine; nothing while it is read-only.
    volume: Arc<OnceLock<VolumeLock>>,
    /// In the bucket, with `--single-writer`.
    writer: Option<HeldLock>,
}

/// Mounts and serves until the end.
///
/// # Errors
/// Everything that can keep a volume from being mounted, and `NotAllStored` at the end.
pub fn serve(order: &MountOrder, front: &mut dyn Front) -> Result<Exit> {
    let runtime = runtime::start()?;
    let (events, received) = channel();
    forward_signals(runtime.handle(), &events)?;

    let (mounted, locks) = runtime.block_on(prepare(order, front, runtime.handle()))?;
    let mounted = Arc::new(mounted);
    let socket = begin(order, &mounted, &locks, events).inspect_err(|_| mounted.close_unused())?;
    log::info!("{} is mounted at {}", order.bucket, order.mountpoint.display());

    let clock = Arc::clone(mounted.volume().clock());
    let operator: Arc<Mounted> = Arc::clone(&mounted);
    let control = socket.serve(operator, clock).context("the control socket");
    let begun = control.and_then(|control| front.mounted().map(|()| control));
    let control = match begun {
        Ok(control) => control,
        Err(error) => {
            kernel::detach(&order.mountpoint)?;
            mounted.run_to_the_end(&received);
            return Err(error);
        }
    };
    let outcome = mounted.run_to_the_end(&received);
    if let Some(writer) = locks.writer {
        runtime.block_on(writer.release());
    }
    drop(control);
    runtime.shutdown_timeout(Duration::from_secs(1));
    if outcome.exit != Exit::Success {
        log::error!("{}", outcome.message);
    }
    Ok(outcome.exit)
}

/// Has the kernel show the volume. Returns the socket for orders, at which somebody may be waiting already.
fn begin(
    order: &MountOrder,
    mounted: &Mounted,
    locks: &Locks,
    events: Sender<Event>,
) -> Result<ControlSocket> {
    let socket = ControlSocket::bind(&order.mountpoint).context("the control socket")?;
    let lock = Arc::clone(&locks.volume);
    let fs = kernel::mount(mounted.volume(), order, move || {
        if let Some(Err(error)) = lock.get().map(VolumeLock::leave) {
            log::warn!("a mount that follows at once will not know that this one is leaving: {error}");
        }
        if events.send(Event::SessionEnded).is_err() {
            log::debug!("the session ended after its process was done");
        }
    })?;
    mounted.begun(fs);
    Ok(socket)
}

async fn prepare(order: &MountOrder, front: &mut dyn Front, runtime: &Handle) -> Result<(Mounted, Locks)> {
    let location = Location::parse(&order.bucket)?;
    let mut opened = open_volume(&location, &order.s3, |challenge| front.credential(challenge)).await?;
    let lock = Arc::<OnceLock<VolumeLock>>::default();
    // There is any number of mounts that only look.
    if !order.read_only {
        let warn = &mut |warning: &str| front.warn(warning);
        let taken = turn::take(&opened.keyring, opened.unlocked.volume(), &order.bucket, warn).await?;
        lock.get_or_init(|| taken);
    }
    match writes_at_once(&opened, order) {
        true => opened.write_as(order.sse.chosen()?, &order.s3).await?,
        false => opened.check_place(&order.s3)?,
    }
    opened.has_chosen |= order.sse.sse.is_some();
    let (bucket, writer) = guard_writes(&opened, order, front).await?;
    let identity = Identity {
        bucket: order.bucket.clone(),
        mountpoint: order.mountpoint.clone(),
        volume: opened.unlocked.volume().to_string(),
        fingerprint: opened.unlocked.fingerprint().to_string(),
        label: opened.unlocked.settings().label.clone(),
        single_writer: writer.is_some(),
        cache_limit: order.cache_size,
        link: opened.store.link(),
    };
    let options = volume_options(&opened, order)?;
    let meter = opened.store.meter.clone();
    let store = &opened.store;
    let at_rest = AtRest::new(store.encryption.clone(), store.s3.clone(), Arc::clone(&store.clock));
    let volume = Volume::open(opened.environment(bucket), options).await;
    let volume = volume.with_context(|| format!("opening the volume in {location}"))?;
    let writing = Writing::new(Mutex::new(opened), order, Arc::clone(&lock));
    let mounted = Mounted::new(volume, meter, at_rest, identity, writing, runtime.clone());
    Ok((mounted, Locks { volume: lock, writer }))
}

/// Whether what is asked of the server must be settled before the volume is opened: it was chosen for this mount, or there
/// are objects to write that are not the volume's. Else the first write that is denied settles it, which saves the look at
/// the bucket's policy (see [`Opened::working_bucket`]).
fn writes_at_once(opened: &Opened, order: &MountOrder) -> bool {
    let alone = order.single_writer || opened.unlocked.settings().single_writer;
    !order.read_only && (order.sse.sse.is_some() || alone || !probing::is_remembered(&opened.store))
}

/// Finds out whether the store can be shared, and takes the lock object where it cannot.
async fn guard_writes(
    opened: &Opened,
    order: &MountOrder,
    front: &mut dyn Front,
) -> Result<(Arc<dyn Bucket>, Option<HeldLock>)> {
    let bucket = opened.working_bucket();
    if order.read_only {
        return Ok((bucket, None));
    }
    if let Some(warning) = probing::examine_once(&opened.store, order.single_writer).await? {
        front.warn(&warning)?;
    }
    if !order.single_writer && !opened.unlocked.settings().single_writer {
        return Ok((bucket, None));
    }
    let clock = Arc::clone(&opened.store.clock);
    let (lock, fenced) = single_writer::hold(bucket, clock, opened.machine(), &host_name())
        .await
        .with_context(|| format!("taking the lock of {} (its object \"lock\")", order.bucket))?;
    Ok((Arc::new(fenced), Some(lock)))
}

fn volume_options(opened: &Opened, order: &MountOrder) -> Result<VolumeOptions> {
    Ok(VolumeOptions {
        commit_interval: Duration::from_secs(order.commit_interval_secs),
        cache_dir: cache_dir(opened, order)?,
        cache_size: order.cache_size,
        memory: usize::try_from(order.memory).context("--memory")?,
        ..opened.volume_options(order.read_only)
    })
}

/// The volume's own folder below the cache root. A reading mount beside a writing one has another, so
/// that each folder has one user.
fn cache_dir(opened: &Opened, order: &MountOrder) -> Result<Option<PathBuf>> {
    if order.cache_size == 0 {
        return Ok(None);
    }
    let mut name = opened.unlocked.volume().to_string();
    if order.read_only {
        name = format!("{name}-{}", paths::short_name(order.mountpoint.as_os_str()));
    }
    let folder = order.cache_root.join(name);
    paths::private_folder(&folder).with_context(|| format!("the cache folder {}", folder.display()))?;
    Ok(Some(folder))
}
