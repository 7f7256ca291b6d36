//! `hushfs bucket encryption`: what the bucket does with objects for which nobody asks anything.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::reach::{needs, reach};
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::Exit;
use crate::cli::runtime;
use crate::object::{BucketDefault, Location};

const EXAMPLES: &str = "\
Examples:
  hushfs bucket encryption s3://my-bucket
  hushfs bucket encryption s3://my-bucket --json";

/// Show the bucket's default encryption
///
/// It belongs to the whole bucket: a prefix makes no difference. Takes the permission
/// s3:GetEncryptionConfiguration.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EncryptionArgs {
    /// s3://bucket
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    s3: S3Args,
}

/// A default encryption as `--json` shows it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    /// As S3 writes it: AES256, aws:kms, aws:kms:dsse.
    algorithm: Option<&'a str>,
    kms_key: Option<&'a str>,
    bucket_key: bool,
    blocks_sse_c: bool,
}

/// Asks and prints.
///
/// # Errors
/// `Usage` for a folder; those of the store.
pub fn run(args: &EncryptionArgs) -> Result<Exit> {
    let default = runtime::start()?
        .block_on(fetch(args))
        .with_context(|| format!("the default encryption of {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Shown::of(&default))?);
    } else {
        print!("{}", describe(&default)?);
    }
    Ok(Exit::Success)
}

async fn fetch(args: &EncryptionArgs) -> Result<BucketDefault> {
    let bucket = reach(&args.bucket, &args.s3).await?;
    bucket.default_encryption().await.map_err(needs("s3:GetEncryptionConfiguration"))
}

impl<'a> Shown<'a> {
    fn of(default: &'a BucketDefault) -> Self {
        Self {
            algorithm: default.algorithm.as_deref(),
            kms_key: default.kms_key.as_deref(),
            bucket_key: default.bucket_key,
            blocks_sse_c: default.blocks_customer_keys,
        }
    }
}

fn describe(default: &BucketDefault) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "default     {}", default.algorithm.as_deref().unwrap_or("none"))?;
    if let Some(key) = &default.kms_key {
        writeln!(text, "KMS key     {key}")?;
    }
    writeln!(text, "bucket key  {}", if default.bucket_key { "yes" } else { "no" })?;
    writeln!(text, "SSE-C       {}", if default.blocks_customer_keys { "blocked" } else { "not blocked" })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_shown_with_all_that_it_says() {
        let kms = BucketDefault {
            algorithm: Some("aws:kms".into()),
            kms_key: Some("some-key".into()),
            bucket_key: true,
            blocks_customer_keys: true,
        };
        let shown = describe(&kms).unwrap();
        assert_eq!(
            shown,
            "default     aws:kms\nKMS key     some-key\nbucket key  yes\nSSE-C       blocked\n"
        );
        let none = describe(&BucketDefault::default()).unwrap();
        assert_eq!(none, "default     none\nbucket key  no\nSSE-C       not blocked\n");
    }
}
