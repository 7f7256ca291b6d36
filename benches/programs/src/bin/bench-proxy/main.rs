//! A proxy before an S3 server that delays each request and counts it:
//!
//! ```text
//! bench-proxy http://127.0.0.1:8333 [--delay MILLISECONDS] [--port N] [--control-port N]
//! ```
//!
//! It prints one line of JSON, `{"endpoint": …, "control": …}`, and runs until it is killed. `control` answers
//! `GET /counts`, `POST /reset` and `POST /delay/30`.
//!
//! Every byte passes unchanged, so signatures hold; clients address buckets in the path. Each connection of a client gets
//! one to the server; both have TCP_NODELAY. A request waits for the delay before its first byte goes on, whatever its
//! kind, and requests of different connections wait side by side. Bandwidth is not limited.

mod connection;
mod control;
mod counts;
mod message;
mod requests;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::{TcpListener, TcpStream};

use self::counts::Counts;

/// What all connections share.
pub struct Shared {
    /// `host:port` of the server.
    server: String,
    /// Milliseconds that each request waits; changes at any time.
    delay: AtomicU64,
    counts: Counts,
}

struct Arguments {
    server: String,
    delay: u64,
    port: u16,
    control_port: u16,
}

fn arguments() -> Option<Arguments> {
    let mut given = std::env::args().skip(1);
    let url = given.next()?;
    let server = url.strip_prefix("http://")?.trim_end_matches('/').to_owned();
    let mut arguments = Arguments { server, delay: 0, port: 0, control_port: 0 };
    while let Some(name) = given.next() {
        let value = given.next()?;
        match name.as_str() {
            "--delay" => arguments.delay = value.parse().ok()?,
            "--port" => arguments.port = value.parse().ok()?,
            "--control-port" => arguments.control_port = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(arguments)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("usage: bench-proxy http://HOST:PORT [--delay MILLISECONDS] [--port N] [--control-port N]");
        return ExitCode::from(2);
    };
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let control = TcpListener::bind(("127.0.0.1", arguments.control_port)).await?;
    println!(
        r#"{{"endpoint": "http://{}", "control": "http://{}"}}"#,
        listener.local_addr()?,
        control.local_addr()?
    );
    let shared = Arc::new(Shared {
        server: arguments.server,
        delay: AtomicU64::new(arguments.delay),
        counts: Counts::default(),
    });
    tokio::spawn(control::serve(control, shared.clone()));
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(pass(client, shared.clone()));
    }
}

/// One connection of a client, to its end. What breaks it is the client's or the server's to tell.
async fn pass(client: TcpStream, shared: Arc<Shared>) {
    let server = match TcpStream::connect(&shared.server).await {
        Ok(server) => server,
        Err(error) => return eprintln!("bench-proxy: {}: {error}", shared.server),
    };
    if let Err(error) = connection::pass(client, server, &shared).await {
        eprintln!("bench-proxy: a connection broke: {error}");
    }
}
