//! What hushfs can demand of a bucket, as statements that deny everything else.
//!
//! AWS evaluates a policy before it applies the bucket's default encryption, so "missing" is denied as well as
//! "other": whoever writes must ask aloud. Each statement has one condition (lists of a prefix have the prefix beside it), because
//! servers differ:
//!
//! - `aws:SecureTransport`: AWS and SeaweedFS know `false`; Ceph leaves the key out of plain HTTP, which only `Null`
//!   sees. On AWS the key is always there, so that statement never matches.
//! - `s3:TlsVersion`: only AWS knows it. Elsewhere the statement has no effect.
//! - Ceph (16) does not know the condition on SSE-C: one that it be there denies every write, so it cannot be used.
//!   It also reads every `Null` as `true`: that SSE-C be absent is said with `StringLike *`, which never holds of
//!   what is absent.
//! - With SSE-C, what a machine must be able to use before it has a key stays outside ([`is_open`]). There is no
//!   condition on names and `NotResource` would reach outside a prefix, so under one the folders are listed.

use serde_json::{Value, json};

use super::condition_key::{CUSTOMER, KMS_KEY, PREFIX, SECURE, SSE, TLS_VERSION};
use super::scope::{Scope, is_pattern};
use super::statement::{Statement, Topic};
use super::{PolicyDocument, PolicyError};
use crate::object::encryption::{OPEN, ServerEncryption};
use crate::object::s3::transport::TlsMin;

/// Writes of every kind: PutObject, copies, parts of uploads (S3 user guide, "Required permissions").
const WRITE: &str = "s3:PutObject";
/// Lists of names: the actions on a bucket that are asked for a prefix (S3 user guide, "Condition keys").
const LISTS: [&str; 2] = ["s3:ListBucket", "s3:ListBucketVersions"];
/// Where a volume keeps what is sealed (docs/format.md).
const SEALED: [&str; 3] = ["log/*", "tree/*", "data/*"];

/// What is demanded of everybody who uses the bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// TLS, of this version at least.
    pub tls: Option<TlsMin>,
    /// A kind of encryption at rest for every write, and the key where one is named.
    pub encryption: Option<ServerEncryption>,
    /// No write with customer keys (SSE-C).
    pub deny_customer_keys: bool,
}

impl Requirements {
    /// True when nothing is demanded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it is about.
    pub fn topics(&self) -> Vec<Topic> {
        let topics = [
            (self.tls.is_some(), Topic::Tls),
            (self.encryption.is_some(), Topic::Encryption),
            (self.deny_customer_keys, Topic::CustomerKeys),
        ];
        topics.into_iter().filter_map(|(demanded, topic)| demanded.then_some(topic)).collect()
    }

    /// The statements that demand it within `scope`.
    ///
    /// # Errors
    /// What cannot be demanded.
    pub fn statements(&self, scope: &Scope) -> Result<Vec<Statement>, PolicyError> {
        let mut conditions = Vec::new();
        if let Some(oldest) = self.tls {
            conditions.extend(tls(scope, oldest));
        }
        match &self.encryption {
            None => {}
            Some(ServerEncryption::Bucket) => return Err(PolicyError::NothingToDemand),
            Some(ServerEncryption::Customer) if self.deny_customer_keys => {
                return Err(PolicyError::Contradiction);
            }
            Some(ServerEncryption::Customer) => conditions.extend(customer_keys(scope)),
            Some(kind) => conditions.extend(server_keys(scope, kind)?),
        }
        if self.deny_customer_keys {
            let condition = json!({ "StringLike": { CUSTOMER: "*" } });
            conditions.push(Denial {
                name: "SseC",
                action: WRITE.into(),
                resource: everything(scope),
                condition,
            });
        }
        let made = conditions.into_iter().map(|denial| denial.statement(scope)).collect::<Result<_, _>>();
        made.map_err(PolicyError::Malformed)
    }

    /// Whether a client that asks for `kind` with every write can still write. Of an alias nobody here knows the key.
    pub fn admits(&self, kind: &ServerEncryption) -> bool {
        if self.deny_customer_keys && *kind == ServerEncryption::Customer {
            return false;
        }
        let Some(demanded) = &self.encryption else { return true };
        let key = match (demanded.kms_key(), kind.kms_key()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(demanded), Some(asked)) => {
                let both_arns = demanded.starts_with("arn:") && asked.starts_with("arn:");
                demanded == asked || (!both_arns && id_of(demanded) == id_of(asked))
            }
        };
        demanded.name() == kind.name() && key
    }

    /// A policy that demands this and nothing else.
    ///
    /// # Errors
    /// As [`Self::statements`].
    pub fn document(&self, scope: &Scope) -> Result<PolicyDocument, PolicyError> {
        PolicyDocument::new(self.statements(scope)?)
    }
}

/// `Resource` or `NotResource`, and its ARNs.
type Resource = (&'static str, Vec<String>);

struct Denial {
    name: &'static str,
    /// One action, or a list.
    action: Value,
    resource: Resource,
    condition: Value,
}

impl Denial {
    fn statement(self, scope: &Scope) -> Result<Statement, serde_json::Error> {
        let (field, arns) = &self.resource;
        Statement::deny(scope, self.name, &self.action, (field, arns), self.condition)
    }
}

fn everything(scope: &Scope) -> Resource {
    ("Resource", vec![scope.objects("*")])
}

/// Plain HTTP in two ways, and old versions. Under a prefix lists of it are denied apart: they are actions on the bucket.
fn tls(scope: &Scope, oldest: TlsMin) -> Vec<Denial> {
    let conditions = [
        ("PlainHttp", json!({ "Bool": { SECURE: "false" } })),
        ("NotTls", json!({ "Null": { SECURE: "true" } })),
        ("OldTls", json!({ "NumericLessThan": { TLS_VERSION: oldest.to_string() } })),
    ];
    let mut reached = everything(scope);
    if scope.is_whole_bucket() {
        reached.1.insert(0, scope.bucket());
    }
    let all =
        |(name, condition)| Denial { name, action: "s3:*".into(), resource: reached.clone(), condition };
    let mut denials: Vec<Denial> = conditions.clone().map(all).into();
    if let Some(names) = scope.names() {
        let lists = ["PlainHttpList", "NotTlsList", "OldTlsList"].into_iter().zip(conditions);
        denials.extend(lists.map(|(name, (_, mut condition))| {
            condition["StringLike"] = json!({ PREFIX: names });
            Denial { name, action: json!(LISTS), resource: ("Resource", vec![scope.bucket()]), condition }
        }));
    }
    denials
}

fn server_keys(scope: &Scope, kind: &ServerEncryption) -> Result<Vec<Denial>, PolicyError> {
    let deny =
        |name, condition| Denial { name, action: WRITE.into(), resource: everything(scope), condition };
    let mut denials = vec![
        deny("SseMissing", json!({ "Null": { SSE: "true" } })),
        deny("SseOther", json!({ "StringNotEquals": { SSE: kind.algorithm() } })),
    ];
    if let Some(key) = kind.kms_key() {
        denials.push(deny("KeyMissing", json!({ "Null": { KMS_KEY: "true" } })));
        denials.push(deny("KeyOther", other_key(key)?));
    }
    Ok(denials)
}

/// What must hold of the key that a request names. AWS compares the ARN of the key that it uses, whatever the header
/// said; other servers compare the header's own text. One value, because Ceph takes a list under a negated operator
/// for "differs from any". Ids as AWS makes them mean one key alone, in whatever ARN they stand.
fn other_key(key: &str) -> Result<Value, PolicyError> {
    if key.starts_with("alias/") || key.contains(":alias/") {
        return Err(PolicyError::Alias(key.to_owned()));
    }
    if is_pattern(key) {
        return Err(PolicyError::WildcardKey(key.to_owned()));
    }
    Ok(match is_id_of_aws(key) {
        true => json!({ "StringNotLike": { KMS_KEY: format!("*{key}") } }),
        false => json!({ "StringNotEquals": { KMS_KEY: key } }),
    })
}

/// A UUID, or that of a key in several Regions (KMS developer guide, "Key identifiers").
fn is_id_of_aws(key: &str) -> bool {
    let hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = key.split('-').collect();
    let uuid = parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| hex(part, length));
    uuid || key.strip_prefix("mrk-").is_some_and(|rest| hex(rest, 32))
}

/// The id in an ARN, or what is no ARN.
fn id_of(key: &str) -> &str {
    key.rsplit_once(":key/").map_or(key, |(_, id)| id)
}

fn customer_keys(scope: &Scope) -> [Denial; 2] {
    let reached = match scope.is_whole_bucket() {
        true => {
            let open = OPEN.iter().map(|pattern| scope.objects(pattern));
            ("NotResource", std::iter::once(scope.bucket()).chain(open).collect())
        }
        false => ("Resource", SEALED.iter().map(|pattern| scope.objects(pattern)).collect::<Vec<_>>()),
    };
    let deny = |name, condition| Denial { name, action: WRITE.into(), resource: reached.clone(), condition };
    [
        deny("SseMissing", json!({ "Null": { CUSTOMER: "true" } })),
        deny("SseOther", json!({ "StringNotEquals": { CUSTOMER: "AES256" } })),
    ]
}
