//! One pass over the bucket after the other, until nothing turns up that has an old kind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::moving::{Outcome, move_all};
use crate::base::Clock;
use crate::cli::bucket::inventory::{self, Inventory};
use crate::cli::progress::Progress;
use crate::object::{Bucket, BucketResult};
use crate::volume::{ObjectName, Writer};

/// Listings that are followed up when others write all the time.
const MOST_PASSES: usize = 5;

/// What is to be moved: the format's own objects, but for the throw-away ones, which are written anew all the time.
pub fn keys(inventory: &Inventory) -> impl Iterator<Item = (&str, u64)> {
    let lasting = |name: &ObjectName| !matches!(name, ObjectName::Lock | ObjectName::Probe);
    let found = inventory.found.iter().filter(move |found| found.name.as_ref().is_some_and(lasting));
    found.map(|found| (found.object.key.as_str(), found.object.len))
}

/// Passes over the bucket: what is listed is moved, then what was written meanwhile.
pub struct Passes<'a> {
    bucket: &'a Arc<dyn Bucket>,
    parallel: usize,
    clock: Arc<dyn Clock>,
    seen: BTreeSet<String>,
    pub outcome: Outcome,
    /// When the last listing began, by the clock that counts from boot.
    listed: Duration,
    /// What turned up last had nothing that had to be moved.
    quiet: bool,
}

impl<'a> Passes<'a> {
    /// None so far; `parallel` objects are moved at the same time.
    pub fn new(bucket: &'a Arc<dyn Bucket>, parallel: usize, clock: &Arc<dyn Clock>) -> Self {
        let clock = Arc::clone(clock);
        let listed = clock.boot();
        Self {
            bucket,
            parallel,
            clock,
            seen: BTreeSet::new(),
            outcome: Outcome::default(),
            listed,
            quiet: false,
        }
    }

    /// True when an object could not be moved.
    pub fn failed(&self) -> bool {
        !self.outcome.failed.is_empty()
    }

    /// Begins with `inventory` and lists again until nothing new turns up that had to be moved.
    ///
    /// # Errors
    /// Those of listing; objects that could not be moved are in the outcome.
    pub async fn run(&mut self, mut inventory: Inventory) -> BucketResult<()> {
        let clock = Arc::clone(&self.clock);
        let mut progress = Progress::new("re-encrypting", clock.as_ref());
        self.quiet = false;
        for round in 0..MOST_PASSES {
            let new = self.unseen(&inventory);
            if new.is_empty() {
                self.quiet = true;
                return Ok(());
            }
            self.seen.extend(new.iter().cloned());
            let (before, total) = (self.outcome.done(), self.seen.len() as u64);
            let show = |done| progress.things(before + done, total, "object");
            let pass = move_all(self.bucket, new, self.parallel, show).await;
            let moved = pass.moved;
            self.outcome += pass;
            if self.failed() {
                return Ok(());
            }
            if round > 0 && moved == 0 {
                self.quiet = true;
                return Ok(());
            }
            inventory = self.list().await?;
        }
        Ok(())
    }

    /// Whether nobody can be writing an old kind any more, all of which was moved: at once where nobody else writes.
    /// With `wait` the `writers` are given until `known_by_all`, by the clock that counts from boot, and what they wrote
    /// until then is moved too.
    ///
    /// # Errors
    /// Those of listing.
    pub async fn outlast(
        &mut self,
        writers: &[Writer],
        wait: bool,
        known_by_all: Duration,
    ) -> BucketResult<bool> {
        if wait && !writers.is_empty() {
            eprintln!("waiting until {} know of it", hosts(writers));
            tokio::time::sleep(known_by_all.saturating_sub(self.clock.boot())).await;
            self.run_again().await?;
        }
        Ok(self.quiet && (writers.is_empty() || self.listed >= known_by_all))
    }

    /// Begins with what is there now.
    async fn run_again(&mut self) -> BucketResult<()> {
        let inventory = self.list().await?;
        self.run(inventory).await
    }

    async fn list(&mut self) -> BucketResult<Inventory> {
        self.listed = self.clock.boot();
        inventory::list(self.bucket.as_ref()).await
    }

    fn unseen(&self, inventory: &Inventory) -> Vec<String> {
        let new = keys(inventory).filter(|(key, _)| !self.seen.contains(*key));
        new.map(|(key, _)| key.to_owned()).collect()
    }
}

/// Who is writing, in words.
pub fn hosts(writers: &[Writer]) -> String {
    let hosts: BTreeSet<&str> = writers.iter().map(|writer| writer.host.as_str()).collect();
    if hosts.is_empty() {
        "it changed all the time".to_owned()
    } else {
        hosts.into_iter().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::moving::tests::Server;
    use super::*;
    use crate::base::SystemClock;
    use crate::object::Condition;

    fn entry(number: u64) -> String {
        format!("log/{number:016x}")
    }

    #[tokio::test]
    async fn old_kinds_are_given_up_once_nobody_writes_them_and_what_came_late_was_moved() {
        let server = Arc::new(Server::default());
        let bucket: Arc<dyn Bucket> = Arc::<Server>::clone(&server);
        let put = async |number| {
            bucket.put(&entry(number), "x".into(), Condition::CreateOnly).await.unwrap();
        };
        put(1).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let known_by_all = clock.boot() + Duration::from_millis(30);
        let writers = [Writer { host: "laptop".into(), here: false }];
        let mut passes = Passes::new(&bucket, 2, &clock);
        passes.run(inventory::list(bucket.as_ref()).await.unwrap()).await.unwrap();
        assert!(passes.outlast(&[], false, known_by_all).await.unwrap(), "nobody else writes");

        put(2).await;
        assert!(!passes.outlast(&writers, false, known_by_all).await.unwrap(), "nobody has waited");
        assert_eq!(passes.outcome.moved, 1);
        assert!(passes.outlast(&writers, true, known_by_all).await.unwrap());
        assert!(clock.boot() >= known_by_all);
        assert_eq!(passes.outcome.moved, 2, "what a writer that did not know wrote meanwhile");
    }
}
