//! Moves waiting segments from memory to the spool when memory runs short because the bucket is slow or away.
//!
//! At most one mover runs; it ends when memory is below its mark or nothing can move. Whoever changes that
//! (a segment was sealed, an upload ended, a writer waits) calls [`Spooler::relieve`].
//!
//! Failure behaviour: a disk that is full or broken is logged once; the segment stays in memory, writers
//! wait, and the mover tries again with growing delays.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::in_flight::InFlight;
use super::spool::Spool;
use super::uploader::Backoff;

/// Decides nothing itself: [`InFlight`] says when to move what.
pub(super) struct Spooler {
    in_flight: Arc<InFlight>,
    spool: Option<Arc<Spool>>,
    runtime: Handle,
    backoff: Backoff,
}

impl Spooler {
    /// Without a `spool` nothing ever moves.
    pub fn new(
        in_flight: Arc<InFlight>,
        spool: Option<Spool>,
        runtime: Handle,
        backoff: Backoff,
    ) -> Arc<Self> {
        Arc::new(Self { in_flight, spool: spool.map(Arc::new), runtime, backoff })
    }

    /// Starts the mover if there is something to do and none runs.
    pub fn relieve(self: &Arc<Self>) {
        if let Some(spool) = &self.spool
            && self.in_flight.begin_spooling()
        {
            self.runtime.spawn(Arc::clone(self).run(Arc::clone(spool)));
        }
    }

    async fn run(self: Arc<Self>, spool: Arc<Spool>) {
        let mut backoff = self.backoff;
        let mut failing = false;
        while let Some((segment, sealed)) = self.in_flight.next_to_spool() {
            let spool = Arc::clone(&spool);
            let stored = tokio::task::spawn_blocking(move || spool.store(&sealed)).await;
            match stored.map_err(io::Error::other).flatten() {
                Ok(file) => {
                    self.in_flight.spooled(segment, file);
                    (backoff, failing) = (self.backoff, false);
                }
                Err(error) => {
                    if !failing {
                        log::warn!("the spool cannot take segments, they stay in memory: {error}");
                    }
                    failing = true;
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }
}
