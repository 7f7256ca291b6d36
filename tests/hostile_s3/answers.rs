//! Well-formed HTTP that does not answer what was asked: other ranges, other states, lies about time and numbers.

use hushfs::object::bucket::Page;
use hushfs::object::{Bucket, BucketError, Condition, ErrorKind, list_page};

use crate::fake_s3::FakeS3;
use crate::{CALLS, assert_refused, bucket, call, contents, listing, ok_with, reason};

/// The object that the server says it has.
const WHOLE: &[u8; 12] = b"0123456789ab";

/// Asks for all of it, or for bytes 5 to 9.
async fn read(server: &FakeS3, part: bool) -> Result<Vec<u8>, BucketError> {
    let bucket = bucket(server).await;
    let fetched = bucket.get("key", part.then_some(5..10)).await?;
    assert_eq!(fetched.object_len, WHOLE.len() as u64);
    Ok(fetched.bytes.to_vec())
}

fn partial(content_range: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 206 Partial Content\r\netag: \"e\"\r\ncontent-range: {content_range}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_that_were_not_asked_for_are_cut_to_what_was_or_refused() {
    let whole = String::from_utf8(ok_with("etag: \"e\"\r\n", "0123456789ab")).unwrap();
    let long = "x".repeat(4096);
    // The answer, and whether it holds what was asked for: the whole object, its bytes 5 to 9.
    for (what, answer, holds_all, holds_part) in [
        ("200 with all of it", whole, true, true),
        ("206 with all of it", partial("bytes 0-11/12", "0123456789ab"), true, true),
        ("206 with more than asked for", partial("bytes 3-11/12", "3456789ab"), false, true),
        ("206 as it should be", partial("bytes 5-9/12", "56789"), false, true),
        ("206 one byte off", partial("bytes 6-10/12", "6789a"), false, false),
        ("206 with less", partial("bytes 5-8/12", "5678"), false, false),
        ("206 of the beginning", partial("bytes 0-4/12", "01234"), false, false),
        ("another length than the range has", partial("bytes 5-9/12", "5678"), false, false),
        ("a longer body than the range", partial("bytes 5-9/12", &long), false, false),
        ("a range beyond the end", partial("bytes 5-9/8", "56789"), false, false),
        ("a range of nothing", partial("bytes 5-4/12", ""), false, false),
        ("an unknown length", partial("bytes 5-9/*", "56789"), false, false),
        ("an unsatisfied range", partial("bytes */12", "56789"), false, false),
        ("another unit", partial("chunks 5-9/12", "56789"), false, false),
        ("a negative range", partial("bytes -5-9/12", "56789"), false, false),
        ("numbers of 70 bits", partial("bytes 5-9/999999999999999999999999", "56789"), false, false),
        (
            "an end of 64 bits",
            partial("bytes 5-18446744073709551615/18446744073709551615", "56789"),
            false,
            false,
        ),
        ("two ranges", partial("bytes 5-9/12, bytes 0-4/12", "56789"), false, false),
    ] {
        let server = FakeS3::start(&answer, None);
        for (part, holds, truth) in [(false, holds_all, &WHOLE[..]), (true, holds_part, &WHOLE[5..10])] {
            match read(&server, part).await {
                Ok(bytes) => assert!(holds && bytes == truth, "{what}: {bytes:?} passed for the object"),
                Err(error) => {
                    assert!(!holds, "{what}: {}", reason(&error));
                    assert_ne!(error.kind, ErrorKind::NotFound, "{what}: {}", reason(&error));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_that_nobody_asked_about_are_errors_with_a_reason_for_one_request() {
    for status in [
        "300 Multiple Choices",
        "304 Not Modified",
        "305 Use Proxy",
        "306 Unused",
        "400 Bad Request",
        "402 Payment Required",
        "410 Gone",
        "411 Length Required",
        "412 Precondition Failed",
        "416 Range Not Satisfiable",
        "417 Expectation Failed",
        "451 Unavailable",
        "499 Closed",
        "501 Not Implemented",
        "505 Version",
    ] {
        for headers in ["", "etag: \"e\"\r\n", "etag: \"e\"\r\ncontent-range: bytes */12\r\n"] {
            let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
            let server = FakeS3::start(&answer, None);
            let bucket = bucket(&server).await;
            for one in CALLS {
                let before = server.requests().len();
                let error = assert_refused(call(&bucket, one).await, status, one);
                // Nothing else says that a condition does not hold.
                let refused = error.kind == ErrorKind::Precondition;
                assert!(!refused || status.starts_with("412"), "{status}: {one:?}");
                assert!(server.requests().len() - before <= 1, "{status}: {one:?} was asked again");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_no_clock_shows_are_refused_or_ignored() {
    for time in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 32 Foo 2026 99:99:99 XYZ",
        "0",
        "-1",
        "99999999999999999999",
        "",
        "\u{1}",
    ] {
        let answer = ok_with(&format!("etag: \"e\"\r\nlast-modified: {time}\r\n"), "0123456789ab");
        let Ok(answer) = String::from_utf8(answer) else { continue };
        let server = FakeS3::start(&answer, None);
        for part in [false, true] {
            match read(&server, part).await {
                Ok(bytes) => assert_eq!(bytes, if part { &WHOLE[5..10] } else { &WHOLE[..] }),
                Err(error) => assert!(!reason(&error).is_empty()),
            }
        }
        let bucket = bucket(&server).await;
        if let Ok(info) = bucket.head("key").await {
            assert_eq!(info.len, 12);
        }
        let body = format!(
            "<Contents><Key>volume/log/1</Key><Size>1</Size><LastModified>{time}</LastModified></Contents>"
        );
        let server = FakeS3::start(std::str::from_utf8(&listing(&body)).unwrap(), None);
        let bucket = crate::bucket(&server).await;
        if let Ok(page) = list_page(&bucket, "log/", None, 1000).await {
            assert_eq!(page.objects.len(), 1, "{time:?}");
        }
    }
}

/// Follows a listing to its end, as gc does.
async fn follow(server: &FakeS3) -> Result<Vec<String>, BucketError> {
    let bucket = bucket(server).await;
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let Page { objects, more } = list_page(&bucket, "log/", after.as_deref(), 1000).await?;
        keys.extend(objects.into_iter().map(|object| object.key));
        after = keys.last().cloned();
        if !more {
            return Ok(keys);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_that_lie_about_their_numbers_or_their_end_cost_few_requests_and_believe_no_key_twice() {
    let two = contents("log/1", "1") + &contents("log/2", "1");
    let more = "<IsTruncated>true</IsTruncated>";
    let token = "<NextContinuationToken>t</NextContinuationToken>";
    for (what, inside, keys) in [
        ("no keys of two", format!("<KeyCount>0</KeyCount>{two}"), Some(2)),
        ("a billion keys of two", format!("<KeyCount>1000000000</KeyCount>{two}"), Some(2)),
        ("fewer than none", format!("<KeyCount>-5</KeyCount>{two}"), Some(2)),
        ("at most one of two", format!("<MaxKeys>1</MaxKeys>{two}"), Some(2)),
        ("another bucket's", format!("<Name>other</Name><Prefix>other/</Prefix>{two}"), Some(2)),
        ("an end that is none", format!("<IsTruncated>false</IsTruncated>{token}{two}"), Some(2)),
        ("more, without a way on", format!("{more}{two}"), None),
        ("more, and the same again", format!("{more}{token}{two}"), None),
        (
            "a folder in place of keys",
            format!("{two}<CommonPrefixes><Prefix>volume/log/</Prefix></CommonPrefixes>"),
            Some(2),
        ),
        ("an end twice", format!("{more}<IsTruncated>false</IsTruncated>{two}"), Some(2)),
    ] {
        let server = FakeS3::start(std::str::from_utf8(&listing(&inside)).unwrap(), None);
        match follow(&server).await {
            Ok(found) => assert_eq!(Some(found.len()), keys, "{what}: {found:?}"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Corrupt, "{what}: {}", reason(&error)),
        }
        assert!(server.requests().len() <= 2, "{what}: {} requests", server.requests().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_no_volume_has_are_listed_as_they_are_or_refused() {
    let long = "x".repeat(100_000);
    for key in [
        "log/..",
        "log/../../other/volume",
        "log//",
        "log/%2e%2e/volume",
        "log/\\..\\volume",
        "log/&#x0;",
        "log/&#x1b;[2J",
        "log/&#xD800;",
        "log/&#x10FFFF;",
        "log/&#xFEFF;",
        "log/&unknown;",
        "log/&lt;Key&gt;",
        "log/<b>1</b>",
        "log/ 1",
        "log/1\n",
        long.as_str(),
    ] {
        let server = FakeS3::start(std::str::from_utf8(&listing(&contents(key, "1"))).unwrap(), None);
        match follow(&server).await {
            Ok(found) => {
                assert!(found.len() <= 1 && found.iter().all(|key| key.starts_with("log/")), "{found:?}")
            }
            Err(error) => assert!(!reason(&error).is_empty() && error.kind != ErrorKind::NotFound, "{key:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_a_conditional_put_say_either_that_it_was_done_or_why_not() {
    use bytes::Bytes;
    use hushfs::object::bucket::ETag;
    for (status, kind) in [
        // Two writers at the same moment: neither is told that it was too late, both ask again.
        ("409 Conflict", None),
        ("412 Precondition Failed", Some(ErrorKind::Precondition)),
        ("500 Internal", Some(ErrorKind::Transient)),
        ("503 Slow Down", Some(ErrorKind::Transient)),
        ("408 Timeout", Some(ErrorKind::Transient)),
        ("304 Not Modified", None),
        ("206 Partial Content", None),
        ("204 No Content", None),
        ("202 Accepted", None),
    ] {
        let server = FakeS3::start(&format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), None);
        let bucket = bucket(&server).await;
        for condition in [Condition::CreateOnly, Condition::Matches(ETag("abc".into()))] {
            // Without the ETag of what was written, no answer is one that says it was.
            let error = bucket.put("volume", Bytes::from_static(b"body"), condition).await.unwrap_err();
            match kind {
                Some(kind) => assert_eq!(error.kind, kind, "{status}: {}", reason(&error)),
                None => assert_ne!(error.kind, ErrorKind::Precondition, "{status}: {}", reason(&error)),
            }
            assert!(!reason(&error).is_empty());
        }
    }
}
