//! Scripted trouble: a bucket that refuses, loses replies, damages bodies, freezes or dies on command.
//!
//! Deterministic: every rule counts the requests that match it, in the order in which they arrive, and
//! nothing depends on time or chance. Requests that no rule names pass through untouched. For tests and
//! simulation; a production stack has none.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Watch};
use super::error::{BucketError, BucketResult, ErrorKind};
use super::request::RequestKind;

/// What goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// The request fails with this kind and is not applied.
    Refuse(ErrorKind),
    /// The request is applied, but its reply is lost: the caller sees `Transient`.
    LoseReply,
    /// A get returns at most this many bytes of the body, and nothing says so.
    ShortBody(usize),
    /// A get returns the body with this bit inverted (counted from the start, modulo the body's length).
    FlipBit(usize),
    /// The request waits this long (tokio's time) before it is applied.
    Delay(Duration),
    /// The request waits at the gate before it is applied.
    Freeze(Gate),
    /// The request is applied; its reply waits at the gate.
    FreezeReply(Gate),
    /// Half of a get's body comes; the rest waits at the gate.
    FreezeHalfway(Gate),
}

/// A place where requests wait until a test lets them go; clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    waiting: Arc<watch::Sender<u64>>,
    open: Arc<watch::Sender<bool>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { waiting: Arc::new(watch::Sender::new(0)), open: Arc::new(watch::Sender::new(false)) }
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns once `count` requests in all have come to the gate.
    pub async fn reached(&self, count: u64) {
        wait_until(&self.waiting, |arrived| *arrived >= count).await;
    }

    /// Lets everything through, from now on.
    pub fn release(&self) {
        self.open.send_replace(true);
    }

    async fn pass(&self) {
        self.waiting.send_modify(|arrived| *arrived += 1);
        wait_until(&self.open, |open| *open).await;
    }
}

/// Waits for a value that satisfies `condition`; the sender is borrowed, so it cannot go away.
async fn wait_until<T>(sender: &watch::Sender<T>, condition: impl FnMut(&T) -> bool) {
    let mut receiver = sender.subscribe();
    if receiver.wait_for(condition).await.is_err() {
        log::error!("a fault gate closed while it was waited for");
    }
}

/// Which requests meet a fault.
#[derive(Clone)]
pub struct Rule {
    fault: Fault,
    kind: Option<RequestKind>,
    key_prefix: String,
    /// Matching requests that pass first.
    skip: u64,
    /// Matching requests that meet the fault after those.
    times: u64,
    /// Matching requests that pass again after each one that met the fault.
    pause: u64,
}

impl Rule {
    /// The next `times` matching requests meet `fault`.
    pub fn first(times: u64, fault: Fault) -> Self {
        Self { fault, kind: None, key_prefix: String::new(), skip: 0, times, pause: 0 }
    }

    /// Only the `n`-th matching request from now on (1 is the next) meets `fault`.
    pub fn nth(n: u64, fault: Fault) -> Self {
        Self { skip: n.saturating_sub(1), ..Self::first(1, fault) }
    }

    /// Every `n`-th matching request (1: all of them) meets `fault`.
    pub fn every(n: u64, fault: Fault) -> Self {
        let pause = n.saturating_sub(1);
        Self { skip: pause, pause, ..Self::first(u64::MAX, fault) }
    }

    /// All matching requests meet `fault`.
    pub fn always(fault: Fault) -> Self {
        Self::first(u64::MAX, fault)
    }

    /// Limits the rule to one kind of request.
    #[must_use]
    pub fn on(self, kind: RequestKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Limits the rule to keys (or list prefixes, or the first key of a delete) that start with `prefix`.
    #[must_use]
    pub fn under(self, prefix: impl Into<String>) -> Self {
        Self { key_prefix: prefix.into(), ..self }
    }

    /// Counts a request; the fault when it is this one's turn.
    fn meet(&mut self, kind: RequestKind, key: &str) -> Option<Fault> {
        if self.kind.is_some_and(|wanted| wanted != kind) || !key.starts_with(&self.key_prefix) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        self.skip = self.pause;
        Some(self.fault.clone())
    }
}

/// What happens to the request at which the machine dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRequest {
    /// It never left the machine.
    NotSent,
    /// The store applied it, but nobody lived to see the reply.
    Applied,
}

#[derive(Default)]
struct Script {
    rules: Vec<Rule>,
    unavailable: bool,
    /// Requests that are still served before the machine dies, and how the next one ends.
    death: Option<(u64, LastRequest)>,
    dead: bool,
}

/// A bucket with a script; clones share it, so that a test keeps one to direct the play.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Bucket>,
    script: Arc<Mutex<Script>>,
    requests: Arc<watch::Sender<u64>>,
}

impl Faulty {
    /// Passes everything to `inner` until told otherwise.
    pub fn new(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, script: Arc::default(), requests: Arc::new(watch::Sender::new(0)) }
    }

    /// Adds a rule after the others; each request meets at most one fault, that of the first rule whose
    /// turn it is. A rule that comes after that one does not count the request.
    pub fn add(&self, rule: Rule) {
        self.script.lock().rules.push(rule);
    }

    /// Forgets all rules, outages and deaths.
    pub fn clear(&self) {
        *self.script.lock() = Script::default();
    }

    /// While true, every request fails with `Transient` and is not applied.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.script.lock().unavailable = unavailable;
    }

    /// Serves `served` more requests; the next one ends as `last` says, and from then on every request
    /// fails with `Denied` (which nobody retries) and never reaches the store: the machine is dead.
    pub fn die_after(&self, served: u64, last: LastRequest) {
        self.script.lock().death = Some((served, last));
    }

    /// True once the machine has died.
    pub fn is_dead(&self) -> bool {
        self.script.lock().dead
    }

    /// How many requests have arrived, failed ones included.
    pub fn requests(&self) -> u64 {
        *self.requests.borrow()
    }

    /// Returns once `count` requests in all have arrived.
    pub async fn wait_for_requests(&self, count: u64) {
        wait_until(&self.requests, |arrived| *arrived >= count).await;
    }

    /// Counts the request and finds what is to go wrong with it.
    fn next_fault(&self, kind: RequestKind, key: &str) -> Result<Option<Fault>, BucketError> {
        let mut script = self.script.lock();
        self.requests.send_modify(|arrived| *arrived += 1);
        if script.dead {
            return Err(dead(kind, key));
        }
        match &mut script.death {
            Some((0, LastRequest::NotSent)) => {
                script.dead = true;
                return Err(dead(kind, key));
            }
            Some((0, LastRequest::Applied)) => {
                script.dead = true;
                return Ok(Some(Fault::LoseReply));
            }
            Some((served, _)) => *served -= 1,
            None => {}
        }
        if script.unavailable {
            return Ok(Some(Fault::Refuse(ErrorKind::Transient)));
        }
        Ok(script.rules.iter_mut().find_map(|rule| rule.meet(kind, key)))
    }

    /// Plays the request `apply` under the script.
    async fn play<T>(
        &self,
        kind: RequestKind,
        key: &str,
        apply: impl Future<Output = BucketResult<T>>,
        damage: impl FnOnce(T, &Fault) -> T,
    ) -> BucketResult<T> {
        let error = |kind_of_error| BucketError::new(kind_of_error, kind.name(), key, "scripted fault");
        let Some(fault) = self.next_fault(kind, key)? else { return apply.await };
        match &fault {
            Fault::Refuse(refusal) => Err(error(*refusal)),
            Fault::LoseReply => {
                apply.await?;
                Err(if self.is_dead() { dead(kind, key) } else { error(ErrorKind::Transient) })
            }
            Fault::Delay(pause) => {
                tokio::time::sleep(*pause).await;
                apply.await
            }
            Fault::Freeze(gate) => {
                gate.pass().await;
                apply.await
            }
            Fault::FreezeReply(gate) | Fault::FreezeHalfway(gate) => {
                let reply = apply.await.map(|reply| damage(reply, &fault));
                gate.pass().await;
                reply
            }
            Fault::ShortBody(_) | Fault::FlipBit(_) => apply.await.map(|reply| damage(reply, &fault)),
        }
    }
}

fn dead(kind: RequestKind, key: &str) -> BucketError {
    BucketError::new(ErrorKind::Denied, kind.name(), key, "scripted death: this machine is off")
}

/// Requests without a body have nothing to damage.
fn intact<T>(reply: T, _: &Fault) -> T {
    reply
}

fn damage_body(mut fetched: Fetched, fault: &Fault) -> Fetched {
    match *fault {
        Fault::ShortBody(len) => fetched.bytes.truncate(len),
        Fault::FlipBit(bit) if !fetched.bytes.is_empty() => {
            let mut bytes = fetched.bytes.to_vec();
            let place = bit / 8 % bytes.len();
            bytes[place] ^= 1 << (bit % 8);
            fetched.bytes = bytes.into();
        }
        _ => {}
    }
    fetched
}

#[async_trait]
impl Bucket for Faulty {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        let damage = |fetched: Fetched, fault: &Fault| {
            if let Fault::FreezeHalfway(_) = fault {
                watch(&fetched.bytes[..fetched.bytes.len() / 2]);
            }
            damage_body(fetched, fault)
        };
        self.play(RequestKind::Get, key, self.inner.get(key, range), damage).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        self.play(RequestKind::Put, key, self.inner.put(key, body, condition), intact).await
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.play(RequestKind::Head, key, self.inner.head(key), intact).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        self.play(RequestKind::List, prefix, self.inner.list(prefix, after, limit), intact).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        let first = keys.first().map_or("", String::as_str);
        self.play(RequestKind::Delete, first, self.inner.delete(keys), intact).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::memory::MemoryBucket;

    fn bench() -> (MemoryBucket, Faulty) {
        let memory = MemoryBucket::new();
        let faulty = Faulty::new(Arc::new(memory.clone()));
        (memory, faulty)
    }

    async fn put(bucket: &Faulty, key: &str) -> BucketResult<ETag> {
        bucket.put(key, Bytes::from_static(b"body"), Condition::Overwrite).await
    }

    #[tokio::test]
    async fn rules_hit_the_request_they_name_and_no_other() {
        let (memory, faulty) = bench();
        faulty.add(Rule::nth(2, Fault::Refuse(ErrorKind::Full)).on(RequestKind::Put).under("log/"));
        put(&faulty, "data/1").await.unwrap();
        put(&faulty, "log/1").await.unwrap();
        faulty.head("log/1").await.unwrap();
        assert_eq!(put(&faulty, "log/2").await.unwrap_err().kind, ErrorKind::Full);
        put(&faulty, "log/3").await.unwrap();
        assert_eq!(memory.objects().into_keys().collect::<Vec<_>>(), ["data/1", "log/1", "log/3"]);
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_its_effect() {
        let (memory, faulty) = bench();
        faulty.add(Rule::first(1, Fault::LoseReply));
        assert_eq!(put(&faulty, "a").await.unwrap_err().kind, ErrorKind::Transient);
        assert_eq!(memory.objects().len(), 1);
    }

    #[tokio::test]
    async fn bodies_are_damaged_as_told_while_the_store_keeps_its_own() {
        let (memory, faulty) = bench();
        put(&faulty, "a").await.unwrap();
        faulty.add(Rule::first(1, Fault::ShortBody(2)));
        faulty.add(Rule::first(1, Fault::FlipBit(9)));
        assert_eq!(&faulty.get("a", None).await.unwrap().bytes[..], b"bo");
        assert_eq!(&faulty.get("a", None).await.unwrap().bytes[..], b"bmdy");
        assert_eq!(&faulty.get("a", None).await.unwrap().bytes[..], b"body");
        assert_eq!(&memory.objects()["a"][..], b"body");
    }

    #[tokio::test]
    async fn a_dead_machine_sends_nothing_any_more() {
        for (last, reached) in [(LastRequest::NotSent, 1), (LastRequest::Applied, 2)] {
            let (memory, faulty) = bench();
            faulty.die_after(1, last);
            put(&faulty, "a").await.unwrap();
            for key in ["b", "c"] {
                assert_eq!(put(&faulty, key).await.unwrap_err().kind, ErrorKind::Denied);
            }
            assert!(faulty.is_dead());
            assert_eq!(memory.objects().len(), reached, "{last:?}");
        }
    }

    #[tokio::test]
    async fn a_frozen_request_waits_for_its_release() {
        let (memory, faulty) = bench();
        let (before, after) = (Gate::new(), Gate::new());
        faulty.add(Rule::first(1, Fault::Freeze(before.clone())));
        faulty.add(Rule::first(1, Fault::FreezeReply(after.clone())));
        for (gate, key, applied) in [(before, "a", 0), (after, "b", 2)] {
            let stage = faulty.clone();
            let frozen = tokio::spawn(async move { put(&stage, key).await });
            gate.reached(1).await;
            assert!(!frozen.is_finished());
            assert_eq!(memory.objects().len(), applied);
            gate.release();
            frozen.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn an_outage_lasts_until_it_is_lifted() {
        let (_, faulty) = bench();
        faulty.set_unavailable(true);
        assert_eq!(put(&faulty, "a").await.unwrap_err().kind, ErrorKind::Transient);
        faulty.set_unavailable(false);
        put(&faulty, "a").await.unwrap();
        assert_eq!(faulty.requests(), 2);
    }
}
