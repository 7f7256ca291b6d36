//! The exact headers of encryption at rest, on the wire, for every kind of request and every choice, DSSE included, which
//! no server that can be had does; and what becomes of answers that say something else. Also which payloads are signed.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/fake_s3.rs"]
mod fake_s3;

use std::sync::Arc;

use bytes::Bytes;
use hushfs::object::policy::{Requirements, Scope};
use hushfs::object::{
    Bucket, BucketDefault, BucketError, Condition, CustomerKey, CustomerKeys, EncryptionContext,
    EncryptionRules, ErrorKind, S3Bucket, S3Options, ServerEncryption, TransportOptions,
};

use cli::{Home, Ran};
use fake_s3::{Authority, FakeS3};

/// Base64 of 32 zero bytes, and of their MD5.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const MD5: &str = "cLyPS3KoaSFGi/joRB3OUQ==";

struct OneKey;

impl CustomerKeys for OneKey {
    fn for_writing(&self, _: &str, _: &[u8]) -> Option<Arc<CustomerKey>> {
        Some(Arc::new(CustomerKey::new(&[0; 32])))
    }
    fn for_reading(&self, _: &str) -> Vec<Arc<CustomerKey>> {
        vec![Arc::new(CustomerKey::new(&[0; 32]))]
    }
}

fn rules(writes: ServerEncryption, also: &[&str]) -> EncryptionRules {
    let also = also.iter().map(|kind| kind.parse().unwrap()).collect();
    EncryptionRules { writes, also, keys: Some(Arc::new(OneKey)), ..EncryptionRules::default() }
}

/// A bucket behind a server that answers everything with success and `headers`.
async fn bucket(headers: &str, rules: EncryptionRules, tls: bool) -> (S3Bucket, FakeS3) {
    let body = format!("<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>{}", " ".repeat(100));
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    behind(&answer, rules, tls).await
}

/// A bucket behind a server that answers everything with `answer`.
async fn behind(answer: &str, rules: EncryptionRules, tls: bool) -> (S3Bucket, FakeS3) {
    let authority = Authority::new();
    let config = tls.then(|| authority.tls(rustls::ALL_VERSIONS, |_| ()));
    let server = FakeS3::start(answer, config);
    let options = S3Options {
        endpoint_url: Some(server.url(if tls { "https" } else { "http" })),
        transport: TransportOptions { ca_bundle: Some(authority.bundle()), ..TransportOptions::default() },
        ..S3Options::default()
    };
    let bucket = S3Bucket::connect("bucket", "", &options).await.unwrap();
    bucket.encryption().settle(rules).unwrap();
    (bucket, server)
}

/// The headers of encryption in a request's head, sorted.
fn sent(head: &str) -> Vec<String> {
    let lines = head.lines().map(str::to_ascii_lowercase).zip(head.lines());
    let mut found: Vec<String> = lines
        .filter(|(lower, _)| lower.starts_with("x-amz-") && lower.contains("server-side-encryption"))
        .map(|(lower, line)| {
            let name = lower.split(':').next().unwrap().to_owned();
            format!("{name}:{}", line.split_once(':').unwrap().1)
        })
        .collect();
    found.sort();
    found
}

fn with_prefix(prefix: &str, lines: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> =
        lines.iter().map(|line| format!("{prefix}server-side-encryption{line}")).collect();
    lines.sort();
    lines
}

const CUSTOMER: [&str; 3] = [
    "-customer-algorithm: AES256",
    "-customer-key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "-customer-key-md5: cLyPS3KoaSFGi/joRB3OUQ==",
];

/// Choice, what goes with a write, what an honest server answers.
fn table() -> Vec<(ServerEncryption, Vec<&'static str>, String)> {
    let context = || EncryptionContext::parse(["team=a"]).unwrap();
    let new = |kind, context, bucket_key| ServerEncryption::new(kind, context, bucket_key).unwrap();
    let none = EncryptionContext::default;
    let says =
        |lines: &[&str]| lines.iter().map(|line| format!("x-amz-server-side-encryption{line}\r\n")).collect();
    vec![
        (new("bucket", none(), false), vec![], String::new()),
        (new("s3", none(), false), vec![": AES256"], says(&[": AES256"])),
        (
            new("kms", none(), false),
            vec![": aws:kms"],
            says(&[": aws:kms", "-aws-kms-key-id: arn:aws:kms:r:1:key/d"]),
        ),
        (
            new("kms:k", context(), true),
            vec![
                ": aws:kms",
                "-aws-kms-key-id: k",
                "-bucket-key-enabled: true",
                "-context: eyJ0ZWFtIjoiYSJ9",
            ],
            says(&[": aws:kms", "-aws-kms-key-id: arn:aws:kms:r:1:key/k", "-bucket-key-enabled: true"]),
        ),
        (
            new("dsse:k", context(), false),
            vec![": aws:kms:dsse", "-aws-kms-key-id: k", "-context: eyJ0ZWFtIjoiYSJ9"],
            says(&[": aws:kms:dsse", "-aws-kms-key-id: arn:aws:kms:r:1:key/k"]),
        ),
        (new("customer", none(), false), CUSTOMER.to_vec(), says(&[CUSTOMER[0], CUSTOMER[2]])),
    ]
}

async fn put(bucket: &S3Bucket) -> Result<(), BucketError> {
    bucket.put("log/1", Bytes::from_static(b"sealed"), Condition::CreateOnly).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_carries_exactly_the_headers_of_its_choice() {
    assert!(CUSTOMER[1].ends_with(KEY) && CUSTOMER[2].ends_with(MD5));
    for (kind, written, honest) in table() {
        let (bucket, server) = bucket(&honest, rules(kind.clone(), &[]), true).await;
        put(&bucket).await.unwrap();
        bucket.get("log/1", None).await.unwrap();
        bucket.get("log/1", Some(0..10)).await.unwrap();
        bucket.head("log/1").await.unwrap();
        bucket.delete(&["log/1".to_owned()]).await.unwrap();
        let requests = server.requests();
        let read = if kind == ServerEncryption::Customer { CUSTOMER.to_vec() } else { vec![] };
        let expected = [written.clone(), read.clone(), read.clone(), read, vec![]];
        assert_eq!(requests.len(), expected.len(), "{kind}: {requests:?}");
        for (request, expected) in requests.iter().zip(expected) {
            assert_eq!(sent(request), with_prefix("x-amz-", &expected), "{kind}: {request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_carries_the_new_encryption_and_the_version_that_it_is_made_of() {
    for (kind, written, _) in table().into_iter().filter(|(kind, ..)| *kind != ServerEncryption::Bucket) {
        // The answer says the old kind throughout, so the copy is sent and its answer refused.
        let old = if kind == ServerEncryption::S3 { "aws:kms" } else { "AES256" };
        let says = format!("x-amz-server-side-encryption: {old}\r\n");
        let (bucket, server) = bucket(&says, rules(kind.clone(), &["bucket"]), true).await;
        let refused = bucket.reencrypt("log/1").await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Encryption, "{kind}: {}", refused.source);
        let requests = server.requests();
        let copy = requests.iter().find(|head| head.to_ascii_lowercase().contains("x-amz-copy-source:"));
        let copy = copy.unwrap_or_else(|| panic!("{kind}: {requests:?}"));
        // What the source was read with goes along as the source's key: this server takes any.
        let source = if kind == ServerEncryption::Customer { CUSTOMER.to_vec() } else { vec![] };
        let mut expected = with_prefix("x-amz-", &written);
        expected.extend(with_prefix("x-amz-copy-source-", &source));
        expected.sort();
        assert_eq!(sent(copy), expected, "{kind}: {copy}");
        let lower = copy.to_ascii_lowercase();
        assert!(
            lower.contains("x-amz-copy-source-if-match: \"e\"") && lower.contains("\r\nif-match: \"e\""),
            "{copy}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_something_else_or_nothing_is_refused_for_writes_and_reads() {
    for (kind, _, _) in table().into_iter().filter(|(kind, ..)| *kind != ServerEncryption::Bucket) {
        let other = if kind == ServerEncryption::S3 { "aws:kms" } else { "AES256" };
        for lie in [String::new(), format!("x-amz-server-side-encryption: {other}\r\n")] {
            let (bucket, _server) = bucket(&lie, rules(kind.clone(), &[]), true).await;
            assert_eq!(put(&bucket).await.unwrap_err().kind, ErrorKind::Encryption, "{kind} {lie}");
            let read = bucket.get("log/1", None).await.unwrap_err();
            assert_eq!(read.kind, ErrorKind::Encryption, "{kind} {lie}");
            assert_eq!(bucket.head("log/1").await.unwrap_err().kind, ErrorKind::Encryption, "{kind} {lie}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_without_a_reason_is_laid_to_what_was_asked_for() {
    let (encryption, transient, invalid) = (ErrorKind::Encryption, ErrorKind::Transient, ErrorKind::Invalid);
    for (asked, answer, tls, kind, says) in [
        // Ceph: a kind that it does not know, and any kind over plain HTTP.
        ("dsse", "400 InvalidArgument", true, encryption, "does not know --sse dsse"),
        ("kms:k", "400 InvalidRequest", false, encryption, "takes --sse kms:k over https alone"),
        ("kms:k", "400 InvalidRequest", true, invalid, "400 InvalidRequest"),
        ("bucket", "400 InvalidRequest", false, invalid, "400 InvalidRequest"),
        // SeaweedFS: a key that it cannot use.
        ("kms:k", "500 InternalError", true, transient, "perhaps it cannot use the KMS key that --sse kms:k"),
        ("s3", "500 InternalError", true, transient, "500 InternalError"),
    ] {
        let (status, code) = answer.split_once(' ').unwrap();
        let body = format!("<Error><Code>{code}</Code></Error>");
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (bucket, _server) = behind(&answer, rules(asked.parse().unwrap(), &[]), tls).await;
        let error = put(&bucket).await.unwrap_err();
        assert_eq!(error.kind, kind, "{asked} {answer}: {}", error.source);
        assert!(error.source.to_string().contains(says), "{asked}: {}", error.source);
        let perhaps = error.source.to_string().contains("perhaps");
        assert_eq!(perhaps, !says.starts_with(status), "{asked}: {}", error.source);
    }
}

/// The program with a server of the test's.
fn hushfs(server: &FakeS3, arguments: &[&str]) -> Ran {
    let (home, endpoint) = (Home::new(), server.url("http"));
    let call = home.hushfs(arguments).env("AWS_ENDPOINT_URL", &endpoint).env("AWS_REGION", "us-east-1");
    call.env("AWS_ACCESS_KEY_ID", "K").env("AWS_SECRET_ACCESS_KEY", "S").run()
}

#[test]
fn nothing_is_sent_for_a_choice_that_s3_does_not_offer() {
    let server = FakeS3::start(fake_s3::NOT_FOUND, None);
    let home = Home::new();
    let mount = home.mount_str();
    for command in [
        &["init", "s3://bucket"][..],
        &["mount", "s3://bucket", &mount],
        &["gc", "s3://bucket"],
        &["quota", "s3://bucket"],
        &["bucket", "reencrypt", "s3://bucket"],
    ] {
        for (choice, code) in [
            (&["--sse", "dsse", "--bucket-key"][..], 2),
            (&["--sse", "s3", "--bucket-key"], 2),
            (&["--sse", "s3", "--sse-context", "a=b"], 2),
            (&["--sse", "kms", "--sse-context", "a=b", "--sse-context", "a=c"], 2),
            (&["--sse", "customer"], 18),
        ] {
            let refused = hushfs(&server, &[command, choice].concat());
            assert_eq!(refused.code, code, "{command:?} {choice:?}: {}", refused.err);
        }
    }
    for set in ["dsse", "s3"] {
        let refused = hushfs(&server, &["bucket", "encryption", "s3://bucket", "--set", set, "--bucket-key"]);
        assert_eq!(refused.code, 2, "{}", refused.err);
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn a_default_that_the_bucket_has_already_is_not_sent_again() {
    let rule = |inside: &str| {
        let body = format!(
            "<ServerSideEncryptionConfiguration><Rule>{inside}</Rule></ServerSideEncryptionConfiguration>"
        );
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let s3 = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
              </ApplyServerSideEncryptionByDefault>";
    let kms = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
               <KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
               <BucketKeyEnabled>true</BucketKeyEnabled>";
    let blocked = format!(
        "{s3}<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
    );
    for (there, words) in [
        (s3, &["--set", "s3"][..]),
        (s3, &["--set", "s3", "--allow-sse-c"]),
        (kms, &["--set", "kms:k"]),
        (kms, &["--set", "kms:k", "--bucket-key"]),
        (kms, &["--bucket-key"]),
        (&blocked, &["--block-sse-c"]),
    ] {
        let server = FakeS3::start(&rule(there), None);
        let ran = hushfs(&server, &[&["bucket", "encryption", "s3://bucket", "--yes"], words].concat());
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        assert!(ran.err.contains("nothing has to change"), "{words:?}: {}", ran.err);
        let heads = server.requests();
        assert!(heads.iter().all(|head| head.starts_with("GET /bucket/?encryption")), "{words:?}: {heads:?}");
    }
    let none = "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>";
    let answer = format!("HTTP/1.1 404 No\r\ncontent-length: {}\r\n\r\n{none}", none.len());
    let server = FakeS3::start(&answer, None);
    let ran = hushfs(&server, &["bucket", "encryption", "s3://bucket", "--yes", "--remove"]);
    assert!(ran.code == 0 && ran.err.contains("nothing has to change"), "{}", ran.err);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_key_never_leaves_over_plain_http() {
    let (bucket, server) = bucket("", rules(ServerEncryption::Customer, &[]), false).await;
    for refused in
        [put(&bucket).await.err(), bucket.get("log/1", None).await.err(), bucket.head("log/1").await.err()]
    {
        let refused = refused.unwrap();
        assert_eq!(refused.kind, ErrorKind::Encryption);
        assert!(refused.source.to_string().contains("https://"), "{}", refused.source);
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_to_have_customer_keys_is_not_begun_over_plain_http() {
    // Wherever the endpoint came from: a profile, for one, nobody reads before the first request.
    for (tls, refused) in [(false, true), (true, false)] {
        let authority = Authority::new();
        let config = tls.then(|| authority.tls(rustls::ALL_VERSIONS, |_| ()));
        let server = FakeS3::start(fake_s3::NOT_FOUND, config);
        let (ca_bundle, url) = (Some(authority.bundle()), server.url(if tls { "https" } else { "http" }));
        let transport = TransportOptions { ca_bundle, ..TransportOptions::default() };
        let options = S3Options { endpoint_url: Some(url), transport, ..S3Options::default() };
        let bucket = S3Bucket::connect("bucket", "", &options).await.unwrap();
        let writes = ServerEncryption::Customer;
        bucket.encryption().begin(EncryptionRules { writes, ..EncryptionRules::default() });
        let listed = bucket.list("", None, 1).await.unwrap_err();
        assert_eq!(listed.kind == ErrorKind::Encryption, refused, "{}", listed.source);
        assert_eq!(server.requests().is_empty(), refused);
    }
}

/// Whether a policy's conditions (one operator with one key each) deny a PUT with these headers.
fn denies(statement: &serde_json::Value, headers: &[String]) -> bool {
    let (operator, test) = statement["Condition"].as_object().unwrap().iter().next().unwrap();
    let (key, wanted) = test.as_object().unwrap().iter().next().unwrap();
    let name = format!("{}: ", key.strip_prefix("s3:").unwrap());
    let found = headers.iter().find_map(|header| header.strip_prefix(&name));
    let wanted = wanted.as_str().unwrap();
    match operator.as_str() {
        "Null" => found.is_none() == (wanted == "true"),
        "StringLike" if wanted == "*" => found.is_some(),
        "StringNotEquals" => found.is_none_or(|found| found != wanted),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_over_the_wire_passes_the_policy_that_demands_its_kind_and_no_other_kinds() {
    let scope = Scope::new("aws", "bucket", "").unwrap();
    let mut all = Vec::new();
    for (kind, _, honest) in table() {
        let (bucket, server) = bucket(&honest, rules(kind.clone(), &[]), true).await;
        put(&bucket).await.unwrap();
        all.push((kind, sent(&server.requests()[0])));
    }
    for (demanded, _) in all.iter().filter(|(kind, _)| *kind != ServerEncryption::Bucket) {
        let demand = Requirements { encryption: Some(demanded.clone()), ..Requirements::default() };
        let statements: Vec<serde_json::Value> = demand
            .statements(&scope)
            .unwrap()
            .iter()
            .map(|statement| serde_json::from_str(statement.json()).unwrap())
            .collect();
        for (kind, headers) in &all {
            let denied = statements.iter().any(|statement| denies(statement, headers));
            assert_eq!(denied, !demand.admits(kind), "{demanded} demanded, {kind} sent: {headers:?}");
            assert!(denied || kind.name() == demanded.name(), "{demanded} demanded, {kind} passes");
        }
    }
    let deny = Requirements { deny_customer_keys: true, ..Requirements::default() };
    let statement = serde_json::from_str(deny.statements(&scope).unwrap()[0].json()).unwrap();
    for (kind, headers) in &all {
        assert_eq!(denies(&statement, headers), *kind == ServerEncryption::Customer, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_bucket_are_sent_whole_and_again_after_passing_trouble() {
    let (bucket, server) = bucket("", EncryptionRules::default(), true).await;
    let default = BucketDefault {
        algorithm: Some("aws:kms:dsse".into()),
        kms_key: Some("k".into()),
        blocks_customer_keys: true,
        ..BucketDefault::default()
    };
    bucket.replace_default_encryption(&default).await.unwrap();
    bucket.replace_policy("{\"a\":1}").await.unwrap();
    bucket.delete_policy().await.unwrap();
    let heads: Vec<String> =
        server.requests().iter().map(|head| head.split(" HTTP").next().unwrap().to_owned()).collect();
    assert_eq!(heads, ["PUT /bucket/?encryption", "PUT /bucket/?policy", "DELETE /bucket/?policy"]);
    let bodies = server.bodies();
    for part in [
        "<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>",
        "<KMSMasterKeyID>k</KMSMasterKeyID>",
        "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>",
    ] {
        assert!(bodies[0].contains(part), "{part}: {}", bodies[0]);
    }
    assert_eq!(bodies[1], "{\"a\":1}");
    let busy = "HTTP/1.1 503 Slow Down\r\ncontent-length: 36\r\n\r\n<Error><Code>SlowDown</Code></Error>";
    let server = FakeS3::start(busy, None);
    let options = S3Options { endpoint_url: Some(server.url("http")), ..S3Options::default() };
    let bucket = S3Bucket::connect("bucket", "", &options).await.unwrap();
    assert_eq!(bucket.policy().await.unwrap_err().kind, ErrorKind::Transient);
    assert_eq!(server.requests().len(), 3);
}

/// Of each request with a body, whether its payload was signed.
fn signed(server: &FakeS3) -> Vec<bool> {
    let hash = |head: &String| {
        let lower = head.to_ascii_lowercase();
        let hash =
            lower.lines().find_map(|line| line.strip_prefix("x-amz-content-sha256: ")).map(str::to_owned);
        hash.unwrap_or_else(|| panic!("no x-amz-content-sha256: {head}"))
    };
    let requests = server.requests();
    requests
        .iter()
        .filter(|head| head.starts_with("PUT "))
        .map(|head| hash(head) != "unsigned-payload")
        .collect()
}

async fn put_large(bucket: &S3Bucket) -> Result<(), BucketError> {
    bucket.put("data/1", Bytes::from(vec![1; 100_000]), Condition::CreateOnly).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_payloads_go_unsigned_over_tls_and_to_this_machine_and_small_ones_signed() {
    for tls in [true, false] {
        let (bucket, server) = bucket("", rules(ServerEncryption::Bucket, &[]), tls).await;
        put(&bucket).await.unwrap();
        put_large(&bucket).await.unwrap();
        assert_eq!(signed(&server), [true, false], "TLS: {tls}");
        let checksums = server.requests().iter().any(|head| head.contains("x-amz-checksum"));
        assert!(!checksums, "nothing is summed up twice: {:?}", server.requests());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_payload_is_sent_again_signed() {
    let body = "<Error><Code>AccessDenied</Code></Error>";
    let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (bucket, server) = behind(&answer, rules(ServerEncryption::Bucket, &[]), true).await;
    assert_eq!(put(&bucket).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(put_large(&bucket).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(signed(&server), [true, false, true]);
}
