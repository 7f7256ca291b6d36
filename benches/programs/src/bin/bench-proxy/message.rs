//! HTTP/1.1 messages (RFC 9112) as far as it takes to know where one ends.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// Longest head, and longest line of a chunk's size, in bytes.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Length(u64),
    Chunked,
    /// The end of the connection.
    UntilEnd,
}

pub fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// The bytes up to and with the empty line, or `None` where the connection ended instead.
pub async fn read_head(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let line = from.read_until(b'\n', &mut head).await?;
        match line {
            0 if head.is_empty() => return Ok(None),
            0 => return Err(invalid("the connection ended within a head")),
            // An empty line before a head is allowed (RFC 9112, 2.2).
            2 if head == b"\r\n" => head.clear(),
            2 if head.ends_with(b"\r\n\r\n") => return Ok(Some(head)),
            _ if head.len() > MAX_HEAD => return Err(invalid("a head without end")),
            _ => {}
        }
    }
}

/// A request's line and what its headers say.
pub struct RequestHead {
    pub method: String,
    pub target: String,
    pub copies: bool,
    pub body: Body,
}

pub fn parse_request(head: &[u8]) -> io::Result<RequestHead> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).map_err(|error| invalid(error.to_string()))?;
    Ok(RequestHead {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        copies: header(request.headers, "x-amz-copy-source").is_some(),
        body: framing(request.headers)?.unwrap_or(Body::Length(0)),
    })
}

/// An answer's status and how its body ends; `to_head` is whether HEAD was asked.
pub fn parse_answer(head: &[u8], to_head: bool) -> io::Result<(u16, Body)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    answer.parse(head).map_err(|error| invalid(error.to_string()))?;
    let status = answer.code.unwrap_or_default();
    let body = match status {
        100..200 | 204 | 304 => Body::Length(0),
        _ if to_head => Body::Length(0),
        _ => framing(answer.headers)?.unwrap_or(Body::UntilEnd),
    };
    Ok((status, body))
}

fn framing(headers: &[httparse::Header<'_>]) -> io::Result<Option<Body>> {
    if header(headers, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
        return Ok(Some(Body::Chunked));
    }
    let Some(value) = header(headers, "content-length") else { return Ok(None) };
    let length = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    length
        .map(|length| Some(Body::Length(length)))
        .ok_or_else(|| invalid("a Content-Length that is no number"))
}

fn header<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Passes a body on; `passed` hears of each piece before it goes.
pub async fn pass_body(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    body: Body,
    mut passed: impl FnMut(u64),
) -> io::Result<()> {
    match body {
        Body::Length(length) => pass_bytes(from, to, length, &mut passed).await,
        Body::Chunked => pass_chunks(from, to, &mut passed).await,
        Body::UntilEnd => pass_bytes(from, to, u64::MAX, &mut passed).await,
    }
}

/// `u64::MAX` is until the end of the connection; any other length must come in full.
async fn pass_bytes(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    length: u64,
    passed: &mut impl FnMut(u64),
) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let here = from.fill_buf().await?;
        if here.is_empty() {
            return if length == u64::MAX {
                Ok(())
            } else {
                Err(invalid("the connection ended within a body"))
            };
        }
        let part = here.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        passed(part as u64);
        to.write_all(&here[..part]).await?;
        from.consume(part);
        left -= part as u64;
    }
    Ok(())
}

/// Chunks and trailers (RFC 9112, 7.1).
async fn pass_chunks(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    passed: &mut impl FnMut(u64),
) -> io::Result<()> {
    loop {
        let line = pass_line(from, to, passed).await?;
        let text = str::from_utf8(&line).map_err(|error| invalid(error.to_string()))?;
        let size = text.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|error| invalid(format!("chunk size: {error}")))?;
        if size == 0 {
            while pass_line(from, to, passed).await? != b"\r\n" {}
            return Ok(());
        }
        pass_bytes(from, to, size.saturating_add(2), passed).await?;
    }
}

async fn pass_line(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    passed: &mut impl FnMut(u64),
) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\n") || line.len() > MAX_HEAD {
        return Err(invalid("the connection ended within a chunked body"));
    }
    passed(line.len() as u64);
    to.write_all(&line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_chunked_body_ends_where_it_says_and_passes_unchanged() {
        let text: &[u8] = b"4;x=y\r\nab\r\n\r\n0\r\nTrailer: 1\r\n\r\nHTTP/1.1 200 OK\r\n";
        let (mut from, mut to, mut count) = (text, Vec::new(), 0);
        pass_body(&mut from, &mut to, Body::Chunked, |bytes| count += bytes).await.unwrap();
        assert_eq!(from, b"HTTP/1.1 200 OK\r\n");
        assert_eq!((to.as_slice(), count), (&text[..text.len() - from.len()], to.len() as u64));
    }

    #[tokio::test]
    async fn heads_are_read_to_their_empty_line() {
        let mut from: &[u8] = b"\r\nGET /b HTTP/1.1\r\nA: b\r\n\r\nrest";
        let head = read_head(&mut from).await.unwrap().unwrap();
        assert_eq!((head.as_slice(), from), (&b"GET /b HTTP/1.1\r\nA: b\r\n\r\n"[..], &b"rest"[..]));
    }

    #[test]
    fn answers_without_a_body_have_none_whatever_their_length_says() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(parse_answer(head, true).unwrap(), (200, Body::Length(0)));
        assert_eq!(parse_answer(head, false).unwrap(), (200, Body::Length(9)));
        assert_eq!(
            parse_answer(b"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", false).unwrap().1,
            Body::Length(0)
        );
    }
}
