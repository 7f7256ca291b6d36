//! `hushfs bucket policy`: prints, applies and takes back the statements that enforce TLS and encryption.
//!
//! Invariants: statements of others are never touched; nothing is sent before the change was shown and confirmed, and
//! not at all when the policy is no longer the one that was shown. (S3 has no conditional write for it: a change
//! within the milliseconds between the last look and ours is lost.)

mod change;
mod contradiction;
mod trial;
mod volume;

use anyhow::{Context, Result};
use clap::Args;

use super::reach::{needs, reach};
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::runtime;
use crate::cli::unlock::UnlockArgs;
use crate::object::policy::{PolicyDocument, Requirements, Scope};
use crate::object::{Location, S3Bucket, ServerEncryption};

const EXAMPLES: &str = "\
Examples:
  hushfs bucket policy s3://my-bucket/home --require-tls --tls-min 1.3 --require-sse kms:KEY-ARN
  hushfs bucket policy s3://my-bucket/home --require-tls --require-sse s3 --apply
  hushfs bucket policy s3://my-bucket/home --remove
  hushfs bucket policy s3://my-bucket   (shows the policy that is there)";

/// Show, print, apply or take back a bucket policy that enforces TLS and encryption at rest
///
/// With requirements alone the policy that demands them is printed as JSON; --apply merges it into the bucket's own.
/// A requirement replaces an earlier one of its sort and leaves the others. With a prefix only objects under it and
/// lists of them are concerned; under --require-sse customer objects in log/, tree/ and data/.
///
/// A policy is judged before the bucket's default encryption: under --require-sse every write must ask for the
/// encryption aloud, as hushfs does with the same --sse. Give a way to unlock the volume with --apply to have
/// that checked.
///
/// Takes the permissions s3:GetBucketPolicy, s3:PutBucketPolicy and, when nothing is left of the policy,
/// s3:DeleteBucketPolicy. S3 may need some seconds until a policy is in force.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PolicyArgs {
    /// s3://bucket[/prefix]
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Refuse requests that do not come over TLS, or over one that is older than --tls-min
    #[arg(long)]
    require_tls: bool,
    /// Refuse writes that do not ask for this encryption: s3, kms[:KEY], dsse[:KEY] or customer (SSE-C). KEY is the
    /// ARN or the id of a KMS key; an alias cannot be enforced
    #[arg(long, value_name = "KIND")]
    require_sse: Option<ServerEncryption>,
    /// Refuse writes with customer keys (SSE-C)
    #[arg(long)]
    deny_sse_c: bool,
    /// Merge it into the bucket's policy, after showing the change and asking
    #[arg(long)]
    apply: bool,
    /// Take back what --apply put there for this BUCKET
    #[arg(long, conflicts_with_all = ["apply", "require_tls", "require_sse", "deny_sse_c"])]
    remove: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Shows, prints or changes.
///
/// # Errors
/// `Usage` for a folder and for what cannot be demanded; `Insecure` for demanding TLS without using it; those of the
/// store.
pub fn run(args: &PolicyArgs) -> Result<Exit> {
    runtime::start()?.block_on(act(args)).with_context(|| format!("the policy of {}", args.bucket))?;
    Ok(Exit::Success)
}

async fn act(args: &PolicyArgs) -> Result<()> {
    let bucket = reach(&args.bucket, &args.s3).await?;
    let requirements = args.requirements();
    match (args.remove, args.apply) {
        (true, _) => change::withdraw(args, &bucket, &args.scope(&bucket)?).await,
        (false, true) if requirements.is_empty() => {
            Err(refuse(Exit::Usage, "nothing to apply: give --require-tls, --require-sse or --deny-sse-c"))
        }
        (false, true) => change::demand(args, &bucket, &args.scope(&bucket)?, &requirements).await,
        (false, false) if requirements.is_empty() => show(&bucket).await,
        (false, false) => {
            let document = requirements.document(&args.scope(&bucket)?)?;
            println!("{}", document.pretty()?);
            eprintln!(
                "This is hushfs's part alone: aws s3api put-bucket-policy replaces the whole policy with it, --apply \
                 merges it into what is there."
            );
            Ok(())
        }
    }
}

async fn show(bucket: &S3Bucket) -> Result<()> {
    match fetch(bucket).await? {
        Some((_, document)) => println!("{}", document.pretty()?),
        None => eprintln!("The bucket has no policy."),
    }
    Ok(())
}

/// The policy as it came, and read.
async fn fetch(bucket: &S3Bucket) -> Result<Option<(String, PolicyDocument)>> {
    let Some(text) = bucket.policy().await.map_err(needs("s3:GetBucketPolicy"))? else { return Ok(None) };
    let document = PolicyDocument::parse(&text)?;
    Ok(Some((text, document)))
}

impl PolicyArgs {
    fn requirements(&self) -> Requirements {
        Requirements {
            tls: self.require_tls.then_some(self.s3.tls_min),
            encryption: self.require_sse.clone(),
            deny_customer_keys: self.deny_sse_c,
        }
    }

    fn scope(&self, bucket: &S3Bucket) -> Result<Scope> {
        match &self.bucket {
            Location::S3 { bucket: name, prefix } => Ok(Scope::new(bucket.partition(), name, prefix)?),
            Location::Folder(path) => {
                Err(refuse(Exit::Usage, format!("{} is a folder and has no policy", path.display())))
            }
        }
    }
}
