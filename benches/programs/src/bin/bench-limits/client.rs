//! The SDK's client alone: whole objects, so many at a time.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use hushfs::object::s3::{S3Options, aws_configuration};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Moved;

type Failure = Box<dyn Error + Send + Sync>;

pub async fn connect(endpoint: &str) -> Result<Client, Failure> {
    let options = S3Options { endpoint_url: Some(endpoint.to_owned()), ..S3Options::default() };
    let shared = aws_configuration("the bench's bucket", &options).await?;
    let config = Builder::from(&shared)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Ok(Client::from_conf(config.build()))
}

fn key(number: u64) -> String {
    format!("raw/{number:06}")
}

pub async fn put(
    client: &Client,
    bucket: &str,
    objects: u64,
    mib: u64,
    parallel: usize,
) -> Result<Moved, Failure> {
    let body = bytes::Bytes::from(noise(mib << 20));
    in_parallel(objects, parallel, |number| {
        let (request, body) = (client.put_object().bucket(bucket).key(key(number)), body.clone());
        async move {
            let len = body.len() as u64;
            request.body(body.into()).send().await?;
            Ok(len)
        }
    })
    .await
}

pub async fn get(client: &Client, bucket: &str, objects: u64, parallel: usize) -> Result<Moved, Failure> {
    in_parallel(objects, parallel, |number| {
        let request = client.get_object().bucket(bucket).key(key(number));
        async move { Ok(request.send().await?.body.collect().await?.into_bytes().len() as u64) }
    })
    .await
}

/// Runs a request for each number, `parallel` at a time.
async fn in_parallel<F>(objects: u64, parallel: usize, request: impl Fn(u64) -> F) -> Result<Moved, Failure>
where
    F: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let start = Instant::now();
    let places = Arc::new(Semaphore::new(parallel));
    let mut running = JoinSet::new();
    for number in 0..objects {
        let place = places.clone().acquire_owned().await?;
        let request = request(number);
        running.spawn(async move {
            let moved = request.await;
            drop(place);
            moved
        });
    }
    let mut bytes = 0;
    while let Some(moved) = running.join_next().await {
        bytes += moved??;
    }
    Ok(Moved { bytes, seconds: start.elapsed().as_secs_f64() })
}

/// Bytes that nobody can compress (xorshift64).
fn noise(len: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take((len / 8) as usize).flatten().collect()
}
