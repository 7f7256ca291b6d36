//! A mounted volume and the ways it ends.
//!
//! Unmounting is: sync, let the kernel go, close. A failure before the kernel lets go leaves everything
//! as it was. Afterwards only closing is left: it is repeated until it succeeds, or until somebody says
//! that what is missing may be lost.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Error;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use super::at_rest::AtRest;
use super::events::Event;
use super::kernel;
use super::moving::Moving;
use super::users::{self, Users};
use super::writing::Writing;
use crate::base::Epoch;
use crate::cli::classify::classify;
use crate::cli::control::{
    CacheStatus, Collected, LogStatus, MountStatus, Operator, Outcome, ReencryptOrder, Reencrypted,
    RequestCounts, SpaceStatus, Waiting,
};
use crate::cli::exit::Exit;
use crate::cli::progress::describe;
use crate::cli::report;
use crate::fs::Filesystem;
use crate::object::{Link, Meter};
use crate::volume::{
    Announced, GcRequest, Plan, ReencryptRequest, Volume, VolumeError, Watcher, gc, plan_reencryption,
    reencrypt,
};

/// How long a forced unmount waits for the bucket before it gives up on what is missing.
const FORCED_PATIENCE: Duration = Duration::from_secs(5);
/// How long the kernel may take to let go of what was unmounted: programs that end at this moment, a million
/// inodes. Where somebody is seen to use it, it is not expected to.
const LETTING_GO: Duration = Duration::from_secs(5);
const LETTING_GO_IN_USE: Duration = Duration::from_secs(1);
/// Time between attempts to close a volume whose bucket is away.
const CLOSE_AGAIN: Duration = Duration::from_secs(5);

/// What a mount is called.
pub struct Identity {
    pub bucket: String,
    pub mountpoint: PathBuf,
    pub volume: String,
    pub fingerprint: String,
    pub label: String,
    pub single_writer: bool,
    pub cache_limit: u64,
    pub link: Link,
}

/// A mounted volume.
pub struct Mounted {
    volume: Arc<Volume>,
    /// Known once the kernel has it.
    fs: OnceLock<Arc<Filesystem>>,
    /// The kernel's number of the filesystem; empty when it could not be found out.
    device: OnceLock<String>,
    meter: Meter,
    at_rest: AtRest,
    identity: Identity,
    writing: Writing,
    runtime: Handle,
    /// One unmount at a time.
    unmounting: Mutex<()>,
    moving: Moving,
    /// What is missing in the bucket may be lost.
    given_up: AtomicBool,
    phase: Mutex<Phase>,
    moved_on: Condvar,
}

/// How far it has come.
enum Phase {
    /// The kernel has it.
    Serving,
    /// The kernel has let go.
    Closing,
    Ended(Outcome),
}

/// How insistent an unmount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insistence {
    /// Files in use and a bucket that is away keep the volume mounted.
    Polite,
    /// A signal: files in use do not keep it, the bucket does.
    Detach,
    /// Nothing keeps it.
    Force,
}

impl Mounted {
    /// Wraps an open volume; `meter` counts its requests.
    pub fn new(
        volume: Arc<Volume>,
        meter: Meter,
        at_rest: AtRest,
        identity: Identity,
        writing: Writing,
        runtime: Handle,
    ) -> Self {
        Self {
            volume,
            fs: OnceLock::new(),
            device: OnceLock::new(),
            meter,
            at_rest,
            identity,
            writing,
            runtime,
            unmounting: Mutex::new(()),
            moving: Moving::default(),
            given_up: AtomicBool::new(false),
            phase: Mutex::new(Phase::Serving),
            moved_on: Condvar::new(),
        }
    }

    /// The volume.
    pub fn volume(&self) -> &Arc<Volume> {
        &self.volume
    }

    /// Handles events until the session has ended and the volume is closed (or given up).
    pub fn run_to_the_end(self: &Arc<Self>, events: &Receiver<Event>) -> Outcome {
        let mut signals = 0;
        while let Ok(Event::Signal) = events.recv() {
            signals += 1;
            self.unmount_after_signal(signals);
        }
        self.move_on(Phase::Closing);
        let outcome = self.close(events);
        self.move_on(Phase::Ended(outcome.clone()));
        outcome
    }

    fn move_on(&self, phase: Phase) {
        *self.phase.lock() = phase;
        self.moved_on.notify_all();
    }

    /// Waits until it has ended. When the kernel does not let go within `patience`, though nothing is mounted any
    /// more, somebody uses it: `None`.
    fn wait_for_end(&self, patience: Duration) -> Option<Outcome> {
        let mut phase = self.phase.lock();
        let serving = |phase: &mut Phase| matches!(phase, Phase::Serving);
        self.moved_on.wait_while_for(&mut phase, serving, patience);
        loop {
            match &*phase {
                Phase::Serving => return None,
                Phase::Closing => self.moved_on.wait(&mut phase),
                Phase::Ended(outcome) => return Some(outcome.clone()),
            }
        }
    }

    /// The kernel has it, served by `fs`. Only the first call counts.
    pub fn begun(&self, fs: Arc<Filesystem>) {
        self.fs.get_or_init(|| fs);
        self.device.get_or_init(|| match kernel::mounted_at(&self.identity.mountpoint) {
            Ok(mount) => mount.map(|mount| mount.device).unwrap_or_default(),
            Err(error) => {
                log::warn!("{}", report::describe(&error));
                String::new()
            }
        });
    }

    /// Where it is shown, the newest place first: nowhere when it was detached, or moved out of sight.
    fn places(&self) -> anyhow::Result<Vec<PathBuf>> {
        match self.device.get().map_or("", String::as_str) {
            // It could not be found out; the kernel says what it thinks of the place it had.
            "" => Ok(vec![self.identity.mountpoint.clone()]),
            device => kernel::places_of(device),
        }
    }

    fn each_place(&self, mut act: impl FnMut(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.places()?.iter().try_for_each(|place| act(place))
    }

    /// Closes a volume that nobody got to see.
    pub fn close_unused(&self) {
        if let Err(error) = self.runtime.block_on(self.volume.close()) {
            log::warn!("closing: {}", report::describe(&error.into()));
        }
    }

    /// The first signal unmounts, the second does so whatever is lost.
    fn unmount_after_signal(self: &Arc<Self>, signals: u32) {
        let insistence = if signals == 1 { Insistence::Detach } else { Insistence::Force };
        log::info!("signal {signals}: unmounting {}", self.identity.mountpoint.display());
        let this = Arc::clone(self);
        let spawned = thread::Builder::new().name("unmount".to_owned()).spawn(move || {
            let outcome = this.let_the_kernel_go(insistence);
            if let Err(outcome) = outcome {
                log::error!("still mounted: {}; {}", outcome.message, describe(&this.waiting()));
            }
        });
        if let Err(error) = spawned {
            log::error!("the signal has no effect: {error}");
        }
    }

    /// Sync, then unmount. After a success the session's end follows by itself.
    fn let_the_kernel_go(&self, insistence: Insistence) -> Result<(), Outcome> {
        if insistence == Insistence::Force {
            // Before the lock: this also hurries an unmount that waits for the bucket.
            self.given_up.store(true, Ordering::SeqCst);
            self.sync_briefly();
            return self.each_place(kernel::detach).map_err(|error| failure(&error));
        }
        let _one = self.unmounting.lock();
        self.volume.sync().map_err(not_stored)?;
        let gone = self.each_place(kernel::unmount);
        match gone {
            Ok(()) => Ok(()),
            Err(error) if insistence == Insistence::Detach => {
                log::warn!(
                    "{}: detaching; open files can be used until they are closed",
                    report::describe(&error)
                );
                self.each_place(kernel::detach).map_err(|error| failure(&error))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Gives the bucket a last chance.
    fn sync_briefly(&self) {
        let (done, synced) = channel();
        let volume = Arc::clone(&self.volume);
        let spawned = thread::Builder::new().name("sync".to_owned()).spawn(move || {
            if let Err(error) = volume.sync() {
                log::warn!("forced unmount: {}", report::describe(&error.into()));
            }
            // Nobody waits any more when it took too long.
            if done.send(()).is_err() {
                log::debug!("a sync ended late");
            }
        });
        match spawned {
            Ok(_) => {
                if synced.recv_timeout(FORCED_PATIENCE).is_err() {
                    log::warn!("forced unmount: the bucket did not answer in time");
                }
            }
            Err(error) => log::warn!("forced unmount: {error}"),
        }
    }

    /// Closes the volume after the session's end. A bucket that is away is waited for, until a signal or
    /// a forced unmount says otherwise.
    fn close(self: &Arc<Self>, events: &Receiver<Event>) -> Outcome {
        loop {
            let error = match self.try_close(events) {
                Some(Ok(())) => return Outcome { exit: Exit::Success, message: String::new() },
                Some(Err(error)) => Error::new(error),
                None => return self.lost("the bucket did not answer in time"),
            };
            if self.given_up.load(Ordering::SeqCst) {
                return self.lost(&report::describe(&error));
            }
            log::error!(
                "not everything is in the bucket ({}): {}; trying again (a signal gives up)",
                describe(&self.waiting()),
                report::describe(&error)
            );
            if events.recv_timeout(CLOSE_AGAIN) == Ok(Event::Signal) {
                self.given_up.store(true, Ordering::SeqCst);
            }
        }
    }

    /// One attempt; `None` when it was given up on.
    fn try_close(self: &Arc<Self>, events: &Receiver<Event>) -> Option<Result<(), VolumeError>> {
        let (done, closed) = channel();
        let this = Arc::clone(self);
        let closing = move || {
            this.moving.end();
            if done.send(this.runtime.block_on(this.volume.close())).is_err() {
                log::debug!("a close ended late");
            }
        };
        if let Err(error) = thread::Builder::new().name("close".to_owned()).spawn(closing) {
            return Some(Err(error.into()));
        }
        let mut hurried = Duration::ZERO;
        let step = Duration::from_millis(200);
        loop {
            match closed.recv_timeout(step) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if events.try_recv() == Ok(Event::Signal) {
                self.given_up.store(true, Ordering::SeqCst);
            }
            if self.given_up.load(Ordering::SeqCst) {
                hurried += step;
                if hurried >= FORCED_PATIENCE {
                    return None;
                }
            }
        }
    }

    /// Nothing is mounted here any more, since now or for longer, and somebody goes on with what was open, or has
    /// it mounted in a place that cannot be seen from here (a container).
    fn still_used(&self, users: Users, for_longer: bool) -> Outcome {
        let users = if users.is_empty() {
            users::seeing(self.device.get().map_or("", String::as_str))
        } else {
            users
        };
        let waiting = self.waiting();
        let exit = match for_longer {
            _ if waiting.problem.is_some() && !waiting.is_nothing() => Exit::NotAllStored,
            true => Exit::Busy,
            false => Exit::Success,
        };
        let message = format!(
            "{} is detached, and still used by {users}; process {} serves them until they let go of it",
            self.identity.mountpoint.display(),
            std::process::id()
        );
        Outcome { exit, message }
    }

    fn lost(&self, why: &str) -> Outcome {
        if self.waiting().is_nothing() && self.volume.is_read_only() {
            return Outcome { exit: Exit::Success, message: String::new() };
        }
        let message = format!("unmounted by force, what was not in the bucket is lost ({why})");
        Outcome { exit: Exit::NotAllStored, message }
    }
}

impl Operator for Mounted {
    fn status(&self) -> MountStatus {
        let volume = self.volume.status();
        let identity = &self.identity;
        let waiting = self.waiting();
        MountStatus {
            mountpoint: identity.mountpoint.clone(),
            places: self.places().inspect_err(|error| log::warn!("{}", report::describe(error))).ok(),
            device: self.device.get().cloned().unwrap_or_default(),
            bucket: identity.bucket.clone(),
            link: identity.link.status(),
            volume: identity.volume.clone(),
            fingerprint: identity.fingerprint.clone(),
            label: identity.label.clone(),
            pid: std::process::id(),
            read_only: self.volume.is_read_only(),
            single_writer: identity.single_writer,
            health: if waiting.problem.is_some() { "failing" } else { "ok" }.to_owned(),
            waiting,
            space: SpaceStatus {
                inodes: volume.inodes,
                bytes: volume.allocated,
                quota_bytes: volume.quota_bytes,
                quota_inodes: volume.quota_inodes,
            },
            encryption: self.at_rest.status(&self.runtime),
            cache: self.cache(),
            requests: self.requests(),
            log: LogStatus {
                last_commit: volume.seq,
                checkpoint: volume.checkpoint,
                tail_entries: volume.tail_entries,
                tail_bytes: volume.tail_bytes,
                seconds_since_commit: volume.seconds_since_commit,
            },
            conflicts: volume.conflicts,
        }
    }

    fn waiting(&self) -> Waiting {
        let status = self.volume.status();
        Waiting {
            bytes: status.dirty_bytes + status.waiting_bytes,
            files: self.fs.get().map_or(0, |fs| fs.content().dirty_files()),
            changes: status.pending_ops,
            problem: status.failing,
        }
    }

    fn sync(&self) -> Outcome {
        match self.volume.sync_and_look() {
            Ok(()) => Outcome { exit: Exit::Success, message: String::new() },
            Err(error) => not_stored(error),
        }
    }

    fn unmount(&self, force: bool) -> Outcome {
        let insistence = if force { Insistence::Force } else { Insistence::Polite };
        // Before it is detached: afterwards no path tells who uses it.
        let places = match self.places() {
            Ok(places) => places,
            Err(error) => return failure(&error),
        };
        let users = users::of(&places);
        if let Err(outcome) = self.let_the_kernel_go(insistence) {
            return outcome;
        }
        let patience = if users.is_empty() { LETTING_GO } else { LETTING_GO_IN_USE };
        self.wait_for_end(patience).unwrap_or_else(|| self.still_used(users, places.is_empty()))
    }

    fn set_quota(&self, bytes: Option<u64>, inodes: Option<u64>) -> Outcome {
        match self.volume.set_quota(bytes, inodes) {
            Ok(()) => Outcome { exit: Exit::Success, message: String::new() },
            Err(error) => failure(&error.into()),
        }
    }

    fn begin_writing(&self) -> Outcome {
        match self.writing.begin(&self.volume, &self.runtime) {
            Ok(()) => Outcome { exit: Exit::Success, message: String::new() },
            Err(error) => failure(&error),
        }
    }

    fn remount(&self, options: &str) -> Outcome {
        match kernel::config("", options) {
            Ok(config) => {
                if let Some(fs) = self.fs.get() {
                    fs.set_access_times(config.access_times, config.nodiratime);
                }
                Outcome { exit: Exit::Success, message: String::new() }
            }
            Err(error) => failure(&error),
        }
    }

    fn gc(
        &self,
        dry_run: bool,
        grace: Option<Duration>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Collected, Outcome> {
        let request = GcRequest { dry_run, grace, mounted_here: false };
        let report = gc(&self.volume, request, progress).map_err(|error| failure(&error.into()))?;
        Ok(report.into())
    }

    fn announce_keys(&self) -> Result<Announced, Outcome> {
        self.volume.announce_keys().map_err(|error| failure(&error.into()))
    }

    fn plan_reencryption(&self, epoch: Epoch) -> Result<Plan, Outcome> {
        plan_reencryption(&self.volume, epoch).map_err(|error| failure(&error.into()))
    }

    fn reencrypt(&self, order: ReencryptOrder, watcher: &dyn Watcher) -> Result<Reencrypted, Outcome> {
        let _one = self.moving.begin();
        let gc = GcRequest { grace: order.grace_secs.map(Duration::from_secs), ..GcRequest::default() };
        let request = ReencryptRequest { limit_rate: order.limit_rate, gc };
        let report = reencrypt(&self.volume, request, &self.moving.watching(watcher));
        Ok(report.map_err(|error| failure(&error.into()))?.into())
    }
}

impl Mounted {
    fn cache(&self) -> CacheStatus {
        let data = self.volume.data().status();
        CacheStatus {
            memory_bytes: data.chunk_cache_bytes,
            disk_bytes: data.disk_cache_bytes,
            disk_limit: self.identity.cache_limit,
            spooled_bytes: data.spooled_bytes,
            hits_memory: data.hits_memory,
            hits_disk: data.hits_disk,
            misses: data.misses,
        }
    }

    fn requests(&self) -> RequestCounts {
        let meter = self.meter.snapshot();
        RequestCounts {
            total: meter.requests(),
            gets: meter.gets,
            puts: meter.puts,
            heads: meter.heads,
            lists: meter.lists,
            deletes: meter.deletes,
            bytes_up: meter.bytes_up,
            bytes_down: meter.bytes_down,
            errors: meter.errors,
            throttled: meter.throttled,
            throttled_by_kms: meter.throttled_by_kms,
            retries: meter.retries,
        }
    }
}

fn not_stored(error: VolumeError) -> Outcome {
    Outcome { exit: Exit::NotAllStored, message: report::describe(&Error::new(error)) }
}

fn failure(error: &Error) -> Outcome {
    Outcome { exit: classify(error), message: report::describe(error) }
}
