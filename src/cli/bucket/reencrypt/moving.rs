//! Many objects, several at a time: each is looked at, and copied onto itself where it has another encryption.
//!
//! Failure behaviour: one object's failure does not keep the others from being moved; after twenty nothing more is
//! begun. Whatever was done stays done, so a later run goes on from there.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::object::{Bucket, BucketError, BucketResult, ErrorKind, Reencryption};

/// Failures after which it is hardly the objects.
const ENOUGH: usize = 20;

/// What became of the objects.
#[derive(Default)]
pub struct Outcome {
    pub moved: u64,
    /// Of these, those whose bytes passed through this machine because the store refused to copy them.
    pub rewritten: u64,
    pub already: u64,
    /// Deleted since they were listed.
    pub gone: u64,
    /// With the keys in the errors.
    pub failed: Vec<BucketError>,
    /// Not looked at, because too much had failed.
    pub left: u64,
}

impl Outcome {
    /// Objects that are behind us.
    pub fn done(&self) -> u64 {
        self.moved + self.already + self.gone + self.failed.len() as u64
    }

    fn note(&mut self, ended: BucketResult<Reencryption>) {
        match ended {
            Ok(Reencryption::Moved) => self.moved += 1,
            Ok(Reencryption::Rewritten) => {
                self.moved += 1;
                self.rewritten += 1;
            }
            Ok(Reencryption::Already) => self.already += 1,
            Err(error) if error.kind == ErrorKind::NotFound => self.gone += 1,
            Err(error) => self.failed.push(error),
        }
    }
}

impl std::ops::AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.moved += other.moved;
        self.rewritten += other.rewritten;
        self.already += other.already;
        self.gone += other.gone;
        self.failed.extend(other.failed);
        self.left += other.left;
    }
}

/// Moves `keys`, at most `parallel` at a time; `progress` hears how many are done.
///
/// # Errors
/// None of its own: failures are in the outcome.
pub async fn move_all(
    bucket: &Arc<dyn Bucket>,
    keys: Vec<String>,
    parallel: usize,
    mut progress: impl FnMut(u64),
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut waiting = keys.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < parallel && outcome.failed.len() < ENOUGH {
            let Some(key) = waiting.next() else { break };
            let bucket = Arc::clone(bucket);
            running.spawn(async move { reencrypt(bucket.as_ref(), &key).await });
        }
        match running.join_next().await {
            None => break,
            Some(Ok(ended)) => outcome.note(ended),
            Some(Err(panicked)) => {
                let why = format!("a task ended badly: {panicked}");
                outcome.failed.push(BucketError::new(ErrorKind::Invalid, "reencrypt", "", why));
            }
        }
        progress(outcome.done());
    }
    outcome.left = waiting.len() as u64;
    outcome
}

/// An object that somebody replaced meanwhile (only `volume` ever is) is tried once more.
async fn reencrypt(bucket: &dyn Bucket, key: &str) -> BucketResult<Reencryption> {
    match bucket.reencrypt(key).await {
        Err(error) if error.kind == ErrorKind::Precondition => bucket.reencrypt(key).await,
        ended => ended,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use async_trait::async_trait;
    use bytes::Bytes;
    use parking_lot::Mutex;

    use super::*;
    use crate::object::{Condition, ETag, Fetched, MemoryBucket, ObjectInfo, Page, Watch};

    /// Answers by the key's first letter, and counts how many answer at once.
    #[derive(Default)]
    pub(in super::super) struct Server {
        inner: MemoryBucket,
        asked: Mutex<Vec<String>>,
        at_once: Mutex<(usize, usize)>,
    }

    #[async_trait]
    impl Bucket for Server {
        async fn get_watched(
            &self,
            key: &str,
            range: Option<Range<u64>>,
            watch: &Watch<'_>,
        ) -> BucketResult<Fetched> {
            self.inner.get_watched(key, range, watch).await
        }
        async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
            self.inner.put(key, body, condition).await
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
        async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
            let asked_before = self.asked.lock().iter().any(|known| known == key);
            self.asked.lock().push(key.to_owned());
            {
                let mut at_once = self.at_once.lock();
                *at_once = (at_once.0 + 1, at_once.1.max(at_once.0 + 1));
            }
            tokio::task::yield_now().await;
            self.at_once.lock().0 -= 1;
            let error = |kind| Err(BucketError::new(kind, "reencrypt", key, "so it is"));
            match &key[..1] {
                "a" => Ok(Reencryption::Already),
                "m" => Ok(Reencryption::Moved),
                "g" => error(ErrorKind::NotFound),
                "l" if asked_before => Ok(Reencryption::Already),
                "l" => Ok(Reencryption::Moved),
                "r" if !asked_before => error(ErrorKind::Precondition),
                "r" => Ok(Reencryption::Moved),
                _ => error(ErrorKind::Denied),
            }
        }
        fn describe(&self) -> String {
            "test".into()
        }
    }

    async fn run(keys: &[&str], parallel: usize) -> (Outcome, Arc<Server>) {
        let server = Arc::new(Server::default());
        let bucket: Arc<dyn Bucket> = Arc::<Server>::clone(&server);
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        (move_all(&bucket, keys, parallel, |_| ()).await, server)
    }

    #[tokio::test]
    async fn every_object_is_accounted_for_and_a_failure_stops_no_other() {
        let (outcome, server) = run(&["a1", "f1", "g1", "m1", "m2", "r1"], 2).await;
        assert_eq!((outcome.already, outcome.gone, outcome.moved, outcome.left), (1, 1, 3, 0));
        assert_eq!(outcome.failed.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), ["f1"]);
        assert_eq!(server.at_once.lock().1, 2);
    }

    #[tokio::test]
    async fn when_everything_fails_it_stops_soon_and_says_what_is_left() {
        let keys: Vec<String> = (0..1000).map(|number| format!("f{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (outcome, server) = run(&keys, 4).await;
        assert!(outcome.failed.len() < ENOUGH + 4, "{}", outcome.failed.len());
        assert_eq!(outcome.left, 1000 - server.asked.lock().len() as u64);
    }
}
