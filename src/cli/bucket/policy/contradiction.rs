//! Statements that together let nobody write: one demands what another denies, be it hushfs's for another prefix or
//! somebody else's. Found before anything is sent; what only a server can tell is left to the trial.

use anyhow::Result;
use serde_json::Value;

use crate::cli::bucket::policy_effect::{Request, Truth, denies, headers};
use crate::cli::demanded::demanded;
use crate::cli::exit::{Exit, refuse};
use crate::object::ServerEncryption;
use crate::object::policy::condition_key::{SECURE, TLS_VERSION};
use crate::object::policy::{PolicyDocument, Scope};

/// A change of a bucket's policy, to be looked through.
pub(super) struct Judged<'a> {
    pub partition: &'a str,
    pub bucket: &'a str,
    pub prefix: &'a str,
    /// What the change demands of every write, where that is its subject.
    pub demands: Option<&'a ServerEncryption>,
    pub before: Option<&'a PolicyDocument>,
    pub after: &'a PolicyDocument,
}

impl Judged<'_> {
    /// Refuses a policy under which nobody could write where it is about, or no longer in a prefix for which hushfs
    /// has statements.
    ///
    /// # Errors
    /// `Encryption`; a policy that cannot be read.
    pub(super) fn check(&self) -> Result<()> {
        let after = self.after.value()?;
        let before = self.before.map(PolicyDocument::value).transpose()?;
        if let Some(kind) = self.demands.cloned().or_else(|| self.demanded(self.prefix))
            && self.refuses(&after, self.prefix, &kind)
        {
            return Err(self.locked_out(self.prefix, &kind));
        }
        for place in self.places_of_ours().filter(|place| *place != self.prefix) {
            let Some(kind) = self.demanded(place) else { continue };
            let refused_before = before.as_ref().is_some_and(|policy| self.refuses(policy, place, &kind));
            if !refused_before && self.refuses(&after, place, &kind) {
                return Err(self.locked_out(place, &kind));
            }
        }
        Ok(())
    }

    /// What every write under `prefix` would have to ask for.
    fn demanded(&self, prefix: &str) -> Option<ServerEncryption> {
        demanded(&self.after.pretty().ok()?, self.partition, self.bucket, prefix)
    }

    /// Whether a write under `prefix` that asks for `kind` is denied beyond doubt.
    fn refuses(&self, policy: &Value, prefix: &str, kind: &ServerEncryption) -> bool {
        let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let context = headers(kind).into_iter().chain([(SECURE, "true"), (TLS_VERSION, "1.3")]);
        let put = Request {
            action: "s3:PutObject",
            resource: format!("{}/{folder}log/1", self.bucket),
            context: context.map(|(key, value)| (key, value.to_owned())).collect(),
        };
        denies(policy, &put) == Truth::Yes
    }

    /// The prefixes that statements of hushfs are about: what their resources say, where the name of the statement fits.
    fn places_of_ours(&self) -> impl Iterator<Item = &str> {
        self.after.statements().iter().filter_map(|it| {
            let resource = it.json().split(":::").nth(1)?.split('"').next()?;
            let place = resource.split_once('/')?.1.strip_suffix("/*")?;
            // Under SSE-C the folders of a volume are listed.
            let place = place.strip_suffix("/log").unwrap_or(place);
            let scope = Scope::new(self.partition, self.bucket, place).ok()?;
            it.topic(&scope).is_some().then_some(place)
        })
    }

    fn locked_out(&self, prefix: &str, kind: &ServerEncryption) -> anyhow::Error {
        let (bucket, slash) = (self.bucket, if prefix.is_empty() { "" } else { "/" });
        let why = format!(
            "nobody could write under s3://{bucket}{slash}{prefix} any more: every write would have to ask for {kind}, and \
             another statement of the policy denies that. Look at it with hushfs bucket policy s3://{bucket}; --remove \
             takes back what hushfs put there"
        );
        refuse(Exit::Encryption, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::policy::{Merge, Requirements};

    /// Demands one after the other, each of a prefix; whether the last is refused.
    fn refused(demands: &[(&str, &str)]) -> bool {
        let mut policy: Option<PolicyDocument> = None;
        let mut ended = Ok(());
        for (prefix, kind) in demands {
            let scope = Scope::new("aws", "bucket", prefix).unwrap();
            let all = match *kind {
                "no SSE-C" => Requirements { deny_customer_keys: true, ..Requirements::default() },
                kind => Requirements { encryption: Some(kind.parse().unwrap()), ..Requirements::default() },
            };
            let statements = all.statements(&scope).unwrap();
            let merge = Merge::demand(policy.as_ref(), &scope, &all.topics(), statements).unwrap();
            let after = merge.document.unwrap();
            let judged = Judged {
                partition: "aws",
                bucket: "bucket",
                prefix,
                demands: all.encryption.as_ref(),
                before: policy.as_ref(),
                after: &after,
            };
            assert!(ended.is_ok(), "{demands:?}");
            ended = judged.check();
            policy = Some(after);
        }
        ended.is_err()
    }

    #[test]
    fn what_one_statement_demands_and_another_denies_is_found_in_any_order() {
        for (demands, expected) in [
            (&[("", "s3"), ("home", "kms:k")][..], true),
            (&[("home", "kms:k"), ("", "s3")], true),
            (&[("home", "kms:k"), ("", "kms:other")], true),
            (&[("home", "kms:k"), ("", "kms")], false),
            (&[("home", "s3"), ("away", "kms:k"), ("home", "kms:k")], false),
            (&[("home", "customer"), ("home", "no SSE-C")], true),
            (&[("home", "customer"), ("", "no SSE-C")], true),
            (&[("", "no SSE-C"), ("home", "customer")], true),
            (&[("home", "customer"), ("", "s3")], true),
            (&[("", "no SSE-C"), ("home", "s3"), ("", "s3")], false),
        ] {
            assert_eq!(refused(demands), expected, "{demands:?}");
        }
    }

    #[test]
    fn what_somebody_else_denies_cannot_be_demanded() {
        let theirs = r#"{"Statement":[{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:PutObject",
            "Resource":"arn:aws:s3:::bucket/*","Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}}]}"#;
        let before = PolicyDocument::parse(theirs).unwrap();
        let scope = Scope::new("aws", "bucket", "home").unwrap();
        for (kind, expected) in [("s3", true), ("kms", false)] {
            let all = Requirements { encryption: Some(kind.parse().unwrap()), ..Requirements::default() };
            let statements = all.statements(&scope).unwrap();
            let after =
                Merge::demand(Some(&before), &scope, &all.topics(), statements).unwrap().document.unwrap();
            let (partition, bucket, prefix, demands) = ("aws", "bucket", "home", all.encryption.as_ref());
            let judged = Judged { partition, bucket, prefix, demands, before: Some(&before), after: &after };
            assert_eq!(judged.check().is_err(), expected, "{kind}");
        }
    }
}
