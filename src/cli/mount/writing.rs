//! A mount that only looked and is to write: `mount -o remount,rw` after a mount with `ro`.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::order::MountOrder;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::Opened;
use crate::cli::{probing, turn};
use crate::keyring::VolumeLock;
use crate::volume::Volume;

/// What a mount needs to begin to write.
pub struct Writing {
    opened: Mutex<Opened>,
    order: MountOrder,
    /// Of this machine; held from then on.
    lock: Arc<OnceLock<VolumeLock>>,
}

impl Writing {
    /// For the mount of `opened` that `order` asked for, and which keeps its lock in `lock`.
    pub fn new(opened: Mutex<Opened>, order: &MountOrder, lock: Arc<OnceLock<VolumeLock>>) -> Self {
        Self { opened, order: order.clone(), lock }
    }

    /// Does what a mount for writing does before it opens the volume, and has `volume` write then. Nothing happens where
    /// it does so already. Not on a thread of `runtime`.
    ///
    /// # Errors
    /// `Usage` for volumes with a single writer; `InUse`; those of the store and the volume. The mount goes on looking.
    pub fn begin(&self, volume: &Volume, runtime: &Handle) -> Result<()> {
        let mut opened = runtime.block_on(self.opened.lock());
        if !volume.is_read_only() {
            return Ok(());
        }
        let lock = runtime.block_on(self.prepare(&mut opened))?;
        volume.begin_writing().context("beginning to write")?;
        // It is set once: afterwards the volume is not read-only.
        self.lock.get_or_init(|| lock);
        Ok(())
    }

    async fn prepare(&self, opened: &mut Opened) -> Result<VolumeLock> {
        let bucket = &self.order.bucket;
        if self.order.single_writer || opened.unlocked.settings().single_writer {
            let why = format!("{bucket} has one writer at a time: unmount it and mount it again");
            return Err(refuse(Exit::Usage, why));
        }
        let warn = &mut |warning: &str| {
            log::warn!("{warning}");
            Ok(())
        };
        let lock = turn::take(&opened.keyring, opened.unlocked.volume(), bucket, warn).await?;
        opened.write_as(self.order.sse.chosen()?, &self.order.s3).await?;
        if let Some(warning) = probing::examine_once(&opened.store, false).await? {
            log::warn!("{warning}");
        }
        Ok(lock)
    }
}
