//! A server that speaks HTTP to do harm: each answer ends in an error with a reason, within bounds of memory and time,
//! and nothing is sent to anybody else.

#[path = "../common/fake_s3.rs"]
mod fake_s3;

mod answers;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hushfs::object::bucket::ETag;
use hushfs::object::{Bucket, BucketError, Condition, ErrorKind, S3Bucket, S3Options, list_page};

use fake_s3::FakeS3;

/// More than any answer but an object's content may cost: 16 MiB, and what the kernel's buffers hold.
const MOST_TAKEN: usize = 32 << 20;
/// What a server sends that never ends, unless it is stopped.
const FOR_EVER: usize = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Get,
    Part,
    Put,
    Head,
    List,
    Delete,
    DeleteMany,
}

const CALLS: [Call; 7] =
    [Call::Get, Call::Part, Call::Put, Call::Head, Call::List, Call::Delete, Call::DeleteMany];

async fn call(bucket: &S3Bucket, call: Call) -> Result<(), BucketError> {
    match call {
        Call::Get => bucket.get("key", None).await.map(drop),
        Call::Part => bucket.get("key", Some(5..10)).await.map(drop),
        Call::Put => bucket.put("key", Bytes::from_static(b"body"), Condition::CreateOnly).await.map(drop),
        Call::Head => bucket.head("key").await.map(drop),
        Call::List => bucket.list("log/", None, 1000).await.map(drop),
        Call::Delete => bucket.delete(&["key".into()]).await,
        Call::DeleteMany => bucket.delete(&["a".into(), "b".into()]).await,
    }
}

/// A bucket behind `server`.
async fn bucket(server: &FakeS3) -> S3Bucket {
    let options = S3Options { endpoint_url: Some(server.url("http")), ..S3Options::default() };
    S3Bucket::connect("bucket", "volume", &options).await.unwrap().with_patience(Duration::from_secs(20))
}

fn acting(act: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static) -> FakeS3 {
    FakeS3::acting(None, act)
}

/// Sends `answer` and ends the connection.
fn answering(answer: impl Into<Vec<u8>>) -> FakeS3 {
    let answer = answer.into();
    acting(move |_, stream| {
        stream.write_all(&answer)?;
        stream.flush()?;
        Err(io::ErrorKind::ConnectionAborted.into())
    })
}

fn ok_with(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The reason as a user would read it.
fn reason(error: &BucketError) -> String {
    format!("{error}: {}", error.source)
}

fn assert_refused(result: Result<(), BucketError>, what: &str, call: Call) -> BucketError {
    let error = result.expect_err(&format!("{what} passed for an answer to {call:?}"));
    assert!(!error.source.to_string().is_empty(), "{what}: {error} without a reason");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_the_protocol_are_errors_with_a_reason() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(1 << 20));
    for (what, answer) in [
        ("no answer", &b""[..]),
        ("half a status line", b"HTTP/1.1 20"),
        ("half a head", b"HTTP/1.1 200 OK\r\nety"),
        ("half a body", b"HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 10\r\n\r\nfive5"),
        ("a negative length", b"HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: -1\r\n\r\n"),
        (
            "a length of 67 bits",
            b"HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 99999999999999999999\r\n\r\n",
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        ),
        ("a chunk of zz bytes", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        (
            "a chunk of 72 bits",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        ),
        ("a chunk that does not come", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\nx"),
        (
            "a chunk without its end",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        ),
        ("HTTP/1.0 until the end", b"HTTP/1.0 200 OK\r\netag: \"e\"\r\n\r\nbody"),
        ("HTTP/0.9", b"<html>hello</html>"),
        ("HTTP/9.9", b"HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("status 99", b"HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n"),
        ("status 999", b"HTTP/1.1 999 High\r\ncontent-length: 0\r\n\r\n"),
        (
            "another protocol",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        ),
        ("a NUL in a header", b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
        ("a header without a colon", b"HTTP/1.1 200 OK\r\nx\r\ncontent-length: 0\r\n\r\n"),
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xff\xfe\r\n\r\n"),
        ("a header of a megabyte", long.as_bytes()),
        (
            "a compressed body",
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00",
        ),
        (
            "a success that is an error",
            b"HTTP/1.1 200 OK\r\ncontent-length: 35\r\n\r\n<Error><Code>SlowDown</Code></Error>",
        ),
    ] {
        let server = answering(answer);
        let bucket = bucket(&server).await;
        for one in CALLS {
            let result = call(&bucket, one).await;
            let suffices = match one {
                // What S3 answers to a deletion has neither body nor headers that would have to be there.
                Call::Delete | Call::DeleteMany => true,
                // HEAD has no body, whatever is said of one.
                Call::Head => ["half a body", "HTTP/1.0 until the end"].contains(&what),
                // Old, and in order.
                Call::Put => what == "HTTP/1.0 until the end",
                _ => false,
            };
            if !suffices {
                assert_refused(result, what, one);
            }
        }
    }
}

/// Sends `head` and then `piece` again and again.
fn endless(head: &'static str, piece: impl Into<Vec<u8>>) -> FakeS3 {
    let piece = piece.into();
    acting(move |_, stream| {
        stream.write_all(head.as_bytes())?;
        for _ in 0..FOR_EVER / piece.len() {
            stream.write_all(&piece)?;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_without_end_cost_a_bounded_number_of_bytes() {
    let chunk = [b"10000\r\n".as_slice(), &[b'<'; 0x10000], b"\r\n"].concat();
    let keys = "<Contents><Key>volume/log/1</Key><Size>1</Size></Contents>".repeat(1000).into_bytes();
    let listing = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult><IsTruncated>true</IsTruncated>";
    let deep = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>";
    for (what, server) in [
        ("a body in chunks", endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk.clone())),
        ("an error's body", endless("HTTP/1.1 500 No\r\n\r\n<Error><Message>", vec![b'x'; 1 << 16])),
        ("the body of a 404", endless("HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n", chunk)),
        ("headers", endless("HTTP/1.1 200 OK\r\n", &b"name: value\r\n"[..])),
        ("a header", endless("HTTP/1.1 200 OK\r\nname: ", vec![b'x'; 1 << 16])),
        (
            "trailers",
            endless(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
                &b"name: value\r\n"[..],
            ),
        ),
        ("keys", endless(listing, keys)),
        ("nested elements", endless(deep, "<a>".repeat(10_000))),
    ] {
        let bucket = bucket(&server).await;
        for one in [Call::Put, Call::List, Call::DeleteMany, Call::Get, Call::Head] {
            let before = server.written();
            let result = call(&bucket, one).await;
            if one != Call::DeleteMany {
                assert_refused(result, what, one);
            }
            let taken = server.written() - before;
            assert!(taken < MOST_TAKEN, "{what}: {taken} bytes were taken for {one:?}");
        }
    }
}

/// A server that goes on in some way without ever coming to an end.
fn slow(goes_on: &'static str, every: Duration) -> FakeS3 {
    acting(move |_, stream| {
        stream.write_all(goes_on.as_bytes())?;
        // The other side hangs up; that ends this, not the clock.
        let (_quiet, never) = std::sync::mpsc::channel::<()>();
        loop {
            stream.flush()?;
            match never.recv_timeout(every) {
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                _ => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            stream.write_all(if goes_on.starts_with("HTTP/1.1 100") { goes_on.as_bytes() } else { b"x" })?;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_comes_to_an_end_costs_the_time_limit_and_no_more() {
    let patience = Duration::from_millis(150);
    let drip = Duration::from_millis(20);
    for (what, server) in [
        ("a head that drips", slow("HTTP/1.1 200 OK\r\nname: ", drip)),
        ("one 100 after the other", slow("HTTP/1.1 100 Continue\r\n\r\n", drip)),
        ("a body that drips", slow("HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 9000\r\n\r\n", drip)),
        ("chunks that drip", slow("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n1000000\r\n", drip)),
    ] {
        let bucket = bucket(&server).await.with_patience(patience);
        for one in CALLS {
            if what == "a body that drips" && matches!(one, Call::Head | Call::Get | Call::Part) {
                // HEAD has no body; the time for an object's content grows with what was announced.
                continue;
            }
            let error = assert_refused(call(&bucket, one).await, what, one);
            assert_eq!(error.kind, ErrorKind::Transient, "{what}: {}", reason(&error));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_not_asked_for_is_never_taken_for_the_next() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let server = acting(move |request, stream| {
        count.fetch_add(1, Ordering::SeqCst);
        let key = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let honest = ok_with("etag: \"e\"\r\n", if key.contains("second") { "second" } else { "first" });
        let smuggled = ok_with("etag: \"e\"\r\n", "forged");
        stream.write_all(&[honest, smuggled].concat())
    });
    let bucket = bucket(&server).await;
    assert_eq!(&bucket.get("first", None).await.unwrap().bytes[..], b"first");
    for _ in 0..20 {
        for key in ["second", "first"] {
            // A connection that says more than it was asked may end in an error.
            if let Ok(fetched) = bucket.get(key, None).await {
                assert_eq!(
                    &fetched.bytes[..],
                    key.as_bytes(),
                    "an answer that stood in the pipe was believed"
                );
            }
        }
    }
    assert!(served.load(Ordering::SeqCst) >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_send_no_request_and_no_credentials_to_anybody() {
    let trap = FakeS3::start("HTTP/1.1 200 OK\r\netag: \"t\"\r\ncontent-length: 0\r\n\r\n", None);
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        for location in [
            format!("http://127.0.0.1:{}/bucket/volume/key", trap.port),
            format!("http://localhost:{}/", trap.port),
            format!("//127.0.0.1:{}/", trap.port),
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/".to_owned(),
            "http://[fe80::1]/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "/elsewhere".to_owned(),
        ] {
            let headers = format!(
                "HTTP/1.1 {status}\r\nlocation: {location}\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n\r\n"
            );
            let server = FakeS3::start(&headers, None);
            let bucket = bucket(&server).await;
            for one in CALLS {
                let error = assert_refused(call(&bucket, one).await, &location, one);
                assert!(reason(&error).contains("a redirect, which is never followed"), "{}", reason(&error));
            }
            assert_eq!(server.requests().len(), CALLS.len(), "{status} to {location} made it ask again");
        }
    }
    assert_eq!(trap.connections(), 0);
}

/// A listing of S3 with `inside` in place of its contents.
fn listing(inside: &str) -> Vec<u8> {
    let body = format!("<?xml version=\"1.0\"?><ListBucketResult>{inside}</ListBucketResult>");
    ok_with("content-type: application/xml\r\n", &body)
}

fn contents(key: &str, size: &str) -> String {
    format!("<Contents><Key>volume/{key}</Key><Size>{size}</Size></Contents>")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_that_no_store_makes_are_refused() {
    let done = "<IsTruncated>false</IsTruncated>";
    let many: String = (0..100_000).map(|n| contents(&format!("log/{n:016x}"), "1")).collect();
    for (what, answer) in [
        ("descending", listing(&(contents("log/2", "1") + &contents("log/1", "1") + done))),
        ("repeated", listing(&(contents("log/1", "1") + &contents("log/1", "1") + done))),
        ("another prefix", listing(&(contents("tree/1", "1") + done))),
        ("another volume", listing("<Contents><Key>other/log/1</Key><Size>1</Size></Contents>")),
        ("a negative size", listing(&(contents("log/1", "-1") + done))),
        ("no size", listing("<Contents><Key>volume/log/1</Key></Contents>")),
        ("a size of 70 bits", listing(&(contents("log/1", "999999999999999999999") + done))),
        ("no key", listing("<Contents><Size>1</Size></Contents>")),
        ("a hundred thousand keys", listing(&(many + done))),
        ("more without a way on", listing("<IsTruncated>true</IsTruncated>")),
        (
            "more for ever",
            listing("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"),
        ),
    ] {
        let server = FakeS3::start(std::str::from_utf8(&answer).unwrap(), None);
        let bucket = bucket(&server).await;
        let result = list_page(&bucket, "log/", None, 1000).await;
        let error = result.err().unwrap_or_else(|| panic!("a listing with {what} was believed"));
        assert_eq!(error.kind, ErrorKind::Corrupt, "{what}: {}", reason(&error));
        assert!(server.requests().len() <= 100, "{what}: {} requests", server.requests().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_xml_cannot_say_are_asked_for_as_in_urls() {
    let done = "<IsTruncated>false</IsTruncated>";
    let escaped = |names: &str| listing(&format!("<EncodingType>url</EncodingType>{names}{done}"));
    let escaped = escaped(&contents("log%2Fesc%1B%5B31m+x", "1"));
    // As moto writes the name, and as SeaweedFS does.
    for name in ["log/esc\u{1b}[31m x", "log/esc\u{fffd}[31m x"] {
        let (plain, escaped) = (listing(&(contents(name, "1") + done)), escaped.clone());
        let server = acting(move |request, stream| {
            stream.write_all(if request.contains("encoding-type=url") { &escaped } else { &plain })
        });
        let page = list_page(&bucket(&server).await, "log/", None, 1000).await.unwrap();
        let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["log/esc\u{1b}[31m x"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_ends_in_a_slash_is_passed_over_only_where_nothing_is_in_it() {
    let names = contents("log/empty/", "0") + &contents("log/full/", "3");
    let answer = listing(&(names + "<IsTruncated>false</IsTruncated>"));
    let server = FakeS3::start(std::str::from_utf8(&answer).unwrap(), None);
    let page = list_page(&bucket(&server).await, "log/", None, 1000).await.unwrap();
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["log/full/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xml_that_is_a_trap_lists_nothing() {
    let laughs = (1..10).fold("<!ENTITY e0 \"ha\">".to_owned(), |all, n| {
        format!("{all}<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10))
    });
    let bomb = format!("<!DOCTYPE x [{laughs}]><ListBucketResult><Name>&e9;</Name></ListBucketResult>");
    let outside = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><ListBucketResult><Name>&e;</Name></ListBucketResult>";
    for (what, answer) in [
        ("entities", ok_with("", &bomb)),
        ("a file as an entity", ok_with("", outside)),
        ("an end that is missing", ok_with("", "<ListBucketResult><Contents><Key>volume/log/1</Key>")),
        ("no XML", ok_with("", "hello")),
        ("nothing", ok_with("", "")),
    ] {
        let server = FakeS3::start(std::str::from_utf8(&answer).unwrap(), None);
        let bucket = bucket(&server).await;
        if let Ok(page) = list_page(&bucket, "log/", None, 1000).await {
            assert!(page.objects.is_empty() && !page.more, "{what}: {page:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_nested_a_million_times_lists_nothing_and_overflows_nothing() {
    let deep = "<a>".repeat(1_000_000);
    let server = FakeS3::start(std::str::from_utf8(&listing(&deep)).unwrap(), None);
    let bucket = bucket(&server).await;
    if let Ok(page) = list_page(&bucket, "log/", None, 1000).await {
        assert!(page.objects.is_empty() && !page.more, "{page:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etags_that_are_missing_or_odd_are_refused() {
    let long = format!("\"{}\"", "e".repeat(5000));
    for etag in ["", "\"\"", "W/", "\"a b\"", "\"a\"b\"", "\"\u{e9}\"", "\"a\tb\"", &long] {
        let header = if etag.is_empty() { String::new() } else { format!("etag: {etag}\r\n") };
        let server = FakeS3::start(std::str::from_utf8(&ok_with(&header, "0123456789")).unwrap(), None);
        let bucket = bucket(&server).await;
        for one in [Call::Get, Call::Part, Call::Put, Call::Head] {
            assert_refused(call(&bucket, one).await, &format!("the ETag {etag:?}"), one);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_is_named_and_nothing_is_tried_again_and_again() {
    let body =
        "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>";
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ndate: Mon, 01 Jan 2035 00:00:00 GMT\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = FakeS3::start(&answer, None);
    let bucket = bucket(&server).await;
    let denied = assert_refused(call(&bucket, Call::List).await, "skew", Call::List);
    assert_eq!(denied.kind, ErrorKind::Denied);
    assert!(reason(&denied).contains("RequestTimeTooSkewed"), "{}", reason(&denied));
    assert_eq!(server.requests().len(), 1);
}

/// A server that compares If-Match with its ETag as it stands, without quotes, as Ceph 16 does.
fn literal(current: &'static str) -> FakeS3 {
    acting(move |request, stream| {
        let asked = request
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("if-match: ").map(str::to_owned));
        let answer = match asked {
            Some(asked) if asked != current => b"HTTP/1.1 412 No\r\ncontent-length: 0\r\n\r\n".to_vec(),
            _ if request.starts_with("HEAD ") => {
                format!("HTTP/1.1 200 OK\r\netag: \"{current}\"\r\ncontent-length: 5\r\n\r\n").into_bytes()
            }
            _ => ok_with(&format!("etag: \"{current}\"\r\n"), ""),
        };
        stream.write_all(&answer)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_etags_without_quotes_is_asked_so_once_it_has_refused_what_is_true() {
    let server = literal("abc");
    let bucket = bucket(&server).await;
    let matching = |etag: &str| Condition::Matches(ETag(etag.into()));
    let put = |condition| bucket.put("volume", Bytes::from_static(b"body"), condition);
    // What is not true is not asked for in another way.
    assert_eq!(put(matching("old")).await.unwrap_err().kind, ErrorKind::Precondition);
    assert_eq!(server.requests().len(), 2);
    put(matching("abc")).await.unwrap();
    assert_eq!(server.requests().len(), 5);
    put(matching("abc")).await.unwrap();
    assert_eq!(put(matching("old")).await.unwrap_err().kind, ErrorKind::Precondition);
    assert_eq!(server.requests().len(), 7);
}
