//! A server on loopback that answers every request with one answer, over TLS or not, and remembers what it was sent.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

/// What S3 says of an object that is not there.
pub const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: application/xml\r\ncontent-length: 70\r\n\r\n\
    <Error><Code>NoSuchKey</Code><Message>It is not here</Message></Error>";

/// An authority of one test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The authority's certificate, as a file.
    pub fn bundle(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// TLS for a server with the certificate that `change` makes of one for 127.0.0.1 and localhost.
    pub fn tls(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> =
            params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
    }
}

/// How a server answers one request.
type Act = dyn Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// Counts what the other side takes.
struct Counted<'a, S> {
    stream: &'a mut S,
    seen: &'a Mutex<Seen>,
}

impl<S: Write> Write for Counted<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.seen.lock().written += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The server; it serves as long as the process lives.
pub struct FakeS3 {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
    bodies: Vec<String>,
    /// The TLS versions of the connections that sent something.
    versions: Vec<String>,
    /// Bytes of answers.
    written: usize,
}

impl FakeS3 {
    /// Answers every request with `answer`, without its body when the request was HEAD.
    pub fn start(answer: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let answer = answer.to_owned();
        let end = answer.find("\r\n\r\n").map_or(answer.len(), |at| at + 4);
        Self::acting(tls, move |request, stream| {
            let part = if request.starts_with("HEAD ") { &answer[..end] } else { answer.as_str() };
            stream.write_all(part.as_bytes())
        })
    }

    /// Answers every request as `act` does, which gets the request's head; its error ends the connection.
    pub fn acting(
        tls: Option<Arc<ServerConfig>>,
        act: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let act: Arc<Act> = Arc::new(act);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let memory = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming() {
                memory.lock().connections += 1;
                let (act, memory, tls) = (Arc::clone(&act), Arc::clone(&memory), tls.clone());
                thread::spawn(move || match (connection, tls) {
                    (Ok(tcp), None) => serve(tcp, &*act, &memory),
                    (Ok(mut tcp), Some(tls)) => {
                        let mut connection = ServerConnection::new(tls)?;
                        while connection.is_handshaking() {
                            connection.complete_io(&mut tcp)?;
                        }
                        memory.lock().versions.push(format!("{:?}", connection.protocol_version()));
                        serve(StreamOwned::new(connection, tcp), &*act, &memory)
                    }
                    (Err(error), _) => Err(error.into()),
                });
            }
        });
        Self { port, seen }
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().connections
    }

    /// The TLS version of each handshake that ended well.
    pub fn versions(&self) -> Vec<String> {
        self.seen.lock().versions.clone()
    }

    /// How many bytes of answers were taken so far.
    pub fn written(&self) -> usize {
        self.seen.lock().written
    }

    /// The heads of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().requests.clone()
    }

    /// What came after the heads.
    pub fn bodies(&self) -> Vec<String> {
        self.seen.lock().bodies.clone()
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Takes requests and answers them until the other side has had enough.
fn serve(mut stream: impl Read + Write, act: &Act, seen: &Mutex<Seen>) -> Ended {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head)?;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = Vec::new();
        Read::by_ref(&mut stream).take(length.unwrap_or(0)).read_to_end(&mut body)?;
        seen.lock().requests.push(head.clone());
        seen.lock().bodies.push(String::from_utf8_lossy(&body).into_owned());
        act(&head, &mut Counted { stream: &mut stream, seen })?;
        stream.flush()?;
    }
}

/// Answers every connection's first bytes with `answer`, whatever they were; returns the port.
pub fn speaks(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut hello = [0; 4096];
            if connection.read(&mut hello).is_ok() && connection.write_all(&answer).is_ok() {
                // Stays open until the other side goes.
                let _rest = connection.read(&mut hello);
            }
        }
    });
    port
}

/// An HTTP proxy (CONNECT only) that remembers whom it was asked for.
pub struct Proxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let memory = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let memory = Arc::clone(&memory);
                thread::spawn(move || relay(connection, &memory));
            }
        });
        Self { port, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

fn relay(mut client: TcpStream, asked: &Mutex<Vec<String>>) -> Ended {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte)? == 0 {
            break;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)?;
    asked.lock().push(head.clone());
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let mut server = TcpStream::connect(target.ok_or("no CONNECT")?)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || -> Ended {
        io::copy(&mut up, &mut server)?;
        Ok(server.shutdown(Shutdown::Write)?)
    });
    io::copy(&mut down, &mut client)?;
    Ok(client.shutdown(Shutdown::Both)?)
}
