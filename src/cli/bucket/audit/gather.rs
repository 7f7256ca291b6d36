//! Asking the server, the volume header and the objects.

use anyhow::{Context, Result};

use super::AuditArgs;
use super::findings::{Findings, FoundSlot, Known, Secret};
use super::look::{Question, look};
use crate::base::VolumeId;
use crate::cli::key::choose::kind_name;
use crate::cli::opening::Store;
use crate::cli::progress::Progress;
use crate::cli::unlocking::unlock_header;
use crate::keyring::Slot;
use crate::object::{Location, S3Bucket};

/// Asks everything; returns it with the number of requests that it took.
///
/// # Errors
/// As opening a volume.
pub async fn gather(args: &AuditArgs) -> Result<(Findings, u64)> {
    let store = Store::open(&args.bucket, &args.s3).await?;
    // Whatever the objects have is to be seen, not refused.
    store.encryption.accept_anything();
    let found = store.header().await?;
    let (store, volume, slots, secret) = if args.no_key {
        let slots = found.header.slots().iter().map(FoundSlot::of).collect();
        (store, found.header.volume(), slots, None)
    } else {
        let opened = unlock_header(store, found, |challenge| args.unlock.credential(challenge)).await?;
        opened.check_log().await.context("looking at the log, without which --no-key does")?;
        let unlocked = &opened.unlocked;
        let kinds = unlocked.settings().encryption.all().cloned().collect();
        let secret = Secret { kinds, epoch: unlocked.keys().current().0 };
        let slots = unlocked.slots().iter().map(FoundSlot::of).collect();
        (opened.store, opened.vault.volume(), slots, Some(secret))
    };
    let mut findings = of_server(&args.bucket, &store).await;
    (findings.slots, findings.secret) = (slots, secret);
    objects(args, &store, volume, &mut findings).await;
    findings.link = store.link().status();
    let requests = store.s3.as_ref().map_or_else(|| store.meter.snapshot().requests(), |s3| s3.requests());
    Ok((findings, requests))
}

async fn objects(args: &AuditArgs, store: &Store, volume: VolumeId, findings: &mut Findings) {
    let clock = std::sync::Arc::clone(&store.clock);
    let mut progress = Progress::new("audit", clock.as_ref());
    let question = Question {
        bucket: store.patient(),
        s3: store.s3.clone(),
        volume,
        secret: findings.secret.as_ref(),
        default: match &findings.default {
            Known::Is(default) => Some(default),
            _ => None,
        },
        sample: (!args.all).then_some(args.sample as usize),
    };
    findings.objects = look(&question, |done, total| progress.things(done, total, "object")).await;
}

/// What the bucket itself says, or that a folder says nothing.
async fn of_server(location: &Location, store: &Store) -> Findings {
    let mut findings = Findings::of_folder(location.to_string());
    let Some(s3) = &store.s3 else { return findings };
    findings.folder = false;
    findings.endpoint = store.s3_args.endpoint();
    findings.bucket_name = s3.name().to_owned();
    findings.prefix = s3.key_prefix().to_owned();
    ask(s3, &mut findings).await;
    findings
}

async fn ask(s3: &S3Bucket, findings: &mut Findings) {
    let (default, policy, block, public) =
        tokio::join!(s3.default_encryption(), s3.policy(), s3.public_access_block(), s3.policy_is_public());
    findings.default = Known::of(default, "s3:GetEncryptionConfiguration");
    findings.policy = Known::of(policy, "s3:GetBucketPolicy");
    findings.public_block = Known::of(block, "s3:GetBucketPublicAccessBlock");
    findings.public_policy = Known::of(public, "s3:GetBucketPolicyStatus");
    let (versioning, lock, lifecycle, uploads) =
        tokio::join!(s3.versioning(), s3.object_lock(), s3.lifecycle(), s3.unfinished_uploads());
    findings.versioning = Known::of(versioning, "s3:GetBucketVersioning");
    findings.object_lock = Known::of(lock, "s3:GetBucketObjectLockConfiguration");
    findings.lifecycle = Known::of(lifecycle, "s3:GetLifecycleConfiguration");
    findings.uploads = Known::of(uploads, "s3:ListBucketMultipartUploads");
}

impl FoundSlot {
    fn of(slot: &Slot) -> Self {
        Self { kind: kind_name(slot), id: slot.id().to_string(), cost: slot.cost() }
    }
}
