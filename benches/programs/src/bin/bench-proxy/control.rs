//! The door for whoever measures: counts, reset, delay. One request for each connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::Shared;
use crate::message::{invalid, parse_request, read_head};

/// Answers until the program ends.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let served = match listener.accept().await {
            Ok((stream, _)) => answer(stream, &shared).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            eprintln!("bench-proxy: control: {error}");
        }
    }
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let head = read_head(&mut BufReader::new(reader)).await?.ok_or_else(|| invalid("nothing was asked"))?;
    let head = parse_request(&head)?;
    let (status, body) = match act(&head.method, &head.target, shared) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", "GET /counts, POST /reset, POST /delay/MILLISECONDS\n".to_owned()),
    };
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    writer.write_all(text.as_bytes()).await
}

fn act(method: &str, target: &str, shared: &Shared) -> Option<String> {
    match (method, target) {
        ("GET", "/counts") => Some(format!("{}\n", shared.counts.to_json())),
        ("POST", "/reset") => {
            shared.counts.reset();
            Some(String::new())
        }
        ("POST", _) => {
            let delay = target.strip_prefix("/delay/")?.parse().ok()?;
            shared.delay.store(delay, Ordering::Relaxed);
            Some(String::new())
        }
        _ => None,
    }
}
