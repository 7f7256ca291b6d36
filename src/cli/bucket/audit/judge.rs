//! From findings to verdicts about the bucket: a pure function, so that each verdict can be tested.

use serde_json::Value;

use super::findings::{Findings, Known, tame};
use super::judge_objects;
use super::remedy::{Remedy, choosing, quoted};
use super::row::Row;
use crate::cli::bucket::policy_effect::{Request, Truth, denies, headers, lets_everybody_in};
use crate::cli::demanded::demanded;
use crate::cli::size::count;
use crate::object::policy::condition_key::{PREFIX, SECURE, SSE, TLS_VERSION};
use crate::object::{LifecycleRule, LinkStatus, ServerEncryption, Versioning};

const POLICY_TLS: &str = "policy-tls";
const POLICY_ENCRYPTION: &str = "policy-encryption";
/// Beginnings of the names of the format.
const OWN: [&str; 4] = ["volume", "log/", "tree/", "data/"];

/// The whole table, in its order.
pub fn judge(findings: &Findings) -> Vec<Row> {
    let mut rows = vec![
        connection(findings),
        default_encryption(findings),
        policy_tls(findings),
        policy_encryption(findings),
        public_access(findings),
        versioning(findings),
        object_lock(findings),
        uploads_rule(findings),
        lifecycle(findings),
        uploads(findings),
    ];
    rows.extend(judge_objects::judge(findings));
    rows
}

fn connection(findings: &Findings) -> Row {
    const CHECK: &str = "connection";
    let endpoint = findings.endpoint.as_deref().map_or_else(String::new, |url| format!(" to {}", tame(url)));
    let said = format!("{}{endpoint}", findings.link);
    match &findings.link {
        LinkStatus::Tls { .. } => Row::ok(CHECK, said),
        LinkStatus::PlainHttp { loopback: true, .. } => Row::warn(
            CHECK,
            said,
            "nobody can listen within this machine; elsewhere use an https:// endpoint",
        ),
        LinkStatus::PlainHttp { loopback: false, .. } => {
            Row::fail(CHECK, said, "use an https:// endpoint and leave --insecure-http out")
        }
        LinkStatus::None => Row::judge(CHECK, &Known::<()>::NoServer, |()| Row::ok(CHECK, "")),
    }
}

fn default_encryption(findings: &Findings) -> Row {
    const CHECK: &str = "default-encryption";
    let bucket = &findings.bucket_name;
    Row::judge(CHECK, &findings.default, |default| {
        let said = tame(&default.to_string());
        let writes = findings.secret.as_ref().and_then(|secret| secret.kinds.first());
        if default.blocks_customer_keys && writes == Some(&ServerEncryption::Customer) {
            let why = format!("{said}; the volume writes with SSE-C, and every write will be refused");
            return Row::fail(
                CHECK,
                why,
                Remedy::hushfs(format!("bucket encryption s3://{bucket} --allow-sse-c")),
            );
        }
        match (&default.algorithm, writes) {
            (Some(_), _) => Row::ok(CHECK, said),
            (None, Some(asked)) if *asked != ServerEncryption::Bucket => {
                Row::ok(CHECK, format!("none, and the volume asks for {} itself", asked.describe()))
            }
            (None, _) => Row::warn(
                CHECK,
                "none: what asks for nothing is stored as it came (hushfs's objects are sealed all the same)",
                Remedy::hushfs(format!("bucket encryption s3://{bucket} --set s3")),
            ),
        }
    })
}

/// The policy, parsed; `None` without one.
pub(super) fn parsed(policy: Option<&str>) -> Result<Option<Value>, serde_json::Error> {
    policy.map(serde_json::from_str).transpose()
}

/// Judges what the policy does, where there is one that can be read.
fn by_policy(
    check: &'static str,
    findings: &Findings,
    missing: &Row,
    judge: impl FnOnce(&Value) -> Row,
) -> Row {
    Row::judge(check, &findings.policy, |policy| match parsed(policy.as_deref()) {
        Ok(Some(policy)) => judge(&policy),
        Ok(None) => missing.clone(),
        Err(error) => Row::unknown(check, format!("the policy is no JSON: {error}"), "look at the policy"),
    })
}

/// A request for one of the volume's objects.
fn request(
    findings: &Findings,
    action: &'static str,
    secure: bool,
    headers: &[(&'static str, &str)],
) -> Request<'static> {
    let resource = format!("{}/{}data/1/00/00", findings.bucket_name, findings.prefix);
    let mut context: Vec<(&'static str, String)> =
        headers.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    context.push((SECURE, secure.to_string()));
    context.push((TLS_VERSION, "1.3".to_owned()));
    Request { action, resource, context }
}

/// A list of the volume's objects that does not come over TLS.
fn list_over_http(findings: &Findings) -> Request<'static> {
    let prefix = (PREFIX, format!("{}log/", findings.prefix));
    let context = vec![(SECURE, "false".to_owned()), prefix];
    Request { action: "s3:ListBucket", resource: findings.bucket_name.clone(), context }
}

fn policy_tls(findings: &Findings) -> Row {
    let remedy = Remedy::hushfs(format!("bucket policy {} --require-tls --apply", findings.place()));
    let missing = Row::warn(POLICY_TLS, "there is no policy: plain HTTP is not denied", remedy.clone());
    by_policy(POLICY_TLS, findings, &missing, |policy| {
        let over_http = |action| denies(policy, &request(findings, action, false, &[]));
        let lists = denies(policy, &list_over_http(findings));
        match over_http("s3:PutObject").min(over_http("s3:GetObject")) {
            Truth::Yes if lists == Truth::Yes => Row::ok(POLICY_TLS, "plain HTTP is denied"),
            Truth::Yes => Row::warn(
                POLICY_TLS,
                "the policy denies plain HTTP for objects, but not for lists of them",
                remedy.clone(),
            ),
            Truth::Perhaps => Row::unknown(
                POLICY_TLS,
                "the policy has conditions that hushfs does not understand",
                remedy.clone(),
            ),
            Truth::No => Row::warn(POLICY_TLS, "the policy does not deny plain HTTP", remedy.clone()),
        }
    })
}

fn policy_encryption(findings: &Findings) -> Row {
    const CHECK: &str = POLICY_ENCRYPTION;
    let Some(kind) = findings.secret.as_ref().and_then(|secret| secret.kinds.first()) else {
        return without_setting(findings);
    };
    let remedy = Remedy::hushfs(format!(
        "bucket policy {} --require-sse {} --apply",
        findings.place(),
        quoted(&kind.to_string())
    ));
    let asks_nothing = *kind == ServerEncryption::Bucket;
    let fine = || Row::ok(CHECK, "the volume leaves the choice to the bucket, so there is nothing to demand");
    let missing = if asks_nothing {
        fine()
    } else {
        Row::warn(CHECK, "there is no policy: other kinds of encryption are not denied", remedy.clone())
    };
    by_policy(CHECK, findings, &missing, |policy| {
        let put = |headers: &[(&'static str, &str)]| {
            denies(policy, &request(findings, "s3:PutObject", true, headers))
        };
        if put(&headers(kind)) == Truth::Yes {
            let why = format!("the policy denies what the volume writes ({})", kind.describe());
            let wanted = demanded_here(findings);
            if let (true, Some(wanted)) = (asks_nothing, &wanted) {
                let said = format!(
                    "every write must ask for {wanted}; hushfs does, though the volume has no setting"
                );
                return Row::ok(CHECK, said);
            }
            let remedy = match &wanted {
                Some(wanted) => {
                    Remedy::hushfs(format!("bucket reencrypt {} {}", findings.place(), choosing(wanted)))
                }
                None => Remedy::from("change the policy that denies it: ")
                    .with(Remedy::hushfs(format!("bucket policy {}", findings.place()))),
            };
            return Row::fail(CHECK, why, remedy);
        }
        if asks_nothing {
            return fine();
        }
        let other = if *kind == ServerEncryption::S3 { "aws:kms" } else { "AES256" };
        match put(&[]).min(put(&[(SSE, other)])) {
            Truth::Yes => Row::ok(CHECK, format!("every write must ask for {}", kind.name())),
            Truth::Perhaps => Row::unknown(
                CHECK,
                "the policy has conditions that hushfs does not understand",
                remedy.clone(),
            ),
            Truth::No => {
                let why = format!("the policy lets writes pass that do not ask for {}", kind.name());
                Row::warn(CHECK, why, remedy.clone())
            }
        }
    })
}

/// What the policy demands of every write.
fn demanded_here(findings: &Findings) -> Option<ServerEncryption> {
    match &findings.policy {
        Known::Is(Some(policy)) => {
            // Sids alone tell whose a statement is, so any partition does.
            demanded(policy, "aws", &findings.bucket_name, findings.prefix.trim_end_matches('/'))
        }
        _ => None,
    }
}

/// Nobody knows what the volume wants: whether anything is demanded at all.
fn without_setting(findings: &Findings) -> Row {
    const CHECK: &str = POLICY_ENCRYPTION;
    let needs_key = "which kind to demand is sealed in the volume's settings: run this with its key";
    let missing = Row::warn(CHECK, "there is no policy: no kind of encryption is demanded", needs_key);
    by_policy(CHECK, findings, &missing, |policy| {
        let bare = denies(policy, &request(findings, "s3:PutObject", true, &[]));
        let said = match bare {
            Truth::Yes => "some kind is demanded",
            Truth::Perhaps | Truth::No => "no kind is demanded of every write",
        };
        Row::unknown(CHECK, said, needs_key)
    })
}

fn public_access(findings: &Findings) -> Row {
    const CHECK: &str = "public-access";
    let block_all = Remedy::aws(format!(
        "s3api put-public-access-block --bucket {} --public-access-block-configuration \
         BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
        findings.bucket_name
    ));
    if is_public(findings) {
        let why = "the bucket's policy lets the public in";
        return Row::fail(
            CHECK,
            why,
            Remedy::from("take those statements out of the policy, then ").with(block_all),
        );
    }
    Row::judge(CHECK, &findings.public_block, |block| match block {
        Some(block) if block.is_complete() => Row::ok(CHECK, "blocked in every way"),
        Some(_) => Row::warn(CHECK, "blocked in part", block_all),
        None => Row::warn(CHECK, "the bucket has no block of its own (the account may have one)", block_all),
    })
}

/// What the server says of its policy; where it says nothing (SeaweedFS, moto), what the policy itself says.
fn is_public(findings: &Findings) -> bool {
    match (&findings.public_policy, &findings.policy) {
        (Known::Is(public), _) => *public,
        (_, Known::Is(policy)) => parsed(policy.as_deref())
            .is_ok_and(|policy| policy.is_some_and(|policy| lets_everybody_in(&policy))),
        _ => false,
    }
}

fn versioning(findings: &Findings) -> Row {
    const CHECK: &str = "versioning";
    let remedy = Remedy::aws(format!(
        "s3api put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled",
        findings.bucket_name
    ));
    Row::judge(CHECK, &findings.versioning, |versioning| match versioning {
        Versioning::On => Row::ok(CHECK, "on: what is deleted or overwritten can be brought back"),
        Versioning::Off => Row::warn(
            CHECK,
            "off: what is deleted in the bucket is gone (old versions cost storage, until a lifecycle rule ends them)",
            remedy,
        ),
        Versioning::Suspended => Row::warn(CHECK, "suspended: what is deleted in the bucket is gone", remedy),
    })
}

fn object_lock(findings: &Findings) -> Row {
    const CHECK: &str = "object-lock";
    Row::judge(CHECK, &findings.object_lock, |lock| match (&lock.default_retention, lock.enabled) {
        (Some(retention), _) => Row::warn(
            CHECK,
            format!("on, and every new object is kept: {}", tame(retention)),
            "what gc deletes stays as an old version until then, and costs storage",
        ),
        (None, true) => Row::ok(CHECK, "on, without a retention for new objects"),
        (None, false) => Row::ok(CHECK, "off: whoever may delete objects can delete all of them"),
    })
}

/// Whether a rule is for any object of the volume.
fn concerns(rule: &LifecycleRule, prefix: &str) -> bool {
    let meets = |own: &str| {
        let key = format!("{prefix}{own}");
        key.starts_with(&rule.prefix) || rule.prefix.starts_with(&key)
    };
    !rule.needs_tags && OWN.iter().any(|own| meets(own))
}

fn lifecycle(findings: &Findings) -> Row {
    const CHECK: &str = "lifecycle-objects";
    Row::judge(CHECK, &findings.lifecycle, |rules| {
        let does = |rule: &LifecycleRule| {
            let mut does = Vec::new();
            if rule.expires {
                does.push("deletes".to_owned());
            }
            if !rule.transitions.is_empty() {
                does.push(format!("moves to {}", tame(&rule.transitions.join(", "))));
            }
            (!does.is_empty()).then(|| {
                format!("the rule \"{}\" {} objects of the volume", tame(&rule.id), does.join(" and "))
            })
        };
        let found: Vec<String> =
            rules.iter().filter(|rule| concerns(rule, &findings.prefix)).filter_map(does).collect();
        match found.is_empty() {
            true => Row::ok(CHECK, "no rule deletes or moves the volume's objects"),
            false => Row::fail(
                CHECK,
                found.join("; "),
                "take the rule away or give it another prefix: every object is needed, however old, and at once",
            ),
        }
    })
}

fn uploads_rule(findings: &Findings) -> Row {
    const CHECK: &str = "lifecycle-uploads";
    Row::judge(CHECK, &findings.lifecycle, |rules| {
        let covers = |rule: &&LifecycleRule| {
            rule.aborts_uploads && !rule.needs_tags && findings.prefix.starts_with(&rule.prefix)
        };
        match rules.iter().find(covers) {
            Some(rule) => Row::ok(CHECK, format!("the rule \"{}\" ends unfinished uploads", tame(&rule.id))),
            None => Row::warn(
                CHECK,
                "no rule ends unfinished uploads, which cost storage and are in no listing",
                add_rule(&findings.bucket_name, rules.is_empty()),
            ),
        }
    })
}

/// S3 replaces all rules at once, so the command is for a bucket that has none.
fn add_rule(bucket: &str, none_yet: bool) -> Remedy {
    const RULE: &str = r#"{"ID":"end-unfinished-uploads","Status":"Enabled","Filter":{"Prefix":""},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}"#;
    match none_yet {
        true => Remedy::aws(format!(
            "s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration '{{\"Rules\":[{RULE}]}}'"
        )),
        false => Remedy::from(format!("add {RULE} to the rules that "))
            .with(Remedy::aws(format!("s3api get-bucket-lifecycle-configuration --bucket {bucket}")))
            .with(" shows, and put them all"),
    }
}

fn uploads(findings: &Findings) -> Row {
    const CHECK: &str = "incomplete-uploads";
    Row::judge(CHECK, &findings.uploads, |uploads| {
        if uploads.count == 0 {
            return Row::ok(CHECK, "none under the prefix");
        }
        let more = if uploads.more { "more than " } else { "" };
        let names: Vec<String> = uploads.examples.iter().map(|key| tame(key)).collect();
        Row::warn(
            CHECK,
            format!(
                "{more}{} ({}): not hushfs's, which makes none",
                count(uploads.count, "unfinished upload"),
                names.join(", ")
            ),
            end_uploads(&findings.bucket_name, &findings.prefix),
        )
    })
}

/// One command for all of them; keys come from others and are never words of the shell's.
fn end_uploads(bucket: &str, prefix: &str) -> Remedy {
    let prefix = quoted(prefix);
    let list = Remedy::aws(format!(
        "s3api list-multipart-uploads --bucket {bucket} --prefix {prefix} --query 'Uploads[].[Key,UploadId]' --output \
         text"
    ));
    let end = Remedy::aws(format!(
        "s3api abort-multipart-upload --bucket {bucket} --key \"$key\" --upload-id \"$id\""
    ));
    list.with(" | while IFS=$'\\t' read -r key id; do ").with(end).with("; done")
}
