//! The lock object of `--single-writer`, for stores that do not honour conditional writes.
//!
//! **Best effort.** The lock is written blindly, left to settle, and read back: when two machines take it
//! at the same moment, the later write wins and the earlier machine finds the other's name. A store that
//! shows an old read, two clocks that differ by more than the lease, or a machine that stalls between a
//! check and its write can still let two writers in. It guards against mistakes; it is no replacement for
//! `If-None-Match`.
//!
//! The lock is the one object that is not sealed, so that a machine can read it before anybody has typed a
//! passphrase. The store sees the holder's id, the label and the expiry: the caller decides how much the
//! label tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::bounded::get_at_most;
use super::bucket::{Bucket, Condition};
use super::error::{BucketError, ErrorKind};
use crate::base::{Clock, DecodeError, Reader, SessionId, Timestamp, Writer};

/// The key of the lock under the volume's prefix.
pub const LOCK_KEY: &str = "lock";
/// First bytes of a lock object.
const MAGIC: &[u8; 8] = b"HUSHLOCK";
const FORMAT: u16 = 1;
/// The longest label in bytes; longer ones are cut.
const MAX_LABEL_LEN: usize = 128;
/// More than any lock has, in bytes.
const MAX_LOCK_LEN: u64 = 1024;

/// How long a lock is believed without a refresh, and how long two takers wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockTimes {
    /// The holder refreshes several times within this; whoever finds an older lock may take it.
    pub lease: Duration,
    /// Wait between writing the lock and reading it back.
    pub settle: Duration,
}

impl Default for LockTimes {
    fn default() -> Self {
        Self { lease: Duration::from_secs(120), settle: Duration::from_secs(2) }
    }
}

/// Who holds a lock, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub session: SessionId,
    /// What the holder calls itself, for the message that others see.
    pub label: String,
    pub expires: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (session {})", self.label, self.session)
    }
}

/// Why the lock cannot be had or kept.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another writer's lock has not expired.
    #[error(
        "the volume is in use by {0}; wait until it is unmounted there. If that machine is gone, its lock expires ten minutes \
         after it was last there; where clocks differ too much for that, delete the object `lock` of the volume"
    )]
    Held(Holder),
    /// The lock was ours and is not any more: stop writing.
    #[error("the lock was taken over{}", by(.0.as_ref()))]
    Lost(Option<Holder>),
    /// The object under the lock's key is no lock of this version.
    #[error(
        "the lock object cannot be understood; delete the object `lock` of the volume if no other machine uses it"
    )]
    Damaged(#[source] DecodeError),
    /// The store failed.
    #[error("the lock could not be reached")]
    Bucket(#[from] BucketError),
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| " or removed".to_owned(), |holder| format!(" by {holder}"))
}

/// A lock that is held. Dropping it leaves the object to expire: call [`Self::release`].
pub struct WriterLock {
    bucket: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    times: LockTimes,
    session: SessionId,
    label: String,
}

impl WriterLock {
    /// Takes the lock for `session`, which calls itself `label`. Three requests.
    ///
    /// # Errors
    /// `Held` when somebody has it or was quicker, `Damaged`, `Bucket`.
    pub async fn acquire(
        bucket: Arc<dyn Bucket>,
        clock: Arc<dyn Clock>,
        times: LockTimes,
        session: SessionId,
        label: &str,
    ) -> Result<Self, LockError> {
        let mut label = label.to_owned();
        label.truncate(label.floor_char_boundary(MAX_LABEL_LEN));
        let lock = Self { bucket, clock, times, session, label };
        if let Some(holder) = current_holder(lock.bucket.as_ref()).await?
            && holder.session != session
            && holder.expires > lock.clock.now()
        {
            return Err(LockError::Held(holder));
        }
        lock.write().await?;
        tokio::time::sleep(times.settle).await;
        match current_holder(lock.bucket.as_ref()).await? {
            Some(holder) if holder.session == session => Ok(lock),
            Some(holder) => Err(LockError::Held(holder)),
            None => Err(LockError::Lost(None)),
        }
    }

    /// Moves the expiry on, after looking that the lock is still ours. To be called well within the
    /// lease. Two requests.
    ///
    /// # Errors
    /// `Lost` when it is not ours any more, `Damaged`, `Bucket`.
    pub async fn refresh(&self) -> Result<(), LockError> {
        match current_holder(self.bucket.as_ref()).await? {
            Some(holder) if holder.session == self.session => self.write().await,
            other => Err(LockError::Lost(other)),
        }
    }

    /// Gives the lock back, unless somebody else has it by now. Two requests.
    ///
    /// # Errors
    /// `Damaged`, `Bucket`.
    pub async fn release(self) -> Result<(), LockError> {
        match current_holder(self.bucket.as_ref()).await? {
            Some(holder) if holder.session == self.session => break_lock(self.bucket.as_ref()).await,
            _ => Ok(()),
        }
    }

    async fn write(&self) -> Result<(), LockError> {
        let expires = Timestamp::from_system(self.clock.now().to_system() + self.times.lease);
        let mut body = Writer::new();
        body.raw(MAGIC).u16(FORMAT).raw(&self.session.0).i64(expires.secs).bytes(self.label.as_bytes());
        self.bucket.put(LOCK_KEY, body.finish().into(), Condition::Overwrite).await?;
        Ok(())
    }
}

/// Removes whatever lock there is; its holder notices at the next refresh.
///
/// # Errors
/// `Bucket`.
pub async fn break_lock(bucket: &dyn Bucket) -> Result<(), LockError> {
    Ok(bucket.delete(&[LOCK_KEY.to_owned()]).await?)
}

/// Who holds the lock, expired or not; `None` when there is none.
///
/// # Errors
/// `Damaged`, `Bucket`.
pub async fn current_holder(bucket: &dyn Bucket) -> Result<Option<Holder>, LockError> {
    match get_at_most(bucket, LOCK_KEY, MAX_LOCK_LEN).await {
        Ok(fetched) => decode(&fetched.bytes).map(Some).map_err(LockError::Damaged),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Holder, DecodeError> {
    let mut reader = Reader::new(bytes);
    if &reader.array::<8>("magic")? != MAGIC || reader.u16("format")? != FORMAT {
        return Err(DecodeError::Invalid("the lock's format"));
    }
    let session = SessionId(reader.array("session")?);
    let expires = Timestamp { secs: reader.i64("expiry")?, nanos: 0 };
    let label = reader.bytes(MAX_LABEL_LEN, "label")?;
    reader.end()?;
    // The label was written by anybody and is going to a terminal.
    let label = String::from_utf8_lossy(label).chars().filter(|c| !c.is_control()).collect();
    Ok(Holder { session, label, expires })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::object::fault::{Fault, Faulty, Gate, Rule};
    use crate::object::liar::Liar;
    use crate::object::memory::MemoryBucket;
    use crate::object::request::RequestKind;

    const TIMES: LockTimes = LockTimes { lease: Duration::from_secs(60), settle: Duration::ZERO };
    const ANNA: SessionId = SessionId([1; 8]);
    const BEN: SessionId = SessionId([2; 8]);

    async fn take(
        bucket: &(impl Bucket + Clone),
        clock: &ManualClock,
        session: SessionId,
        label: &str,
    ) -> Result<WriterLock, LockError> {
        WriterLock::acquire(Arc::new(bucket.clone()), Arc::new(clock.clone()), TIMES, session, label).await
    }

    #[tokio::test]
    async fn a_second_writer_is_told_who_holds_the_lock() {
        let (bucket, clock) = (MemoryBucket::new(), ManualClock::default());
        let anna = take(&bucket, &clock, ANNA, "anna's laptop").await.unwrap();
        let error = take(&bucket, &clock, BEN, "ben").await.err().unwrap();
        assert!(error.to_string().contains("anna's laptop"), "{error}");
        anna.release().await.unwrap();
        take(&bucket, &clock, BEN, "ben").await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_expires_unless_it_is_refreshed() {
        let (bucket, clock) = (MemoryBucket::new(), ManualClock::default());
        let anna = take(&bucket, &clock, ANNA, "anna").await.unwrap();
        clock.advance(Duration::from_secs(50));
        anna.refresh().await.unwrap();
        clock.advance(Duration::from_secs(50));
        assert!(matches!(take(&bucket, &clock, BEN, "ben").await, Err(LockError::Held(_))));
        clock.advance(Duration::from_secs(11));
        let ben = take(&bucket, &clock, BEN, "ben").await.unwrap();
        assert!(matches!(anna.refresh().await, Err(LockError::Lost(Some(holder))) if holder.session == BEN));
        anna.release().await.unwrap();
        ben.refresh().await.unwrap();
    }

    #[tokio::test]
    async fn of_two_simultaneous_takers_the_overwritten_one_backs_off() {
        let clock = ManualClock::default();
        let faulty = Faulty::new(Arc::new(MemoryBucket::new()));
        let gate = Gate::new();
        faulty.add(Rule::nth(2, Fault::Freeze(gate.clone())).on(RequestKind::Get));
        let (stage, time) = (faulty.clone(), clock.clone());
        let anna = tokio::spawn(async move { take(&stage, &time, ANNA, "anna").await.err() });
        gate.reached(1).await;
        faulty.delete(&[LOCK_KEY.to_owned()]).await.unwrap();
        take(&faulty, &clock, BEN, "ben").await.unwrap();
        gate.release();
        assert!(matches!(anna.await.unwrap(), Some(LockError::Held(holder)) if holder.session == BEN));
    }

    #[tokio::test]
    async fn a_broken_lock_is_noticed_and_a_damaged_one_refused() {
        let (bucket, clock) = (MemoryBucket::new(), ManualClock::default());
        let anna = take(&bucket, &clock, ANNA, "anna").await.unwrap();
        break_lock(&bucket).await.unwrap();
        assert!(matches!(anna.refresh().await, Err(LockError::Lost(None))));
        bucket.overwrite_raw(LOCK_KEY, Bytes::from_static(b"HUSHLOCK\x02\0"));
        assert!(matches!(take(&bucket, &clock, BEN, "ben").await, Err(LockError::Damaged(_))));
    }

    #[tokio::test]
    async fn a_dead_machines_lock_that_the_store_shows_for_ever_is_refused_by_its_holders_name() {
        let (bucket, clock) = (MemoryBucket::new(), ManualClock::default());
        take(&bucket, &clock, ANNA, "anna's laptop").await.unwrap();
        let old = bucket.get(LOCK_KEY, None).await.unwrap();
        let liar = Liar::new(Arc::new(bucket));
        liar.on_get(move |_, _| Ok(old.clone()));
        for wait in [0, 30, 60, 1_000_000_000] {
            clock.advance(Duration::from_secs(wait));
            let refused = take(&liar, &clock, BEN, "ben").await.err().unwrap();
            assert!(refused.to_string().contains("anna's laptop"), "{refused}");
        }
        liar.repent();
        take(&liar, &clock, BEN, "ben").await.unwrap();
    }

    #[tokio::test]
    async fn of_two_holders_whose_clocks_are_years_apart_at_most_one_goes_on() {
        const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        for anna_is_ahead in [true, false] {
            let bucket = MemoryBucket::new();
            let (early, late) = (ManualClock::default(), ManualClock::default());
            late.advance(TEN_YEARS);
            let (annas, bens) = if anna_is_ahead { (&late, &early) } else { (&early, &late) };
            let anna = take(&bucket, annas, ANNA, "anna").await.unwrap();
            match take(&bucket, bens, BEN, "ben").await {
                // Anna's lock looks expired to Ben: she finds out before she renews it.
                Ok(ben) => {
                    assert!(!anna_is_ahead);
                    assert!(matches!(anna.refresh().await, Err(LockError::Lost(Some(_)))));
                    ben.refresh().await.unwrap();
                }
                Err(refused) => {
                    assert!(anna_is_ahead && matches!(refused, LockError::Held(_)), "{refused}");
                    anna.refresh().await.unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn an_expiry_at_the_end_of_time_is_a_lock_like_any_other() {
        for (secs, held) in [(i64::MIN, false), (-1, false), (0, false), (i64::MAX, true)] {
            let (bucket, clock) = (MemoryBucket::new(), ManualClock::default());
            let mut body = Writer::new();
            body.raw(MAGIC).u16(FORMAT).raw(&ANNA.0).i64(secs).bytes(b"anna");
            bucket.overwrite_raw(LOCK_KEY, body.finish());
            let taken = take(&bucket, &clock, BEN, "ben").await;
            assert_eq!(matches!(taken, Err(LockError::Held(_))), held, "{secs}");
            assert_eq!(taken.is_ok(), !held, "{secs}");
        }
    }

    #[test]
    fn every_truncation_of_a_lock_is_refused() {
        let mut body = Writer::new();
        body.raw(MAGIC).u16(FORMAT).raw(&ANNA.0).i64(5).bytes(b"a\x1b[31mb");
        let body = body.finish();
        assert_eq!(decode(&body).unwrap().label, "a[31mb");
        for len in 0..body.len() {
            assert!(decode(&body[..len]).is_err(), "{len}");
        }
    }
}
