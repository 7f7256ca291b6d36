//! A folder as a bucket in full: atomic create-only and conditional writes between any number of
//! processes, durable when they return.
//!
//! Keys are nested folders with a file at the end. An object is written to a temporary file, synced, and
//! then linked (create-only: link(2) refuses an existing name) or renamed (replace) into place, so that
//! readers and crashes see the old object or the new one and never a part. Folders that were made for an
//! object are synced before the put returns. Conditions on existing objects are decided under an
//! exclusive flock(2) of `.hushfs-bucket/lock`, which also serialises deletes; creations need no lock.
//!
//! Names that begin with a dot belong to the disk (`.hushfs-bucket`, `.snapshot`, `.nfs…`): keys with
//! such parts are refused and such files are never listed. Symbolic links are never followed below the
//! folder itself. Files are 0600, folders 0700.
//!
//! An ETag is made of inode number, length and modification time; replacements always get a later time,
//! so it changes with every write on any disk that keeps nanoseconds. Folders emptied by deletes are
//! removed; a put that loses its folder to that makes it again.

mod delete;
mod list;
mod read;
mod store;
#[cfg(test)]
mod tests;
mod trouble;
mod write;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::store::Store;
use self::trouble::Trouble;
use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Watch};
use super::error::{BucketError, BucketResult, ErrorKind};
use super::key::check_prefix;
use super::range::check_range;
use crate::base::{Clock, Random};

/// A bucket in a local (or network) folder. All file operations run on tokio's blocking threads.
pub struct FolderBucket {
    store: Arc<Store>,
    path: PathBuf,
}

impl FolderBucket {
    /// Opens an existing folder and removes what crashed writers left in its hidden sub-folder. `clock`
    /// stamps objects, `random` names temporary files. The folder stays the same one even when something
    /// is mounted over its path later.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder, `Denied`, `Invalid` when it is no folder.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> BucketResult<Self> {
        let path = path.to_path_buf();
        let name = path.display().to_string();
        let place = path.clone();
        let store = run_blocking("open", &name, move || {
            let store = Store::open(&place, clock, random)?;
            store.remove_stale();
            Ok(store)
        })
        .await?;
        Ok(Self { store: Arc::new(store), path })
    }

    /// Makes the folder itself, durably, if it is missing; its parent must exist.
    ///
    /// # Errors
    /// `NotFound` when the parent is missing, `Denied`, `Full`.
    pub async fn create(path: &Path) -> BucketResult<()> {
        let place = path.to_path_buf();
        run_blocking("open", &path.display().to_string(), move || store::create_root(&place)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&Store, &str) -> Result<T, Trouble> + Send + 'static,
    ) -> BucketResult<T> {
        let store = Arc::clone(&self.store);
        let owned = key.to_owned();
        run_blocking(operation, key, move || work(&store, &owned)).await
    }
}

/// Runs `work` where blocking is allowed. It goes on when the caller stops waiting.
async fn run_blocking<T: Send + 'static>(
    operation: &'static str,
    key: &str,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> BucketResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|trouble| trouble.into_error(operation, key)),
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(stopped) => Err(BucketError::new(ErrorKind::Transient, operation, key, stopped)),
    }
}

#[async_trait]
impl Bucket for FolderBucket {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        _: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        if let Some(range) = &range {
            check_range(key, range)?;
        }
        self.run("get", key, move |store, key| store.get(key, range)).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        self.run("put", key, move |store, key| store.put(key, &body, &condition)).await
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.run("head", key, |store, key| store.head(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        check_prefix(prefix)?;
        let after = after.map(str::to_owned);
        self.run("list", prefix, move |store, prefix| store.list(prefix, after.as_deref(), limit)).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        let store = Arc::clone(&self.store);
        let keys = keys.to_vec();
        let first = keys.first().cloned().unwrap_or_default();
        let done = run_blocking("delete", &first, move || Ok(store.delete(&keys))).await?;
        done.map_err(|(key, trouble)| trouble.into_error("delete", &key))
    }

    fn describe(&self) -> String {
        format!("file://{}", self.path.display())
    }
}
