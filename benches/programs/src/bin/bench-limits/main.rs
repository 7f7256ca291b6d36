//! What hushfs cannot be faster than, without hushfs around it:
//!
//! ```text
//! bench-limits put ENDPOINT BUCKET OBJECTS MIB PARALLEL   the SDK's PutObject, noise
//! bench-limits get ENDPOINT BUCKET OBJECTS MIB PARALLEL   the same objects again, whole
//! bench-limits seal MIB                                   the AEAD in chunks of 64 KiB, one thread
//! bench-limits open MIB
//! ```
//!
//! The client is set up as hushfs does it (src/object/s3/connect.rs): its own HTTP client, no retries, no extra checksums.
//! Credentials come from the environment. Each prints one line of JSON.

mod aead;
mod client;

use std::error::Error;
use std::process::ExitCode;

/// What was moved, and how long it took.
pub struct Moved {
    pub bytes: u64,
    pub seconds: f64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words).await {
        Ok(Moved { bytes, seconds }) => {
            println!(r#"{{"seconds": {seconds:.6}, "bytes": {bytes}}}"#);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-limits: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[&str]) -> Result<Moved, Box<dyn Error + Send + Sync>> {
    match words {
        ["put", endpoint, bucket, objects, mib, parallel] => {
            client::put(
                &client::connect(endpoint).await?,
                bucket,
                objects.parse()?,
                mib.parse()?,
                parallel.parse()?,
            )
            .await
        }
        ["get", endpoint, bucket, objects, _, parallel] => {
            client::get(&client::connect(endpoint).await?, bucket, objects.parse()?, parallel.parse()?).await
        }
        ["seal", mib] => aead::seal(mib.parse()?),
        ["open", mib] => aead::open(mib.parse()?),
        _ => Err("see the head of its source for how to use it".into()),
    }
}
