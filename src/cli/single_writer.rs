//! The lock of `--single-writer`, kept alive while a volume is mounted, and the fence behind it: once
//! the lock is lost, nothing is written any more.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::base::{Clock, MachineId, SessionId};
use crate::object::lock::LockTimes;
use crate::object::{
    Bucket, BucketError, BucketResult, Condition, ETag, ErrorKind, Fetched, LockError, ObjectInfo, Page,
    Reencryption, Watch, WriterLock,
};

/// How long a lock outlives its holder. Long, because refreshing costs requests while nothing happens;
/// the machine that crashed need not wait, its next mount has the same session.
const LEASE: Duration = Duration::from_secs(600);

/// A held lock and the task that refreshes it.
pub struct HeldLock {
    lock: Arc<Mutex<Option<WriterLock>>>,
    refresher: JoinHandle<()>,
}

/// A bucket that takes no writes once the fence is up.
pub struct Fenced {
    inner: Arc<dyn Bucket>,
    lost: Arc<AtomicBool>,
}

/// Takes the lock of the volume in `bucket` and returns the bucket to write through. The lock is written like everything
/// else there: it lives as long as its holder, and the volume's settings and the bucket's policy may change meanwhile.
///
/// # Errors
/// `Held` by another machine; those of the store.
pub async fn hold(
    bucket: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    machine: MachineId,
    label: &str,
) -> Result<(HeldLock, Fenced), LockError> {
    let times = LockTimes { lease: LEASE, ..LockTimes::default() };
    let session = session_of(machine);
    let lock = WriterLock::acquire(Arc::clone(&bucket), clock, times, session, label).await?;
    let lock = Arc::new(Mutex::new(Some(lock)));
    let lost = Arc::new(AtomicBool::new(false));
    let refresher = tokio::spawn(refresh(Arc::clone(&lock), Arc::clone(&lost), times));
    Ok((HeldLock { lock, refresher }, Fenced { inner: bucket, lost }))
}

/// A machine's lock is its own however often it crashes; two mounts on one machine are kept apart by
/// the local keyring.
fn session_of(machine: MachineId) -> SessionId {
    let mut session = SessionId::default();
    let len = session.0.len();
    session.0.copy_from_slice(&machine.0[..len]);
    session
}

/// Refreshes three times per lease. A store that is away for a whole lease costs the lock, too.
async fn refresh(lock: Arc<Mutex<Option<WriterLock>>>, lost: Arc<AtomicBool>, times: LockTimes) {
    let mut ticks = tokio::time::interval(times.lease / 3);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let held = lock.lock().await;
        let Some(lock) = held.as_ref() else { return };
        match lock.refresh().await {
            Ok(()) => {}
            Err(error @ (LockError::Lost(_) | LockError::Held(_) | LockError::Damaged(_))) => {
                log::error!("{error}: nothing more is written to the bucket; unmount with --force");
                lost.store(true, Ordering::SeqCst);
                return;
            }
            Err(LockError::Bucket(error)) => {
                log::warn!("the lock was not refreshed: {error}: {}", error.source)
            }
        }
    }
}

impl HeldLock {
    /// Gives the lock back.
    pub async fn release(self) {
        self.refresher.abort();
        if let Some(lock) = self.lock.lock().await.take()
            && let Err(error) = lock.release().await
        {
            log::warn!("the lock object stays behind until it expires: {error}");
        }
    }
}

impl Fenced {
    fn check(&self, operation: &'static str, key: &str) -> BucketResult<()> {
        if self.lost.load(Ordering::SeqCst) {
            let why = "another writer has taken the volume's lock";
            return Err(BucketError::new(ErrorKind::Denied, operation, key, why));
        }
        Ok(())
    }
}

#[async_trait]
impl Bucket for Fenced {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        self.inner.get_watched(key, range, watch).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        self.check("put", key)?;
        self.inner.put(key, body, condition).await
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        self.check("delete", keys.first().map_or("", String::as_str))?;
        self.inner.delete(keys).await
    }

    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        self.check("reencrypt", key)?;
        self.inner.reencrypt(key).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::object::lock::current_holder;
    use crate::object::{Demand, Fault, Faulty, Heed, MemoryBucket, RequestKind, Rule};

    /// A policy that admits what is asked for once somebody has looked at it.
    struct Policy(Faulty);

    #[async_trait]
    impl Demand for Policy {
        async fn adopt(&self) -> bool {
            self.0.clear();
            true
        }
    }

    #[tokio::test]
    async fn a_lock_is_refreshed_under_a_policy_that_came_after_it_was_taken() {
        let faulty = Faulty::new(Arc::new(MemoryBucket::new()));
        let clock = ManualClock::default();
        let heed =
            Heed::new(Arc::new(faulty.clone()), Arc::new(Policy(faulty.clone())), Arc::new(clock.clone()));
        let (lock, fenced) =
            hold(Arc::new(heed), Arc::new(clock.clone()), MachineId::default(), "anna").await.unwrap();
        let taken = current_holder(&faulty).await.unwrap().unwrap();
        faulty.add(Rule::always(Fault::Refuse(ErrorKind::Denied)).on(RequestKind::Put));
        clock.advance(LEASE / 2);
        lock.lock.lock().await.as_ref().unwrap().refresh().await.unwrap();
        assert!(current_holder(&faulty).await.unwrap().unwrap().expires > taken.expires);
        fenced.put("log/1", Bytes::new(), Condition::CreateOnly).await.unwrap();
        lock.release().await;
        assert_eq!(current_holder(&faulty).await.unwrap(), None);
    }
}
