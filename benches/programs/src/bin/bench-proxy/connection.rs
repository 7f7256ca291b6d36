//! One connection of a client and its own to the server: requests one way, answers the other, side by side, so that
//! `Expect: 100-continue` and early answers work as without a proxy.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Shared;
use crate::message::{invalid, parse_answer, parse_request, pass_body, read_head};
use crate::requests::{Group, group};

const BUFFER: usize = 256 << 10;

/// A request whose answer is still to come.
struct Asked {
    group: Group,
    is_head: bool,
}

/// Passes everything on until one side closes.
pub async fn pass(mut client: TcpStream, mut server: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (sender, receiver) = mpsc::unbounded_channel();
    // When either ends the other is dropped: HTTP clients do not half-close.
    tokio::select! {
        ended = requests(from_client, to_server, sender, shared) => ended,
        ended = answers(from_server, to_client, receiver, shared) => ended,
    }
}

async fn requests(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    sender: mpsc::UnboundedSender<Asked>,
    shared: &Shared,
) -> io::Result<()> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    while let Some(bytes) = read_head(&mut from).await? {
        let head = parse_request(&bytes)?;
        let group = group(&head);
        let heads = bytes.len() as u64;
        shared.counts.add(&group, |cost| {
            cost.requests += 1;
            cost.heads += heads;
        });
        let delay = shared.delay.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let asked = Asked { group: group.clone(), is_head: head.method == "HEAD" };
        sender.send(asked).map_err(|error| invalid(error.to_string()))?;
        to.write_all(&bytes).await?;
        pass_body(&mut from, &mut to, head.body, |bytes| shared.counts.add(&group, |cost| cost.up += bytes))
            .await?;
    }
    Ok(())
}

async fn answers(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut receiver: mpsc::UnboundedReceiver<Asked>,
    shared: &Shared,
) -> io::Result<()> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let mut pending: Option<Asked> = None;
    while let Some(bytes) = read_head(&mut from).await? {
        // The request was noted before its first byte went to the server.
        let asked = match pending.take() {
            Some(asked) => asked,
            None => receiver.try_recv().map_err(|error| invalid(format!("an answer to nothing: {error}")))?,
        };
        let (status, body) = parse_answer(&bytes, asked.is_head)?;
        let heads = bytes.len() as u64;
        shared.counts.add(&asked.group, |cost| {
            cost.heads += heads;
            cost.refused += u64::from(status >= 400);
        });
        to.write_all(&bytes).await?;
        if status < 200 {
            pending = Some(asked);
            continue;
        }
        pass_body(&mut from, &mut to, body, |bytes| {
            shared.counts.add(&asked.group, |cost| cost.down += bytes)
        })
        .await?;
    }
    Ok(())
}
