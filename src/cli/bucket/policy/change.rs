//! One change of a bucket's policy: looked at, shown, confirmed, looked at again, sent, seen.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::contradiction::Judged;
use super::trial::{Outcome, attempt};
use super::volume::{check_setting, check_volume};
use super::{PolicyArgs, fetch};
use crate::cli::bucket::reach::{needs, settled};
use crate::cli::confirm::confirm;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::Opened;
use crate::cli::report::describe;
use crate::cli::size::count;
use crate::cli::spot::try_writing;
use crate::object::policy::{Merge, PolicyDocument, Requirements, Scope, Statement};
use crate::object::{LinkStatus, Location, S3Bucket, ServerEncryption};

/// Merges what is demanded into the bucket's policy, and tries it out where a key was given.
pub(super) async fn demand(
    args: &PolicyArgs,
    bucket: &S3Bucket,
    scope: &Scope,
    requirements: &Requirements,
) -> Result<()> {
    let statements = requirements.statements(scope)?;
    let before = fetch(bucket).await?;
    if requirements.tls.is_some()
        && let LinkStatus::PlainHttp { .. } = bucket.link().status()
    {
        let why = "this machine itself reaches the bucket by plain HTTP, and could not even take the policy back \
                   afterwards; give an https:// endpoint";
        return Err(refuse(Exit::Insecure, why));
    }
    let document = before.as_ref().map(|(_, document)| document);
    let merge = Merge::demand(document, scope, &requirements.topics(), statements)?;
    if merge.changes_nothing() {
        println!("nothing to change: the policy of {} demands this already", args.bucket);
        if args.unlock.names_a_source() {
            let mut opened = check_setting(args, requirements).await?;
            adopt(&mut opened, requirements).await?;
            return judge(attempt(&opened, bucket, requirements).await?);
        }
        return Ok(());
    }
    if let (Some(after), Location::S3 { bucket: name, prefix }) = (&merge.document, &args.bucket) {
        let (partition, demands) = (bucket.partition(), requirements.encryption.as_ref());
        Judged { partition, bucket: name, prefix, demands, before: document, after }.check()?;
    }
    let mut opened = check_volume(args, bucket, requirements).await?;
    let before = before.map(|(text, _)| text);
    let change = Change::prepare(args, before.clone(), &merge)?;
    change.confirm(bucket).await?;
    let adopted = match &mut opened {
        Some(opened) => adopt(opened, requirements).await?,
        None => false,
    };
    change.send(bucket, scope).await?;
    match opened {
        Some(opened) => prove(opened, adopted, bucket, requirements, before.as_deref()).await?,
        None => eprintln!(
            "Nothing was written to try it: that takes a way to unlock a volume (--passphrase-file FILE)."
        ),
    }
    println!("applied to {}", args.bucket);
    Ok(())
}

/// A volume that asks for nothing asks for what is demanded from now on, once the server has shown that it gives that.
/// False where its setting fits as it is.
async fn adopt(opened: &mut Opened, requirements: &Requirements) -> Result<bool> {
    let Some(kind) = &requirements.encryption else { return Ok(false) };
    if opened.unlocked.settings().encryption.writes != ServerEncryption::Bucket {
        return Ok(false);
    }
    opened.ask_for(kind)?;
    try_writing(opened, kind).await?;
    opened.change_encryption(|settings| settings.moving_to(kind)).await?;
    Ok(true)
}

/// Tries the policy out. Where the volume's own machines cannot write under it, it is taken back, and so is the setting that
/// the volume has `adopted`.
async fn prove(
    mut opened: Opened,
    adopted: bool,
    bucket: &S3Bucket,
    requirements: &Requirements,
    before: Option<&str>,
) -> Result<()> {
    let outcome = attempt(&opened, bucket, requirements).await?;
    if !matches!(outcome, Outcome::LockedOut(_)) {
        return judge(outcome);
    }
    put_policy(bucket, before).await?;
    if adopted {
        opened.change_encryption(|settings| settings.moving_to(&ServerEncryption::Bucket)).await?;
    }
    judge(outcome).context("the policy is as it was before")
}

/// Makes this the policy of the bucket. None: it has none.
async fn put_policy(bucket: &S3Bucket, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) => bucket.replace_policy(text).await.map_err(needs("s3:PutBucketPolicy")),
        None => bucket.delete_policy().await.map_err(needs("s3:DeleteBucketPolicy")),
    }
}

fn judge(outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Proven { plain_is_refused: true } => eprintln!(
            "Tried: with the volume's setting hushfs can write, and a write that asks for no encryption is refused."
        ),
        Outcome::Proven { plain_is_refused: false } => {
            eprintln!("Tried: with the volume's setting hushfs can write.");
        }
        Outcome::NotEnforced => {
            let why = "hushfs can write, but so can a client that asks for no encryption: this server keeps the \
                       policy and does not enforce it, or takes long; give the same command again to look again";
            return Err(refuse(Exit::Encryption, why));
        }
        Outcome::LockedOut(error) => {
            let why = format!(
                "under this policy hushfs cannot write with the volume's setting (a trial write: {}); this server \
                 understands the policy in another way than AWS",
                describe(&error)
            );
            return Err(refuse(Exit::Encryption, why));
        }
    }
    Ok(())
}

/// Takes back everything that was ever demanded for this scope.
pub(super) async fn withdraw(args: &PolicyArgs, bucket: &S3Bucket, scope: &Scope) -> Result<()> {
    let before = fetch(bucket).await?;
    let merge = before.as_ref().map(|(_, document)| Merge::withdraw(document, scope));
    let Some(merge) = merge.filter(|merge| !merge.changes_nothing()) else {
        println!("nothing to remove: the policy has no statement of hushfs for {}", args.bucket);
        return Ok(());
    };
    let change = Change::prepare(args, before.map(|(text, _)| text), &merge)?;
    change.confirm(bucket).await?;
    change.send(bucket, scope).await?;
    println!("removed from {}", args.bucket);
    Ok(())
}

/// A change of the policy, ready to be shown.
struct Change<'a> {
    args: &'a PolicyArgs,
    before: Option<String>,
    merge: &'a Merge,
    after: Option<String>,
}

impl<'a> Change<'a> {
    /// Too long is found out before anybody is asked.
    fn prepare(args: &'a PolicyArgs, before: Option<String>, merge: &'a Merge) -> Result<Self> {
        let old = before.as_deref().unwrap_or_default();
        let after = merge.document.as_ref().map(|document| document.to_wire_after(old)).transpose()?;
        Ok(Self { args, before, merge, after })
    }

    /// Shows it and asks, and looks again whether the policy is still the one that was shown.
    async fn confirm(&self, bucket: &S3Bucket) -> Result<()> {
        eprint!("{}", show_change(self.merge)?);
        if !self.args.yes {
            let question = format!("Change the policy of {}?", self.args.bucket);
            tokio::task::block_in_place(|| {
                confirm(&question, "give --yes to change it without being asked")
            })?;
        }
        if fetch(bucket).await?.map(|(text, _)| text) != self.before {
            let why = "somebody else has changed the policy just now; nothing was done, look again";
            return Err(refuse(Exit::Failure, why));
        }
        Ok(())
    }

    /// Sends it, and waits until the server shows it.
    async fn send(&self, bucket: &S3Bucket, scope: &Scope) -> Result<()> {
        put_policy(bucket, self.after.as_deref()).await?;
        let expected = sids(self.merge.document.as_ref(), scope);
        let fits = |said: &Option<PolicyDocument>| sids(said.as_ref(), scope) == expected;
        let ask = async || Ok(fetch(bucket).await?.map(|(_, document)| document));
        settled(ask, fits).await.context("looking at the changed policy")?.map_err(|_other| {
            refuse(
                Exit::Failure,
                "the server took the change, and shows another policy all the same; look at it",
            )
        })?;
        Ok(())
    }
}

/// The names of our statements, in their order.
fn sids(document: Option<&PolicyDocument>, scope: &Scope) -> Vec<String> {
    let statements = document.map(PolicyDocument::statements).unwrap_or_default();
    let ours = statements.iter().filter(|statement| statement.topic(scope).is_some());
    ours.filter_map(Statement::sid).map(str::to_owned).collect()
}

fn show_change(merge: &Merge) -> Result<String> {
    let mut text = "The policy of the bucket will change:\n".to_owned();
    for (sign, statements) in [('-', &merge.gone), ('+', &merge.come)] {
        for statement in statements {
            for line in statement.pretty()?.lines() {
                writeln!(text, "{sign} {line}")?;
            }
        }
    }
    match (merge.kept, &merge.document) {
        (_, None) => writeln!(text, "Nothing is left of it: the policy is deleted.")?,
        (0, Some(_)) => {}
        (1, Some(_)) => writeln!(text, "  1 other statement stays as it is.")?,
        (kept, Some(_)) => writeln!(text, "  {} stay as they are.", count(kept as u64, "other statement"))?,
    }
    Ok(text)
}
