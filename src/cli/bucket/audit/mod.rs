//! `hushfs bucket audit`: what protects the bucket, what does not, and what to do about it.
//!
//! `gather` asks and `look` looks at objects, both without changing anything; `judge` turns what was found into
//! verdicts and knows nothing of requests. Names and words of the server are shown only tamed.

mod findings;
#[cfg(any(test, fuzzing))]
pub(in crate::cli) mod fuzzing;
mod gather;
mod judge;
mod judge_objects;
#[cfg(test)]
mod judge_tests;
mod look;
mod remedy;
mod row;
mod show;

use anyhow::{Context, Result};
use clap::Args;

use crate::cli::bucket_args::S3Args;
use crate::cli::exit::Exit;
use crate::cli::runtime;
use crate::cli::unlock::UnlockArgs;
use crate::object::Location;
use row::Verdict;
use show::Report;

const EXAMPLES: &str = "\
Examples:
  hushfs bucket audit s3://my-bucket/home
  hushfs bucket audit s3://my-bucket/home --all --passphrase-file ~/.hushfs-pass
  hushfs bucket audit s3://my-bucket/home --no-key --json | jq '.rows[] | select(.verdict == \"fail\")'

Exit code 0 when nothing failed (warnings and what cannot be told count as passed), 19 when something did.
Fields of --json: bucket, with_key, listed, looked_at, requests, ok, warn, fail, unknown, and rows with check,
verdict (ok, warn, fail, unknown, not-applicable), finding, remedy; and strays, a list of name and
bytes (a thousand of those with foreign names and of those that are not sealed, at most).";

/// Check what protects a bucket and the volume in it, and say what to do
///
/// Looks at the connection, the bucket's default encryption, policy, public access, versioning, object lock and
/// lifecycle rules, and at what is under the volume's prefix: objects whose encryption by the server is not what the
/// volume asks for, objects that are not hushfs's or not sealed, old epochs of keys, weak key slots. Changes nothing.
/// What the credentials do not permit to look at is named and is no failure.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Do without the volume's key: what its settings want stays unknown
    #[arg(long)]
    no_key: bool,
    /// Look at every object: a request each
    #[arg(long, conflicts_with = "sample")]
    all: bool,
    /// How many objects to look at, spread over the listing
    #[arg(long, value_name = "N", default_value_t = 1000)]
    sample: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Asks, judges, prints.
///
/// # Errors
/// What keeps the audit from running at all: no volume there, no key, no connection.
pub fn run(args: &AuditArgs) -> Result<Exit> {
    let runtime = runtime::start()?;
    let gathered = runtime.block_on(gather::gather(args));
    let (findings, requests) = gathered.with_context(|| format!("auditing {}", args.bucket))?;
    let rows = judge::judge(&findings);
    let failed = rows.iter().any(|row| row.verdict == Verdict::Fail);
    let report = Report::new(&findings, rows, &args.s3, requests);
    if args.json {
        println!("{}", report.json()?);
    } else {
        print!("{report}");
    }
    Ok(if failed { Exit::AuditFailed } else { Exit::Success })
}
