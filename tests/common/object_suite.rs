//! The promises of `Bucket`, as one suite that every backend and every decorator has to keep.
//!
//! Each promise works under a prefix of its own, so that they can share a bucket. Call
//! [`keeps_its_promises`] with an empty bucket.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hushfs::object::{Bucket, Condition, ErrorKind};

type Shared = Arc<dyn Bucket>;

/// What a store is known to do about the order of its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each test binary meets only one kind")]
pub enum Order {
    /// Ascending byte order of whole keys.
    Bytes,
    /// SeaweedFS: as in a directory, so that `a/b` comes before `a-b`. The format has no such pair of keys,
    /// and our client refuses a list that is out of order.
    FoldersByBareName,
}

/// Runs every promise against `bucket`.
pub async fn keeps_its_promises(bucket: Shared, order: Order) {
    what_was_put_is_got(&bucket).await;
    ranges_are_exact_and_cut_at_the_end(&bucket).await;
    missing_objects_are_not_found(&bucket).await;
    create_only_never_replaces(&bucket).await;
    matches_replaces_only_the_version_it_names(&bucket).await;
    overwrite_always_replaces(&bucket).await;
    one_of_many_creators_wins(&bucket).await;
    one_of_many_replacers_wins(&bucket).await;
    readers_never_see_a_mixture(&bucket).await;
    lists_are_in_byte_order(&bucket, order).await;
    long_lists_come_in_pages(&bucket).await;
    deletes_are_complete_and_repeatable(&bucket).await;
    large_objects_survive(&bucket).await;
    bad_keys_are_refused(&bucket).await;
    assert!(!bucket.describe().is_empty());
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Bytes without a short period, different for each seed.
fn pattern(seed: u32, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect::<Vec<u8>>().into()
}

async fn keys(bucket: &Shared, prefix: &str, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
    let page = bucket.list(prefix, after, limit).await.unwrap();
    (page.objects.into_iter().map(|object| object.key).collect(), page.more)
}

async fn what_was_put_is_got(bucket: &Shared) {
    for (key, bytes) in [("got/empty", body("")), ("got/text", body("text")), ("got/bin", pattern(1, 70_001))]
    {
        let etag = bucket.put(key, bytes.clone(), Condition::CreateOnly).await.unwrap();
        let fetched = bucket.get(key, None).await.unwrap();
        assert_eq!((fetched.bytes, fetched.object_len), (bytes.clone(), bytes.len() as u64), "{key}");
        assert_eq!(fetched.etag, etag, "{key}");
        assert!(!etag.0.is_empty() && !etag.0.contains('"'), "{key}: {etag:?}");
        let info = bucket.head(key).await.unwrap();
        assert_eq!((info.len, info.etag), (bytes.len() as u64, etag), "{key}");
        assert!(info.modified.secs > 1_600_000_000, "{key}: {:?}", info.modified);
    }
}

async fn ranges_are_exact_and_cut_at_the_end(bucket: &Shared) {
    let whole = pattern(2, 10_000);
    let etag = bucket.put("range/a", whole.clone(), Condition::CreateOnly).await.unwrap();
    for range in [0..1, 0..10_000, 17..4_711, 9_999..10_000, 9_990..20_000, 5..u64::MAX] {
        let fetched = bucket.get("range/a", Some(range.clone())).await.unwrap();
        let end = range.end.min(10_000) as usize;
        assert_eq!(fetched.bytes, whole.slice(range.start as usize..end), "{range:?}");
        what_is_watched_is_the_beginning_of_what_is_returned(bucket, range.clone(), &fetched.bytes).await;
        assert_eq!((fetched.object_len, &fetched.etag), (10_000, &etag), "{range:?}");
    }
    for range in [10_000..10_001, 20_000..20_001, 5..5] {
        let error = bucket.get("range/a", Some(range.clone())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{range:?}");
    }
    bucket.put("range/empty", Bytes::new(), Condition::CreateOnly).await.unwrap();
    assert_eq!(bucket.get("range/empty", Some(0..1)).await.unwrap_err().kind, ErrorKind::Invalid);
}

/// Of `range/a`.
async fn what_is_watched_is_the_beginning_of_what_is_returned(
    bucket: &Shared,
    range: Range<u64>,
    whole: &Bytes,
) {
    let seen = Mutex::new(0);
    let watch = |so_far: &[u8]| {
        let mut seen = seen.lock().unwrap();
        assert!(so_far.len() >= *seen && *so_far == whole[..so_far.len()]);
        *seen = so_far.len();
    };
    let fetched = bucket.get_watched("range/a", Some(range), &watch).await.unwrap();
    assert_eq!(fetched.bytes, *whole);
}

async fn missing_objects_are_not_found(bucket: &Shared) {
    for key in ["missing", "missing/deep/er"] {
        let got = bucket.get(key, None).await.unwrap_err();
        assert_eq!((got.kind, got.operation, got.key.as_str()), (ErrorKind::NotFound, "get", key));
        let part = bucket.get(key, Some(0..1)).await.unwrap_err();
        assert_eq!(part.kind, ErrorKind::NotFound);
        let headed = bucket.head(key).await.unwrap_err();
        assert_eq!((headed.kind, headed.operation), (ErrorKind::NotFound, "head"));
        bucket.delete(&[key.to_owned()]).await.unwrap();
    }
    assert_eq!(keys(bucket, "missing/", None, 10).await, (vec![], false));
}

async fn create_only_never_replaces(bucket: &Shared) {
    let first = bucket.put("create/a", body("first"), Condition::CreateOnly).await.unwrap();
    let error = bucket.put("create/a", body("second"), Condition::CreateOnly).await.unwrap_err();
    assert_eq!((error.kind, error.key.as_str()), (ErrorKind::Precondition, "create/a"));
    let fetched = bucket.get("create/a", None).await.unwrap();
    assert_eq!((fetched.bytes, fetched.etag), (body("first"), first));
    bucket.delete(&["create/a".to_owned()]).await.unwrap();
    bucket.put("create/a", body("third"), Condition::CreateOnly).await.unwrap();
}

async fn matches_replaces_only_the_version_it_names(bucket: &Shared) {
    let one = bucket.put("match/a", body("one"), Condition::CreateOnly).await.unwrap();
    let two = bucket.put("match/a", body("two"), Condition::Matches(one.clone())).await.unwrap();
    assert_ne!(one, two);
    for stale in [Condition::Matches(one), Condition::CreateOnly] {
        let error = bucket.put("match/a", body("three"), stale).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Precondition);
    }
    assert_eq!(bucket.get("match/a", None).await.unwrap().bytes, body("two"));
    bucket.delete(&["match/a".to_owned()]).await.unwrap();
    let error = bucket.put("match/a", body("four"), Condition::Matches(two)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Precondition);
    assert_eq!(bucket.head("match/a").await.unwrap_err().kind, ErrorKind::NotFound);
}

async fn overwrite_always_replaces(bucket: &Shared) {
    let one = bucket.put("over/a", body("one"), Condition::Overwrite).await.unwrap();
    let two = bucket.put("over/a", body("two"), Condition::Overwrite).await.unwrap();
    assert_ne!(one, two);
    let fetched = bucket.get("over/a", None).await.unwrap();
    assert_eq!((fetched.bytes, fetched.etag), (body("two"), two));
}

/// Sixteen puts at once, of which one alone may win. A store that is too busy to say what became of a put (S3's 409, Ceph's
/// 500) may have done it.
async fn race(bucket: &Shared, key: &'static str, condition: Condition) {
    let racers: Vec<_> = (0..16)
        .map(|number| {
            let (bucket, condition, bytes) = (bucket.clone(), condition.clone(), pattern(number, 5_000));
            tokio::spawn(async move { (bytes.clone(), bucket.put(key, bytes, condition).await) })
        })
        .collect();
    let (mut winners, mut perhaps) = (Vec::new(), Vec::new());
    for racer in racers {
        match racer.await.unwrap() {
            (bytes, Ok(_)) => winners.push(bytes),
            (bytes, Err(error)) if error.kind == ErrorKind::Transient => perhaps.push(bytes),
            (_, Err(error)) => assert_eq!(error.kind, ErrorKind::Precondition, "{}", error.source),
        }
    }
    let found = bucket.get(key, None).await.unwrap().bytes;
    let alone = winners == [found.clone()] || winners.is_empty() && perhaps.contains(&found);
    assert!(alone, "{key}: {} won and {} may have", winners.len(), perhaps.len());
}

async fn one_of_many_creators_wins(bucket: &Shared) {
    for key in ["race/new/1", "race/new/2", "race/new/3"] {
        race(bucket, key, Condition::CreateOnly).await;
    }
}

async fn one_of_many_replacers_wins(bucket: &Shared) {
    let key = "race/old";
    let mut etag = bucket.put(key, body("start"), Condition::CreateOnly).await.unwrap();
    for _ in 0..3 {
        race(bucket, key, Condition::Matches(etag)).await;
        let fetched = bucket.get(key, None).await.unwrap();
        // Different bytes, so that the next round's losers cannot be mistaken for winners.
        let next = Condition::Matches(fetched.etag);
        etag = bucket.put(key, body("between"), next).await.unwrap();
    }
}

async fn readers_never_see_a_mixture(bucket: &Shared) {
    let versions: Vec<Bytes> = (0..6).map(|seed| pattern(seed, 200_000 + seed as usize)).collect();
    bucket.put("mix/a", versions[0].clone(), Condition::CreateOnly).await.unwrap();
    let (writer, bodies) = (bucket.clone(), versions.clone());
    let writing = tokio::spawn(async move {
        for bytes in bodies {
            writer.put("mix/a", bytes, Condition::Overwrite).await.unwrap();
        }
    });
    loop {
        let fetched = bucket.get("mix/a", None).await.unwrap();
        assert!(versions.contains(&fetched.bytes), "a mixture of {} bytes", fetched.bytes.len());
        if writing.is_finished() {
            break;
        }
    }
    writing.await.unwrap();
    assert_eq!(bucket.get("mix/a", None).await.unwrap().bytes, versions[5]);
}

async fn lists_are_in_byte_order(bucket: &Shared, order: Order) {
    // `-` and `.` sort before the slash, `0` after it: folders must be sorted as they go on.
    let mut sorted =
        vec!["order/A", "order/a-b", "order/a.b", "order/a/1", "order/a/2/3", "order/a0", "order/ba/c"];
    if order == Order::FoldersByBareName {
        sorted.retain(|key| !key.contains(['-', '.']));
    }
    for key in sorted.iter().rev() {
        bucket.put(key, body(key), Condition::CreateOnly).await.unwrap();
    }
    let page = bucket.list("order/", None, 100).await.unwrap();
    let found: Vec<_> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((found, page.more), (sorted.clone(), false));
    for object in &page.objects {
        assert_eq!(object.len, object.key.len() as u64);
        assert!(object.modified.secs > 1_600_000_000, "{object:?}");
    }
    for after in sorted.iter().copied().chain(["order/", "order/a/15", "order/a/", "aaa", "order0"]) {
        for limit in [1, 2, 7] {
            let rest: Vec<_> = sorted.iter().copied().filter(|key| *key > after).collect();
            let (found, more) = keys(bucket, "order/", Some(after), limit).await;
            assert_eq!(found, rest[..limit.min(rest.len())], "after {after}, {limit} of them");
            assert_eq!(more, rest.len() > limit, "after {after}, {limit} of them");
        }
    }
    for prefix in ["order/a", "order/a/", "order/a/2", "orde", "order/x", "order/ba/c"] {
        let matching: Vec<_> = sorted.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(keys(bucket, prefix, None, 100).await.0, matching, "{prefix}");
    }
    assert_eq!(keys(bucket, "order/a", Some("order/a/2/3"), 100).await.0, ["order/a0"]);
}

async fn long_lists_come_in_pages(bucket: &Shared) {
    let expected: Vec<String> = (0..1_100).map(|number| format!("page/{number:016x}")).collect();
    for batch in expected.chunks(50) {
        let puts: Vec<_> = batch
            .iter()
            .map(|key| {
                let (bucket, key) = (bucket.clone(), key.clone());
                tokio::spawn(async move { bucket.put(&key, body("x"), Condition::CreateOnly).await })
            })
            .collect();
        for put in puts {
            put.await.unwrap().unwrap();
        }
    }
    for limit in [1_000, 275] {
        let mut found: Vec<String> = Vec::new();
        loop {
            let after = found.last().cloned();
            let (page, more) = keys(bucket, "page/", after.as_deref(), limit).await;
            assert!(page.len() <= limit);
            found.extend(page);
            if !more {
                break;
            }
        }
        assert_eq!(found, expected, "{limit} to a page");
    }
}

/// Continues with the keys of [`long_lists_come_in_pages`]: more than fit into one request.
async fn deletes_are_complete_and_repeatable(bucket: &Shared) {
    let doomed: Vec<String> = (1..1_100).map(|number| format!("page/{number:016x}")).collect();
    bucket.delete(&doomed).await.unwrap();
    assert_eq!(keys(bucket, "page/", None, 10).await, (vec![format!("page/{:016x}", 0)], false));
    bucket.delete(&doomed).await.unwrap();
    bucket.delete(&[]).await.unwrap();
    let mixed = ["page/0000000000000000".to_owned(), "page/none".to_owned()];
    bucket.delete(&mixed).await.unwrap();
    assert_eq!(keys(bucket, "page/", None, 10).await, (vec![], false));
}

async fn large_objects_survive(bucket: &Shared) {
    let large = pattern(9, (9 << 20) + 1);
    bucket.put("large/a", large.clone(), Condition::CreateOnly).await.unwrap();
    // Compared outside of assert_eq: nobody wants to read nine megabytes.
    assert!(bucket.get("large/a", None).await.unwrap().bytes == large);
    let part = bucket.get("large/a", Some(8 << 20..u64::MAX)).await.unwrap();
    assert!(part.bytes == large.slice(8 << 20..));
}

async fn bad_keys_are_refused(bucket: &Shared) {
    let long = "x".repeat(256);
    for key in ["", "/bad", "bad/", "bad//key", ".", "bad/../key", "../bad", "bad\0", "bad\n", &long] {
        let invalid =
            |error: hushfs::object::BucketError| assert_eq!(error.kind, ErrorKind::Invalid, "{key:?}");
        invalid(bucket.get(key, None).await.unwrap_err());
        invalid(bucket.head(key).await.unwrap_err());
        invalid(bucket.put(key, Bytes::new(), Condition::CreateOnly).await.unwrap_err());
        invalid(bucket.delete(&[key.to_owned()]).await.unwrap_err());
    }
    for prefix in ["/", "../", "a/../b"] {
        assert_eq!(bucket.list(prefix, None, 1).await.unwrap_err().kind, ErrorKind::Invalid, "{prefix:?}");
    }
    let longest = format!("longest/{}", "x".repeat(240));
    bucket.put(&longest, body("x"), Condition::CreateOnly).await.unwrap();
    assert_eq!(keys(bucket, "longest/", None, 10).await.0, [longest]);
}
