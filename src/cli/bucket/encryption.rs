//! `hushfs bucket encryption`: what the bucket does with objects for which nobody asks anything.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::reach::{needs, reach, settled};
use crate::cli::bucket_args::S3Args;
use crate::cli::confirm::confirm;
use crate::cli::exit::{Exit, refuse};
use crate::cli::runtime;
use crate::object::{BucketDefault, EncryptionContext, Location, S3Bucket, ServerEncryption};

const EXAMPLES: &str = "\
Examples:
  hushfs bucket encryption s3://my-bucket
  hushfs bucket encryption s3://my-bucket --set kms:KEY-ARN --bucket-key
  hushfs bucket encryption s3://my-bucket --allow-sse-c   (for volumes with --sse customer)";

const KMS: &str = "aws:kms";

/// Show or set the bucket's default encryption, and whether SSE-C is blocked
///
/// It belongs to the whole bucket: a prefix makes no difference. It concerns objects that are written from now on by
/// clients that ask for nothing; a volume with --sse other than `bucket` asks. What is not named stays as it is.
///
/// Takes the permission s3:GetEncryptionConfiguration, and s3:PutEncryptionConfiguration to change it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EncryptionArgs {
    /// s3://bucket
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// The default from now on: s3, kms[:KEY-ID] or dsse[:KEY-ID]. Give the ARN of a key: S3 looks up an id or alias
    /// in the account of whoever writes
    #[arg(long, value_name = "KIND")]
    set: Option<String>,
    /// With kms: one KMS call for many objects instead of one for each
    #[arg(long, conflicts_with = "no_bucket_key")]
    bucket_key: bool,
    /// With kms: one KMS call for each object
    #[arg(long)]
    no_bucket_key: bool,
    /// Let customer keys (SSE-C) be used; AWS's new buckets block them
    #[arg(long, conflicts_with = "block_sse_c")]
    allow_sse_c: bool,
    /// Refuse writes with customer keys (SSE-C), also those of volumes with --sse customer
    #[arg(long)]
    block_sse_c: bool,
    /// Delete the configuration: AWS uses SSE-S3 then, other servers may encrypt nothing
    #[arg(long, conflicts_with_all = ["set", "bucket_key", "no_bucket_key", "allow_sse_c", "block_sse_c"])]
    remove: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
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

/// Changes what is to be changed, then shows what is.
///
/// # Errors
/// `Usage` for a folder and for what S3 does not offer; `Encryption` when the server takes the change and does
/// something else; those of the store.
pub fn run(args: &EncryptionArgs) -> Result<Exit> {
    let default = runtime::start()?
        .block_on(change_and_show(args))
        .with_context(|| format!("the default encryption of {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Shown::of(&default))?);
    } else {
        print!("{}", describe(&default)?);
    }
    Ok(Exit::Success)
}

async fn change_and_show(args: &EncryptionArgs) -> Result<BucketDefault> {
    if let Some(kind) = &args.set {
        // What S3 does not offer is told of before anything is sent.
        args.choose(kind, &mut BucketDefault::default())?;
    }
    let bucket = reach(&args.bucket, &args.s3).await?;
    let before = fetch(&bucket).await?;
    let after = args.applied(&before)?;
    if !args.changes() {
        return Ok(before);
    }
    // What a server falls back to looks like a configuration, which is there to be deleted.
    if after.same_effect(&before) && (!args.remove || before.algorithm.is_none()) {
        eprintln!("hushfs: nothing has to change: the bucket does this already");
        return Ok(before);
    }
    eprint!("The default encryption of the bucket will change:\n{}", show_change(&before, &after)?);
    if !args.yes {
        let question = format!("Change the default encryption of {}?", args.bucket);
        tokio::task::block_in_place(|| confirm(&question, "give --yes to change it without being asked"))?;
    }
    if fetch(&bucket).await? != before {
        let why = "somebody else has changed it just now; nothing was done, look again";
        return Err(refuse(Exit::Failure, why));
    }
    let changed = match args.remove {
        true => bucket.delete_default_encryption().await,
        false => bucket.replace_default_encryption(&after).await,
    };
    changed.map_err(needs("s3:PutEncryptionConfiguration"))?;
    // What a server falls back to is its own affair.
    let fits = |said: &BucketDefault| args.remove || said.same_effect(&after);
    settled(async || fetch(&bucket).await, fits).await?.map_err(|said| {
        let why = format!("the server was told: {after}; it took that, and says: {said}");
        refuse(Exit::Encryption, why)
    })
}

async fn fetch(bucket: &S3Bucket) -> Result<BucketDefault> {
    bucket.default_encryption().await.map_err(needs("s3:GetEncryptionConfiguration"))
}

impl EncryptionArgs {
    fn changes(&self) -> bool {
        let key = self.bucket_key || self.no_bucket_key;
        self.set.is_some() || key || self.allow_sse_c || self.block_sse_c || self.remove
    }

    /// What `before` becomes.
    fn applied(&self, before: &BucketDefault) -> Result<BucketDefault> {
        if self.remove {
            return Ok(BucketDefault::default());
        }
        let mut after = before.clone();
        if let Some(kind) = &self.set {
            self.choose(kind, &mut after)?;
        }
        if self.bucket_key || self.no_bucket_key {
            if after.algorithm.as_deref() != Some(KMS) {
                return Err(refuse(
                    Exit::Usage,
                    "a bucket key belongs to the default kms; give --set kms, too",
                ));
            }
            after.bucket_key = self.bucket_key;
        }
        if self.allow_sse_c || self.block_sse_c {
            after.set_blocks_customer_keys(self.block_sse_c);
        }
        if self.changes() && after.algorithm.is_none() {
            return Err(refuse(Exit::Usage, "the bucket has no default encryption so far; give --set, too"));
        }
        if self.changes() && after.has_more_rules {
            let why = "the bucket has several rules of default encryption, which hushfs would not keep; change it \
                       with the server's own tools";
            return Err(refuse(Exit::Failure, why));
        }
        Ok(after)
    }

    fn choose(&self, kind: &str, default: &mut BucketDefault) -> Result<()> {
        let chosen = ServerEncryption::new(kind, EncryptionContext::default(), self.bucket_key)
            .map_err(|error| refuse(Exit::Usage, format!("--set: {error}")))?;
        let algorithm = chosen.algorithm().ok_or_else(|| {
            let why = format!(
                "--set: {chosen} cannot be a bucket's default; give s3, kms[:KEY-ID] or dsse[:KEY-ID]"
            );
            refuse(Exit::Usage, why)
        })?;
        default.bucket_key &= algorithm == KMS && default.algorithm.as_deref() == Some(KMS);
        default.algorithm = Some(algorithm.to_owned());
        default.kms_key = chosen.kms_key().map(str::to_owned);
        Ok(())
    }
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

/// Always the same lines, so that two can be compared.
fn describe(default: &BucketDefault) -> Result<String> {
    let yes = |yes| if yes { "yes" } else { "no" };
    let key = match (&default.kms_key, default.algorithm.as_deref()) {
        (Some(key), _) => key,
        (None, None | Some("AES256")) => "none",
        (None, Some(_)) => "the account's own for S3",
    };
    let mut text = String::new();
    writeln!(text, "default     {}", default.algorithm.as_deref().unwrap_or("none"))?;
    writeln!(text, "KMS key     {key}")?;
    writeln!(text, "bucket key  {}", yes(default.bucket_key))?;
    writeln!(text, "SSE-C       {}", if default.blocks_customer_keys { "blocked" } else { "not blocked" })?;
    Ok(text)
}

fn show_change(before: &BucketDefault, after: &BucketDefault) -> Result<String> {
    let (before, after) = (describe(before)?, describe(after)?);
    let mut text = String::new();
    for (old, new) in before.lines().zip(after.lines()) {
        match old == new {
            true => writeln!(text, "  {old}")?,
            false => writeln!(text, "- {old}\n+ {new}")?,
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::classify::classify;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: EncryptionArgs,
    }

    fn args(words: &[&str]) -> EncryptionArgs {
        Line::try_parse_from(["x", "s3://bucket"].iter().chain(words)).unwrap().args
    }

    fn kms() -> BucketDefault {
        BucketDefault {
            algorithm: Some("aws:kms".into()),
            kms_key: Some("some-key".into()),
            bucket_key: true,
            blocks_customer_keys: true,
            ..BucketDefault::default()
        }
    }

    #[test]
    fn a_default_is_shown_with_all_that_it_says() {
        let shown = describe(&kms()).unwrap();
        assert_eq!(
            shown,
            "default     aws:kms\nKMS key     some-key\nbucket key  yes\nSSE-C       blocked\n"
        );
        let none = describe(&BucketDefault::default()).unwrap();
        assert_eq!(none, "default     none\nKMS key     none\nbucket key  no\nSSE-C       not blocked\n");
        let s3 = args(&["--set", "s3"]).applied(&kms()).unwrap();
        let change = "- default     aws:kms\n+ default     AES256\n- KMS key     some-key\n+ KMS key     none\n\
                      - bucket key  yes\n+ bucket key  no\n  SSE-C       blocked\n";
        assert_eq!(show_change(&kms(), &s3).unwrap(), change);
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let other = args(&["--set", "kms:other"]).applied(&kms()).unwrap();
        assert_eq!(other, BucketDefault { kms_key: Some("other".into()), ..kms() });
        let allowed = args(&["--allow-sse-c"]).applied(&kms()).unwrap();
        assert!(!allowed.blocks_customer_keys && allowed.bucket_key);
        assert_eq!(allowed.kms_key, kms().kms_key);
        let plain = args(&["--no-bucket-key"]).applied(&kms()).unwrap();
        assert_eq!(plain, BucketDefault { bucket_key: false, ..kms() });
        assert_eq!(args(&[]).applied(&kms()).unwrap(), kms());
        assert_eq!(args(&["--remove"]).applied(&kms()).unwrap(), BucketDefault::default());
    }

    #[test]
    fn a_change_to_what_is_there_already_is_none() {
        let open = BucketDefault { blocks_customer_keys: false, ..kms() };
        for words in [&["--allow-sse-c"][..], &["--set", "kms:some-key"], &["--bucket-key"]] {
            assert!(args(words).applied(&open).unwrap().same_effect(&open), "{words:?}");
        }
        assert!(!args(&["--allow-sse-c"]).applied(&kms()).unwrap().same_effect(&kms()));
    }

    #[test]
    fn what_s3_does_not_offer_is_refused() {
        let several = BucketDefault { has_more_rules: true, ..kms() };
        for (words, before, exit) in [
            (&["--set", "customer"][..], kms(), Exit::Usage),
            (&["--set", "bucket"], kms(), Exit::Usage),
            (&["--set", "none"], kms(), Exit::Usage),
            (&["--set", "dsse", "--bucket-key"], kms(), Exit::Usage),
            (&["--set", "s3", "--bucket-key"], kms(), Exit::Usage),
            (&["--block-sse-c"], BucketDefault::default(), Exit::Usage),
            (&["--block-sse-c"], several, Exit::Failure),
        ] {
            let error = args(words).applied(&before).unwrap_err();
            assert_eq!(classify(&error), exit, "{words:?}: {error}");
        }
    }
}
