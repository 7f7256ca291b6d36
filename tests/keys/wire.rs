//! A KMS between hushfs and the real one: writes down what comes by, or answers itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// One request: the operation and its JSON body.
pub type Call = (String, Value);

pub struct Wire {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Wire {
    /// Passes everything on to the server at `upstream`.
    pub fn to(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        Self::serving(move |request| {
            let mut server = TcpStream::connect(&upstream).unwrap();
            server.write_all(request).unwrap();
            let mut reply = Vec::new();
            server.read_to_end(&mut reply).unwrap();
            reply
        })
    }

    /// Answers every request with an error of KMS.
    pub fn refusing(status: u16, code: &'static str) -> Self {
        Self::serving(move |_| {
            let body = format!(r#"{{"__type":"{code}","message":"as the test says"}}"#);
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n",
                body.len()
            );
            format!("{head}Connection: close\r\n\r\n{body}").into_bytes()
        })
    }

    /// Answers every request as something does that is no KMS.
    pub fn strange(answer: &'static str) -> Self {
        Self::serving(move |_| answer.as_bytes().to_vec())
    }

    fn serving(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let Some((call, request)) = receive(&client) else { continue };
                noted.lock().unwrap().push(call);
                client.write_all(&answer(&request)).unwrap();
            }
        });
        Self { url, calls }
    }

    /// What came by since the last look.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// Reads one request and says that the connection ends with it.
fn receive(client: &TcpStream) -> Option<(Call, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut operation) = (String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if let Some((_, name)) = line.split_once("TrentService.") {
            operation = name.trim().to_owned();
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let call = (operation, serde_json::from_slice(&body).unwrap());
    Some((call, [head.as_bytes(), b"Connection: close\r\n\r\n", &body].concat()))
}
