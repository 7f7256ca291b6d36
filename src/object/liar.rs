//! A store that lies on purpose: every reply can be exchanged before the caller sees it.
//!
//! Where [`super::Faulty`] plays trouble, this one plays malice: what exists is denied, listings are short, endless or
//! made up, one read shows this and the next one that, a write is confirmed and thrown away, or refused and kept.
//! Lies are closures, so that a test says in its own words what the store does. For tests; a production stack has none.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Watch};
use super::error::{BucketError, BucketResult, ErrorKind};

/// What the store does with a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutLie {
    /// What it should.
    Honest,
    /// It says that it stored the object, and did not.
    Pretend,
    /// It says that the condition does not hold, whatever is there, and stores nothing.
    Refuse,
    /// It says so and stores the object, without looking at the condition.
    StoreAndRefuse,
    /// It stores the object without looking at the condition, and says so.
    IgnoreCondition,
}

/// A listing that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub prefix: &'a str,
    pub after: Option<&'a str>,
    pub limit: usize,
}

type Get = dyn FnMut(&str, BucketResult<Fetched>) -> BucketResult<Fetched> + Send;
type Head = dyn FnMut(&str, BucketResult<ObjectInfo>) -> BucketResult<ObjectInfo> + Send;
type Put = dyn FnMut(&str, &Condition) -> PutLie + Send;
type List = dyn FnMut(Asked<'_>, BucketResult<Page>) -> BucketResult<Page> + Send;
type Keep = dyn FnMut(&str) -> bool + Send;

#[derive(Default)]
struct Lies {
    get: Option<Box<Get>>,
    head: Option<Box<Head>>,
    put: Option<Box<Put>>,
    list: Option<Box<List>>,
    keep: Option<Box<Keep>>,
}

/// A bucket that tells the truth until it is given a lie; clones share the lies.
#[derive(Clone)]
pub struct Liar {
    inner: Arc<dyn Bucket>,
    lies: Arc<Mutex<Lies>>,
}

impl Liar {
    /// Passes everything to `inner` until told otherwise.
    pub fn new(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, lies: Arc::default() }
    }

    /// Exchanges what reads return: the key and the true reply go in. The lie about a ranged read sees the range only.
    pub fn on_get(
        &self,
        lie: impl FnMut(&str, BucketResult<Fetched>) -> BucketResult<Fetched> + Send + 'static,
    ) {
        self.lies.lock().get = Some(Box::new(lie));
    }

    /// Exchanges what heads return.
    pub fn on_head(
        &self,
        lie: impl FnMut(&str, BucketResult<ObjectInfo>) -> BucketResult<ObjectInfo> + Send + 'static,
    ) {
        self.lies.lock().head = Some(Box::new(lie));
    }

    /// Decides what becomes of writes.
    pub fn on_put(&self, lie: impl FnMut(&str, &Condition) -> PutLie + Send + 'static) {
        self.lies.lock().put = Some(Box::new(lie));
    }

    /// Exchanges what listings return.
    pub fn on_list(
        &self,
        lie: impl FnMut(Asked<'_>, BucketResult<Page>) -> BucketResult<Page> + Send + 'static,
    ) {
        self.lies.lock().list = Some(Box::new(lie));
    }

    /// Says that it deletes objects, and keeps those for whose key `kept` is true.
    pub fn keep(&self, kept: impl FnMut(&str) -> bool + Send + 'static) {
        self.lies.lock().keep = Some(Box::new(kept));
    }

    /// Denies that objects exist for whose key `hidden` is true: reads, heads and listings. Writes stay honest.
    pub fn hide(&self, hidden: impl Fn(&str) -> bool + Send + Sync + Clone + 'static) {
        let (heads, lists) = (hidden.clone(), hidden.clone());
        self.on_get(move |key, reply| if hidden(key) { Err(not_found("get", key)) } else { reply });
        self.on_head(move |key, reply| if heads(key) { Err(not_found("head", key)) } else { reply });
        self.on_list(move |_, reply| {
            reply.map(|mut page| {
                page.objects.retain(|object| !lists(&object.key));
                page
            })
        });
    }

    /// Only the truth from now on.
    pub fn repent(&self) {
        *self.lies.lock() = Lies::default();
    }

    fn put_lie(&self, key: &str, condition: &Condition) -> PutLie {
        self.lies.lock().put.as_mut().map_or(PutLie::Honest, |lie| lie(key, condition))
    }
}

/// "There is no such object."
pub fn not_found(operation: &'static str, key: &str) -> BucketError {
    BucketError::new(ErrorKind::NotFound, operation, key, "the store denies it")
}

#[async_trait]
impl Bucket for Liar {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        _: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        let reply = self.inner.get(key, range).await;
        match &mut self.lies.lock().get {
            Some(lie) => lie(key, reply),
            None => reply,
        }
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        let refused = || Err(BucketError::new(ErrorKind::Precondition, "put", key, "the store refuses it"));
        match self.put_lie(key, &condition) {
            PutLie::Honest => self.inner.put(key, body, condition).await,
            PutLie::Pretend => Ok(ETag("made-up".into())),
            PutLie::Refuse => refused(),
            PutLie::StoreAndRefuse => {
                self.inner.put(key, body, Condition::Overwrite).await?;
                refused()
            }
            PutLie::IgnoreCondition => self.inner.put(key, body, Condition::Overwrite).await,
        }
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        let reply = self.inner.head(key).await;
        match &mut self.lies.lock().head {
            Some(lie) => lie(key, reply),
            None => reply,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        let reply = self.inner.list(prefix, after, limit).await;
        match &mut self.lies.lock().list {
            Some(lie) => lie(Asked { prefix, after, limit }, reply),
            None => reply,
        }
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        let mut going = keys.to_vec();
        if let Some(kept) = &mut self.lies.lock().keep {
            going.retain(|key| !kept(key));
        }
        match going.is_empty() {
            true => Ok(()),
            false => self.inner.delete(&going).await,
        }
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::memory::MemoryBucket;

    #[tokio::test]
    async fn lies_are_told_until_it_repents() {
        let memory = MemoryBucket::new();
        let liar = Liar::new(Arc::new(memory.clone()));
        memory.overwrite_raw("a", &b"truth"[..]);
        liar.hide(|key| key == "a");
        liar.on_put(|_, _| PutLie::Pretend);
        assert_eq!(liar.get("a", None).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(liar.head("a").await.unwrap_err().kind, ErrorKind::NotFound);
        assert!(liar.list("", None, 10).await.unwrap().objects.is_empty());
        liar.put("b", Bytes::new(), Condition::CreateOnly).await.unwrap();
        assert_eq!(memory.objects().len(), 1);
        liar.on_put(|_, _| PutLie::StoreAndRefuse);
        let refused = liar.put("a", Bytes::from_static(b"new"), Condition::CreateOnly).await.unwrap_err();
        assert_eq!((refused.kind, &memory.objects()["a"][..]), (ErrorKind::Precondition, &b"new"[..]));
        liar.repent();
        assert_eq!(&liar.get("a", None).await.unwrap().bytes[..], b"new");
    }
}
