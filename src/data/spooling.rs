//! Moves waiting segments from memory to the spool when memory runs short because the bucket is slow or away.
//!
//! At most one mover runs; it ends when memory is below its mark or nothing can move. Whoever changes that
//! (a segment was sealed, an upload ended, a writer waits) calls [`Spooler::relieve`].
//!
//! Failure behaviour: on a full disk the disk cache gives way first. A disk that is still full, or broken, is logged
//! once; the segment stays in memory, writers wait, and the mover tries again with growing delays.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::disk_cache::DiskCache;
use super::in_flight::InFlight;
use super::spool::{Spool, SpoolFile};
use super::uploader::Backoff;

/// Decides nothing itself: [`InFlight`] says when to move what.
pub(super) struct Spooler {
    in_flight: Arc<InFlight>,
    spool: Option<Arc<Spool>>,
    cache: Option<Arc<DiskCache>>,
    runtime: Handle,
    backoff: Backoff,
}

impl Spooler {
    /// Without a `spool` nothing ever moves. `cache` is the cache on the spool's disk.
    pub fn new(
        in_flight: Arc<InFlight>,
        spool: Option<Spool>,
        cache: Option<Arc<DiskCache>>,
        runtime: Handle,
        backoff: Backoff,
    ) -> Arc<Self> {
        Arc::new(Self { in_flight, spool: spool.map(Arc::new), cache, runtime, backoff })
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
            let (spool, cache) = (Arc::clone(&spool), self.cache.clone());
            let stored = tokio::task::spawn_blocking(move || store(&spool, cache.as_deref(), &sealed)).await;
            match stored.map_err(io::Error::other).flatten() {
                Ok(file) => {
                    self.in_flight.spooled(segment, file);
                    (backoff, failing) = (self.backoff, false);
                }
                Err(error) => {
                    if !failing {
                        log::warn!(
                            "the spool cannot take segments, so they stay in memory and writers wait for the bucket: \
                             {error}{}",
                            advice(&error)
                        );
                    }
                    failing = true;
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }
}

/// Stores a segment; on a full disk what is cached there goes for it.
fn store(spool: &Spool, cache: Option<&DiskCache>, sealed: &[u8]) -> io::Result<SpoolFile> {
    loop {
        match (spool.store(sealed), cache) {
            (Err(error), Some(cache)) if is_full(&error) && cache.make_room(sealed.len() as u64) => {}
            (stored, _) => return stored,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What to do about an error, for the log.
pub(super) fn advice(error: &io::Error) -> &'static str {
    if is_full(error) { "; free some space there, or mount with another --cache-dir" } else { "" }
}
