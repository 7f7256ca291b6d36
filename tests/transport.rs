//! The way to the server: what TLS has to prove, where plain HTTP may go, that nothing secret shows.
//!
//! The program against servers on loopback that lie or refuse; the rest of the suite has honest ones.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/fake_s3.rs"]
mod fake_s3;

use std::collections::HashSet;
use std::process::{Command, Stdio};

use hushfs::object::{Bucket, ErrorKind, S3Bucket, S3Options, TransportOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use rustls::version::{TLS12, TLS13};

use cli::{Home, Ran, ran};
use fake_s3::{Authority, FakeS3, NOT_FOUND, Proxy, speaks};

const ACCESS_KEY: &str = "AKIDTRANSPORTTEST";
const SECRET_KEY: &str = "thesecretkeythatnobodymaysee";
const SESSION_TOKEN: &str = "thesessiontokenthatnobodymaysee";
/// The server answered: what it said is that there is no volume.
const ANSWERED: i32 = 4;
/// The connection was refused because it would not have been safe.
const INSECURE: i32 = 17;

/// `hushfs fsck s3://bucket/volume` of a user with credentials, `variables` and further arguments.
fn fsck(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    hushfs(variables, &[&["fsck", "s3://bucket/volume"], arguments].concat())
}

fn hushfs(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let home = Home::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hushfs"));
    home.settle(&mut command);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.ends_with("_PROXY"))
    {
        command.env_remove(name);
    }
    command
        .envs([("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)])
        .envs([("AWS_SESSION_TOKEN", SESSION_TOKEN), ("AWS_EC2_METADATA_DISABLED", "true")])
        .envs(variables.iter().copied())
        .args(arguments)
        .arg("--passphrase-file")
        .arg(home.path("pass"))
        .stdin(Stdio::null());
    ran(command.output().unwrap())
}

/// A server with TLS, and what else its certificate says.
fn tls_server(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> FakeS3 {
    FakeS3::start(NOT_FOUND, Some(authority.tls(&[&TLS13, &TLS12], change)))
}

/// With a server's URL and the authority that it is to be judged by.
fn fsck_at(url: &str, authority: &Authority, more: &[&str]) -> Ran {
    let bundle = authority.bundle();
    fsck(&[], &[&["--endpoint-url", url, "--ca-bundle", bundle.to_str().unwrap()], more].concat())
}

/// However many connections there were.
fn only_version(server: &FakeS3, version: &str) {
    let versions = server.versions();
    assert!(!versions.is_empty() && versions.iter().all(|each| each == version), "{versions:?}");
}

#[test]
fn a_server_with_a_certificate_of_a_private_authority_is_believed_only_with_its_bundle() {
    let authority = Authority::new();
    let server = tls_server(&authority, |_| {});
    let url = server.url("https");
    assert_eq!(fsck_at(&url, &authority, &[]).code, ANSWERED);
    only_version(&server, "Some(TLSv1_3)");

    let bundle = authority.bundle();
    let variable = [("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    assert_eq!(fsck(&variable, &["--endpoint-url", &url]).code, ANSWERED);
    let answered = server.requests().len();

    let unknown = fsck(&[], &["--endpoint-url", &url]);
    assert_eq!(unknown.code, INSECURE, "{}", unknown.err);
    assert!(unknown.err.contains("--ca-bundle") && unknown.err.contains("not sent"), "{}", unknown.err);
    assert_eq!(fsck_at(&url, &Authority::new(), &[]).code, INSECURE);
    assert_eq!(server.requests().len(), answered, "a request was sent to a server that proved nothing");
}

#[test]
fn a_certificate_for_another_name_time_or_purpose_is_refused() {
    let authority = Authority::new();
    let another_name = tls_server(&authority, |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("s3.example.org".try_into().unwrap())];
    });
    let expired = tls_server(&authority, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let future = tls_server(&authority, |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
    let authority_itself =
        tls_server(&authority, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    for (server, why) in [
        (another_name, "another name"),
        (expired, "expired"),
        (future, "not valid yet"),
        (authority_itself, "CA:FALSE"),
    ] {
        let refused = fsck_at(&server.url("https"), &authority, &[]);
        assert_eq!(refused.code, INSECURE, "{}", refused.err);
        assert!(refused.err.contains(why), "{why}: {}", refused.err);
        assert_eq!(server.requests(), Vec::<String>::new());
    }
}

#[test]
fn a_server_with_older_tls_than_wanted_is_refused() {
    let authority = Authority::new();
    let only = |version: &'static _| FakeS3::start(NOT_FOUND, Some(authority.tls(&[version], |_| {})));
    let (old, new) = (only(&TLS12), only(&TLS13));
    assert_eq!(fsck_at(&old.url("https"), &authority, &[]).code, ANSWERED);
    only_version(&old, "Some(TLSv1_2)");
    let refused = fsck_at(&old.url("https"), &authority, &["--tls-min", "1.3"]);
    assert_eq!(refused.code, INSECURE, "{}", refused.err);
    assert!(refused.err.contains("--tls-min"), "{}", refused.err);
    assert_eq!(fsck_at(&new.url("https"), &authority, &["--tls-min", "1.3"]).code, ANSWERED);
    assert_eq!(fsck_at(&new.url("https"), &authority, &["--tls-min", "1.1"]).code, 2);
}

#[test]
fn tls_1_1_and_no_tls_at_all_are_refused() {
    let authority = Authority::new();
    // RFC 5246, 7.4.1.3: a handshake record with a ServerHello that chooses version 3.2, TLS 1.1.
    let mut hello = vec![0x03, 0x02];
    hello.extend([0x55; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let mut answer = vec![22, 3, 2, 0, hello.len() as u8 + 4, 2, 0, 0, hello.len() as u8];
    answer.extend(hello);
    for (answer, why) in
        [(answer, "no TLS version"), (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "does not speak TLS")]
    {
        let refused = fsck_at(&format!("https://127.0.0.1:{}", speaks(answer)), &authority, &[]);
        assert_eq!(refused.code, INSECURE, "{}", refused.err);
        assert!(refused.err.contains(why), "{why}: {}", refused.err);
    }
}

/// Linux takes 0.0.0.0 for this machine, hushfs does not take it for loopback: the server is there and could be reached.
fn elsewhere(server: &FakeS3) -> String {
    format!("http://0.0.0.0:{}", server.port)
}

#[test]
fn plain_http_is_refused_before_a_connection_is_made_whoever_names_the_endpoint() {
    let server = FakeS3::start(NOT_FOUND, None);
    let url = elsewhere(&server);
    let home = Home::new();
    let config = home.secret("config", format!("[default]\nendpoint_url={url}\n").as_bytes());
    let service = format!("[default]\nservices=here\n[services here]\ns3 =\n  endpoint_url={url}\n");
    let service = home.secret("service", service.as_bytes());
    let (config, service) = (config.to_str().unwrap(), service.to_str().unwrap());
    let refused = [
        fsck(&[], &["--endpoint-url", &url]),
        fsck(&[("AWS_ENDPOINT_URL", &url)], &[]),
        fsck(&[("AWS_ENDPOINT_URL_S3", &url)], &[]),
        fsck(&[("AWS_CONFIG_FILE", config)], &[]),
        fsck(&[("AWS_CONFIG_FILE", service)], &[]),
    ];
    for refused in refused {
        assert_eq!(refused.code, INSECURE, "{}", refused.err);
        assert!(
            refused.err.contains("--insecure-http") && refused.err.contains("0.0.0.0"),
            "{}",
            refused.err
        );
    }
    assert_eq!(server.connections(), 0);

    // That the server could be reached all the time is no accident of the test.
    assert_eq!(fsck(&[], &["--endpoint-url", &url, "--insecure-http"]).code, ANSWERED);
    assert_eq!(fsck(&[("AWS_ENDPOINT_URL_S3", &url)], &["--insecure-http"]).code, ANSWERED);
    assert!(server.connections() > 1);
}

#[test]
fn plain_http_within_this_machine_needs_no_permission() {
    let server = FakeS3::start(NOT_FOUND, None);
    for host in ["127.0.0.1", "localhost"] {
        let ran = fsck(&[], &["--endpoint-url", &format!("http://{host}:{}", server.port)]);
        assert_eq!(ran.code, ANSWERED, "{host}: {}", ran.err);
    }
}

#[test]
fn no_redirect_is_followed_from_https_to_http_or_anywhere() {
    let authority = Authority::new();
    let trap = FakeS3::start(NOT_FOUND, None);
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let body = "<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1</Endpoint></Error>";
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: {}/bucket/volume/volume\r\nx-amz-bucket-region: eu-west-1\r\n\
             content-length: {}\r\n\r\n{body}",
            trap.url("http"),
            body.len()
        );
        let server = FakeS3::start(&answer, Some(authority.tls(&[&TLS13], |_| {})));
        let bundle = authority.bundle();
        let place = [
            "s3://bucket/volume",
            "--endpoint-url",
            &server.url("https"),
            "--ca-bundle",
            bundle.to_str().unwrap(),
        ];
        for command in ["fsck", "init"] {
            let refused = hushfs(&[], &[&[command], &place[..]].concat());
            assert_eq!(refused.code, 1, "{status}: {}", refused.err);
            // A reply to HEAD has no body that could say more.
            assert!(refused.err.contains("a redirect, which is never followed"), "{}", refused.err);
        }
        let asked: Vec<String> = server
            .requests()
            .iter()
            .filter_map(|request| request.lines().next().map(str::to_owned))
            .collect();
        let distinct: HashSet<&String> = asked.iter().collect();
        assert_eq!(distinct.len(), asked.len(), "a question was repeated: {asked:?}");
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn a_proxy_sees_tls_only_and_plain_http_never_goes_through_one() {
    let authority = Authority::new();
    let server = tls_server(&authority, |_| {});
    let proxy = Proxy::start();
    let proxy_url = format!("http://name:geheim@127.0.0.1:{}", proxy.port);
    let variables =
        [("HTTPS_PROXY", proxy_url.as_str()), ("HTTP_PROXY", &proxy_url), ("ALL_PROXY", &proxy_url)];
    let bundle = authority.bundle();
    let arguments = ["--endpoint-url", &server.url("https"), "--ca-bundle", bundle.to_str().unwrap()];
    let through = fsck(&variables, &arguments);
    assert_eq!(through.code, ANSWERED, "{}", through.err);
    let asked = proxy.asked();
    assert!(asked[0].starts_with(&format!("CONNECT 127.0.0.1:{} ", server.port)), "{asked:?}");
    assert!(asked[0].contains("Proxy-Authorization: Basic "), "{asked:?}");

    let plain = FakeS3::start(NOT_FOUND, None);
    assert_eq!(fsck(&variables, &["--endpoint-url", &plain.url("http")]).code, ANSWERED);
    assert_eq!(proxy.asked().len(), asked.len());
    let unknown = [("HTTPS_PROXY", "socks5://name:geheim@127.0.0.1:1")];
    let refused = fsck(&unknown, &arguments);
    assert_eq!(refused.code, INSECURE, "{}", refused.err);
    assert!(!refused.err.contains("geheim"), "{}", refused.err);
}

#[test]
fn a_user_name_in_the_endpoint_is_refused_and_not_repeated() {
    for arguments in [&["--endpoint-url", "https://name:geheim@127.0.0.1:1"][..], &[]] {
        let refused = fsck(&[("AWS_ENDPOINT_URL", "https://name:geheim@127.0.0.1:1")], arguments);
        assert_eq!(refused.code, INSECURE, "{}", refused.err);
        assert!(!refused.err.contains("geheim"), "{}", refused.err);
    }
    // Only the SDK reads these.
    let server = FakeS3::start(NOT_FOUND, None);
    let url = server.url("http").replace("127.0.0.1", "name:geheim@127.0.0.1");
    let refused = fsck(&[("AWS_ENDPOINT_URL_S3", &url)], &[]);
    assert_eq!(refused.code, INSECURE, "{}", refused.err);
    assert!(!refused.err.contains("geheim") && server.requests().is_empty(), "{}", refused.err);
}

#[test]
fn nothing_secret_is_in_logs_urls_or_user_agents() {
    let server = FakeS3::start(NOT_FOUND, None);
    let loud = [("RUST_LOG", "trace")];
    let command = fsck(&loud, &["--endpoint-url", &server.url("http")]);
    assert_eq!(command.code, ANSWERED, "{}", command.err);
    assert!(
        command.err.contains("TRACE") || command.err.contains("DEBUG"),
        "nothing was logged: {}",
        command.err
    );
    let requests = server.requests();
    let signature = requests[0].split("Signature=").nth(1).unwrap().lines().next().unwrap();
    for secret in [SECRET_KEY, SESSION_TOKEN, signature, "correct horse"] {
        assert!(!command.err.contains(secret), "{secret} is in the log");
    }
    for request in &requests {
        let line = request.lines().next().unwrap();
        let agents = request.lines().filter(|line| line.to_ascii_lowercase().contains("user-agent:"));
        for shown in agents.chain([line]) {
            for secret in [ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, signature] {
                assert!(!shown.contains(secret), "{secret} is in {shown}");
            }
        }
        assert!(request.contains("hushfs"), "the user agent tells what this is: {request}");
    }
}

#[test]
fn what_a_server_says_writes_no_control_characters_on_the_terminal_or_into_the_log() {
    let body = "<Error><Code>Bad&#27;[31mCode</Code>\
        <Message>x&#27;]0;title&#7;&#13;&#10;[2026 ERROR] forged&#155;2J</Message></Error>";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nx-amz-request-id: a\u{9b}b\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = FakeS3::start(&answer, None);
    for level in ["warn", "trace"] {
        let refused = fsck(&[("RUST_LOG", level)], &["--endpoint-url", &server.url("http")]);
        assert_ne!(refused.code, 0);
        let odd = refused.err.chars().chain(refused.out.chars()).find(|c| c.is_control() && *c != '\n');
        assert_eq!(odd, None, "{}", refused.err);
        assert!(!refused.err.lines().any(|line| line.starts_with("[2026 ERROR]")), "{}", refused.err);
    }
    assert!(!server.requests().is_empty());
}

/// The pool hears of the end of an answer a moment after who reads it, so that a request right behind it may find the connection
/// not yet returned and open another one: some may, not each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_serves_many_requests() {
    const REQUESTS: usize = 100;
    let authority = Authority::new();
    let server = tls_server(&authority, |_| {});
    let transport = TransportOptions { ca_bundle: Some(authority.bundle()), ..TransportOptions::default() };
    let endpoint_url = Some(server.url("https"));
    let options = S3Options { endpoint_url, transport, ..S3Options::default() };
    let bucket = S3Bucket::connect("bucket", "volume", &options).await.unwrap();
    for _ in 0..REQUESTS {
        assert_eq!(bucket.get("key", None).await.unwrap_err().kind, ErrorKind::NotFound);
    }
    assert_eq!(server.requests().len(), REQUESTS);
    assert!(server.connections() <= REQUESTS / 10, "{} connections", server.connections());
}
