//! `hushfs bucket`: the bucket's own settings around a volume. One file per subcommand.
//!
//! Invariants: only `reencrypt` needs a key of the volume, and `audit` takes one; what is changed is shown first and
//! confirmed; what is not ours stays as it was. Failure: a refusal names the permission that is missing.

pub(super) mod audit;
mod encryption;
mod inventory;
mod policy;
pub(super) mod policy_effect;
mod reach;
mod reencrypt;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::exit::Exit;
use super::logging;

const EXAMPLES: &str = "\
Examples:
  hushfs bucket policy     s3://my-bucket/home --require-tls --require-sse s3 --apply
  hushfs bucket encryption s3://my-bucket
  hushfs bucket audit      s3://my-bucket/home
  hushfs bucket reencrypt  s3://my-bucket/home --sse kms:alias/hushfs --dry-run";

/// Look after the bucket itself: what it enforces and how it encrypts
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BucketArgs {
    #[command(subcommand)]
    command: BucketCommand,
}

#[derive(Debug, Subcommand)]
enum BucketCommand {
    Policy(Box<policy::PolicyArgs>),
    Encryption(encryption::EncryptionArgs),
    Audit(Box<audit::AuditArgs>),
    Reencrypt(Box<reencrypt::ReencryptArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(args: &BucketArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    match &args.command {
        BucketCommand::Policy(args) => policy::run(args),
        BucketCommand::Encryption(args) => encryption::run(args),
        BucketCommand::Audit(args) => audit::run(args),
        BucketCommand::Reencrypt(args) => reencrypt::run(args),
    }
}
