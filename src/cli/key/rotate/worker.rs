//! Who works on the volume: this machine's mount, which alone may write for the machine while it lives, or a
//! session of the command's own.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::base::{Epoch, SystemClock};
use crate::cli::control::{ReencryptOrder, Reencrypted};
use crate::cli::maintenance::{Here, Session, connect};
use crate::cli::opening::Opened;
use crate::cli::progress::Progress;
use crate::keyring::VolumeLock;
use crate::volume::{
    Amount, Announced, GcRequest, Plan, ReencryptRequest, Watcher, plan_reencryption, reencrypt,
};

/// See the module.
pub enum Worker<'r> {
    Session { session: Session, runtime: &'r Runtime, _lock: VolumeLock },
    Mount(String),
}

impl<'r> Worker<'r> {
    /// Opens the volume, or finds the mount.
    ///
    /// # Errors
    /// Those of the volume; `InUse` when no mount of this user has it.
    pub fn begin(runtime: &'r Runtime, here: Here, opened: &Opened) -> Result<Self> {
        match here {
            Here::Free(lock) => {
                let session = runtime.block_on(Session::begin(opened, false, "key rotate"))?;
                Ok(Self::Session { session, runtime, _lock: lock })
            }
            Here::Mounted(volume) => {
                let volume = volume.to_string();
                connect(&volume)?;
                Ok(Self::Mount(volume))
            }
        }
    }

    /// Takes over what is newer in the header, and tells everybody.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn announce(&self) -> Result<Announced> {
        match self {
            Self::Session { session, .. } => Ok(session.volume.announce_keys()?),
            Self::Mount(volume) => connect(volume)?.announce_keys(),
        }
    }

    /// What re-encryption to `epoch` would move.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn plan(&self, epoch: Epoch) -> Result<Plan> {
        match self {
            Self::Session { session, .. } => Ok(plan_reencryption(&session.volume, epoch)?),
            Self::Mount(volume) => connect(volume)?.plan_reencryption(epoch),
        }
    }

    /// Moves everything to the newest epoch, with progress on standard error.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn reencrypt(&self, order: ReencryptOrder) -> Result<Reencrypted> {
        let clock = SystemClock;
        let mut progress = Progress::new("re-encrypting", &clock);
        match self {
            Self::Session { session, runtime, .. } => {
                let gc =
                    GcRequest { grace: order.grace_secs.map(Duration::from_secs), ..GcRequest::default() };
                let request = ReencryptRequest { limit_rate: order.limit_rate, gc };
                let shown = Shown { progress: Mutex::new(progress), runtime };
                Ok(reencrypt(&session.volume, request, &shown)?.into())
            }
            Self::Mount(volume) => {
                connect(volume)?.reencrypt(order, |moved, all| progress.moving(moved, all))
            }
        }
    }

    /// Commits and closes.
    ///
    /// # Errors
    /// Why something is not in the bucket.
    pub fn end(self) -> Result<()> {
        match self {
            Self::Session { session, runtime, .. } => runtime.block_on(session.end()),
            Self::Mount(_) => Ok(()),
        }
    }
}

/// Shows how far it is.
struct Shown<'a> {
    progress: Mutex<Progress<'a>>,
    runtime: &'a Runtime,
}

impl Watcher for Shown<'_> {
    fn progress(&self, moved: &Amount, all: &Amount) -> ControlFlow<()> {
        self.progress.lock().moving(moved, all);
        ControlFlow::Continue(())
    }

    fn pause(&self, time: Duration) -> ControlFlow<()> {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
        ControlFlow::Continue(())
    }
}
