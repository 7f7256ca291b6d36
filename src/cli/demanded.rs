//! The encryption at rest that the bucket's policy wants to be asked for.
//!
//! A policy is judged before the bucket's default encryption, so a volume whose setting is to ask for nothing could not
//! write under one that demands a kind. Where nobody has chosen, hushfs looks at the policy and asks for what it demands:
//! for what its own statements say, else for the plainest kind that is not denied. Failure: a policy that cannot be
//! seen (the permission s3:GetBucketPolicy) or read changes nothing, and the write shows what is denied.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::bucket::policy_effect::{Request, Truth, denies};
use super::opening::Store;
use crate::object::policy::condition_key::{SECURE, SSE, TLS_VERSION};
use crate::object::policy::{PolicyDocument, Requirements, Scope};
use crate::object::{EncryptionContext, Location, ServerEncryption};

/// How long a command waits for the policy.
const PATIENCE: Duration = Duration::from_secs(5);

impl Store {
    /// What the policy demands of every write of the volume here, where it denies those that ask for nothing. Looked at
    /// once, until [`Self::forget_demand`].
    pub async fn demanded_encryption(&self) -> Option<ServerEncryption> {
        self.demanded.get_or_init(|| self.look_at_policy()).await.clone()
    }

    /// The policy may have changed.
    pub fn forget_demand(&mut self) {
        self.demanded = OnceCell::new();
    }

    async fn look_at_policy(&self) -> Option<ServerEncryption> {
        let (Some(s3), Location::S3 { bucket, prefix }) = (&self.s3, &self.location) else { return None };
        let policy = match tokio::time::timeout(PATIENCE, s3.policy()).await {
            Ok(Ok(policy)) => policy?,
            Ok(Err(error)) => {
                log::info!("the bucket's policy cannot be seen: {error}: {}", error.source);
                return None;
            }
            Err(_elapsed) => {
                log::info!("the bucket's policy did not come in time");
                return None;
            }
        };
        let demanded = demanded(&policy, s3.partition(), bucket, prefix)?;
        log::info!("the bucket's policy demands {demanded} of every write; it is asked for");
        Some(demanded)
    }
}

/// As [`Store::demanded_encryption`], of the policy's text.
pub(super) fn demanded(
    policy: &str,
    partition: &str,
    bucket: &str,
    prefix: &str,
) -> Option<ServerEncryption> {
    let document = PolicyDocument::parse(policy).ok()?;
    let ours = [prefix, ""].into_iter().find_map(|prefix| {
        let scope = Scope::new(partition, bucket, prefix).ok()?;
        Requirements::encryption_demanded_by(&document, &scope)
    });
    if ours.is_some() {
        return ours;
    }
    let policy: Value = serde_json::from_str(policy).ok()?;
    let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let put = |algorithm: Option<&str>| {
        let mut context = vec![(SECURE, "true".to_owned()), (TLS_VERSION, "1.3".to_owned())];
        context.extend(algorithm.map(|algorithm| (SSE, algorithm.to_owned())));
        denies(
            &policy,
            &Request { action: "s3:PutObject", resource: format!("{bucket}/{folder}log/1"), context },
        )
    };
    let kms = ServerEncryption::Kms { key: None, context: EncryptionContext::default(), bucket_key: false };
    let fits = |kind: &ServerEncryption| put(kind.algorithm()) == Truth::No;
    (put(None) == Truth::Yes).then(|| [ServerEncryption::S3, kms].into_iter().find(fits)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(statement: &Value) -> Option<ServerEncryption> {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        demanded(&policy, "aws", "bucket", "home")
    }

    fn deny(condition: &Value) -> Value {
        json!({"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
               "Resource": "arn:aws:s3:::bucket/*", "Condition": condition})
    }

    #[test]
    fn a_policy_of_somebody_else_is_answered_by_the_plainest_kind_that_it_admits() {
        let name = |statement: &Value| of(statement).map(|kind| kind.to_string());
        assert_eq!(name(&deny(&json!({"Null": {SSE: "true"}}))).as_deref(), Some("s3"));
        assert_eq!(name(&deny(&json!({"StringNotEquals": {SSE: "aws:kms"}}))).as_deref(), Some("kms"));
        assert_eq!(name(&deny(&json!({"StringNotEquals": {SSE: "aws:kms:dsse"}}))), None);
        assert_eq!(name(&deny(&json!({"Bool": {"aws:SecureTransport": "false"}}))), None);
        assert_eq!(name(&deny(&json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))), None);
        assert_eq!(demanded("no policy", "aws", "bucket", "home"), None);
    }

    #[test]
    fn a_demand_of_ours_for_the_prefix_or_for_the_whole_bucket_is_taken_at_its_word() {
        for prefix in ["home", ""] {
            let scope = Scope::new("aws", "bucket", prefix).unwrap();
            let kind: ServerEncryption = "kms:testkey-1".parse().unwrap();
            let all = Requirements { encryption: Some(kind.clone()), ..Requirements::default() };
            let policy = all.document(&scope).unwrap().to_wire().unwrap();
            assert_eq!(demanded(&policy, "aws", "bucket", "home"), Some(kind));
        }
    }
}
