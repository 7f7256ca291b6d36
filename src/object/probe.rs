//! Finds out whether a store honours conditional writes.
//!
//! Some S3 servers accept `If-None-Match` and `If-Match` and ignore them; others decide them one at a
//! time but let several writers win a race. Either would let two machines commit the same log entry, so
//! `init` asks everything and `mount` asks the cheapest question that tells.
//!
//! The answers are a server's behaviour now: a proof that it ignores a condition, and strong evidence,
//! but no proof, that it honours it. The throw-away objects hold random bytes only.

use std::fmt;

use bytes::Bytes;
use data_encoding::HEXLOWER;

use super::bucket::{Bucket, Condition, ETag};
use super::error::{BucketError, BucketResult, ErrorKind};
use crate::base::Random;

/// Where throw-away keys live.
pub const PROBE_PREFIX: &str = "probe/";
/// Bytes of a racing object: enough for a server to be slow about it.
const RACE_BODY_LEN: usize = 16 << 10;

/// One thing that was found not to be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// `If-None-Match: *` replaced an existing object.
    CreateReplaced,
    /// Several of the writers who raced to create one object were told that they had won.
    RaceWinners(usize),
    /// `If-Match` with an outdated ETag replaced the object.
    StaleMatchAccepted,
    /// `If-Match` with the current ETag was refused.
    CurrentMatchRefused,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateReplaced => f.write_str("If-None-Match: * replaced an existing object"),
            Self::RaceWinners(0) => f.write_str("a race to create an object had no winner"),
            Self::RaceWinners(count) => write!(f, "a race to create an object had {count} winners"),
            Self::StaleMatchAccepted => f.write_str("If-Match with an outdated ETag replaced an object"),
            Self::CurrentMatchRefused => f.write_str("If-Match with the current ETag was refused"),
        }
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Everything that is not honoured; empty for a store that several writers can share.
    pub violations: Vec<Violation>,
}

impl Probe {
    /// True when nothing was found against the store.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sound() {
            return f.write_str("conditional writes are honoured");
        }
        f.write_str("conditional writes are not honoured: ")?;
        for (index, violation) in self.violations.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Asks only whether create-only is honoured for an existing object: three requests. For `mount`.
///
/// # Errors
/// Those of the store; what was made is removed as far as possible.
pub async fn probe_create_only(bucket: &dyn Bucket, random: &dyn Random) -> BucketResult<Probe> {
    let key = throw_away_key(random);
    let found = async {
        let mut probe = Probe::default();
        create_twice(bucket, random, &key, &mut probe).await?;
        Ok(probe)
    };
    clean_up(bucket, std::slice::from_ref(&key), found.await).await
}

/// Asks everything: create-only, If-Match with the right and with an outdated ETag, and, when all that is
/// honoured, a race of eight writers. Thirteen requests. For `init`.
///
/// # Errors
/// Those of the store; what was made is removed as far as possible.
pub async fn probe_conditional_writes(bucket: &dyn Bucket, random: &dyn Random) -> BucketResult<Probe> {
    let keys = [throw_away_key(random), throw_away_key(random)];
    let found = async {
        let mut probe = Probe::default();
        let etag = create_twice(bucket, random, &keys[0], &mut probe).await?;
        match_twice(bucket, random, &keys[0], etag, &mut probe).await?;
        // A store that ignores the condition has nothing to race for.
        if probe.is_sound() {
            race(bucket, random, &keys[1], &mut probe).await?;
        }
        Ok(probe)
    };
    clean_up(bucket, &keys, found.await).await
}

/// A key that nobody else uses, for an object that is removed at once.
pub fn throw_away_key(random: &dyn Random) -> String {
    let mut name = [0; 16];
    random.fill(&mut name);
    format!("{PROBE_PREFIX}{}", HEXLOWER.encode(&name))
}

fn random_body(random: &dyn Random, len: usize) -> Bytes {
    let mut body = vec![0; len];
    random.fill(&mut body);
    body.into()
}

/// True when the put took effect, false when its condition was said not to hold.
fn accepted(put: BucketResult<ETag>) -> BucketResult<Option<ETag>> {
    match put {
        Ok(etag) => Ok(Some(etag)),
        Err(error) if error.kind == ErrorKind::Precondition => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates an object and tries to create it again; returns the object's ETag.
async fn create_twice(
    bucket: &dyn Bucket,
    random: &dyn Random,
    key: &str,
    probe: &mut Probe,
) -> BucketResult<ETag> {
    let first = bucket.put(key, random_body(random, 32), Condition::CreateOnly).await?;
    let second = accepted(bucket.put(key, random_body(random, 32), Condition::CreateOnly).await)?;
    if second.is_some() {
        probe.violations.push(Violation::CreateReplaced);
    }
    Ok(second.unwrap_or(first))
}

/// Replaces the object by its current ETag, then tries the same ETag again, which is outdated by then.
async fn match_twice(
    bucket: &dyn Bucket,
    random: &dyn Random,
    key: &str,
    etag: ETag,
    probe: &mut Probe,
) -> BucketResult<()> {
    let condition = Condition::Matches(etag);
    if accepted(bucket.put(key, random_body(random, 32), condition.clone()).await)?.is_none() {
        probe.violations.push(Violation::CurrentMatchRefused);
        return Ok(());
    }
    if accepted(bucket.put(key, random_body(random, 32), condition).await)?.is_some() {
        probe.violations.push(Violation::StaleMatchAccepted);
    }
    Ok(())
}

/// Eight writers create one object at once; exactly one may be told that it did.
async fn race(bucket: &dyn Bucket, random: &dyn Random, key: &str, probe: &mut Probe) -> BucketResult<()> {
    let run = || bucket.put(key, random_body(random, RACE_BODY_LEN), Condition::CreateOnly);
    let (a, b, c, d, e, f, g, h) = tokio::join!(run(), run(), run(), run(), run(), run(), run(), run());
    let mut winners = 0;
    for put in [a, b, c, d, e, f, g, h] {
        winners += usize::from(accepted(put)?.is_some());
    }
    if winners != 1 {
        probe.violations.push(Violation::RaceWinners(winners));
    }
    Ok(())
}

/// Removes the throw-away objects; a failure to do so only counts when all else went well.
async fn clean_up(bucket: &dyn Bucket, keys: &[String], found: BucketResult<Probe>) -> BucketResult<Probe> {
    let removed = bucket.delete(keys).await;
    match (found, removed) {
        (Ok(probe), Ok(())) => Ok(probe),
        (Ok(_), Err(error)) => Err(error),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(leftover)) => {
            let leftover: BucketError = leftover;
            log::warn!("a probe object was left behind: {leftover}: {}", leftover.source);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::*;
    use crate::base::random::SeededRandom;
    use crate::object::bucket::{Fetched, ObjectInfo, Page, Watch};
    use crate::object::memory::MemoryBucket;
    use crate::object::meter::Meter;

    #[derive(Clone, Copy, PartialEq)]
    enum Defect {
        IgnoresAll,
        IgnoresMatches,
        /// Looks, lets others have their turn, and then writes without looking again.
        ChecksTooEarly,
    }

    /// A store with a defect in its conditional puts.
    struct Careless {
        inner: MemoryBucket,
        defect: Defect,
    }

    impl Careless {
        fn new(defect: Defect) -> Self {
            Self { inner: MemoryBucket::new(), defect }
        }
    }

    #[async_trait]
    impl Bucket for Careless {
        async fn get_watched(
            &self,
            key: &str,
            range: Option<Range<u64>>,
            watch: &Watch<'_>,
        ) -> BucketResult<Fetched> {
            self.inner.get_watched(key, range, watch).await
        }
        async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
            let ignored = match (self.defect, &condition) {
                (Defect::IgnoresAll, _) | (Defect::IgnoresMatches, Condition::Matches(_)) => true,
                (Defect::ChecksTooEarly, Condition::CreateOnly) => {
                    let free = self.inner.head(key).await.is_err();
                    tokio::task::yield_now().await;
                    free
                }
                _ => false,
            };
            self.inner.put(key, body, if ignored { Condition::Overwrite } else { condition }).await
        }
        async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
            self.inner.head(key).await
        }
        async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
            self.inner.list(prefix, after, limit).await
        }
        async fn delete(&self, keys: &[String]) -> BucketResult<()> {
            self.inner.delete(keys).await
        }
        fn describe(&self) -> String {
            self.inner.describe()
        }
    }

    #[tokio::test]
    async fn a_strict_store_is_sound_for_few_requests_and_left_clean() {
        let memory = MemoryBucket::new();
        let meter = Meter::new(Arc::new(memory.clone()));
        let random = SeededRandom::new(1);
        assert!(probe_create_only(&meter, &random).await.unwrap().is_sound());
        assert_eq!(meter.snapshot().requests(), 3);
        assert!(probe_conditional_writes(&meter, &random).await.unwrap().is_sound());
        assert_eq!(meter.snapshot().requests(), 3 + 13);
        assert!(memory.objects().is_empty());
    }

    #[tokio::test]
    async fn a_store_that_ignores_conditions_is_told_off_for_each() {
        let random = SeededRandom::new(1);
        let store = Careless::new(Defect::IgnoresAll);
        let probe = probe_create_only(&store, &random).await.unwrap();
        assert_eq!(probe.violations, [Violation::CreateReplaced]);
        let probe = probe_conditional_writes(&store, &random).await.unwrap();
        assert_eq!(probe.violations, [Violation::CreateReplaced, Violation::StaleMatchAccepted]);
        assert!(probe.to_string().contains("existing object; If-Match with an outdated"), "{probe}");

        let store = Careless::new(Defect::IgnoresMatches);
        let probe = probe_conditional_writes(&store, &random).await.unwrap();
        assert_eq!(probe.violations, [Violation::StaleMatchAccepted]);
        assert!(store.inner.objects().is_empty());
    }

    #[tokio::test]
    async fn a_store_that_lets_several_writers_win_is_found_out_by_the_race() {
        let store = Careless::new(Defect::ChecksTooEarly);
        let probe = probe_conditional_writes(&store, &SeededRandom::new(1)).await.unwrap();
        assert_eq!(probe.violations, [Violation::RaceWinners(8)]);
        assert!(store.inner.objects().is_empty());
    }
}
