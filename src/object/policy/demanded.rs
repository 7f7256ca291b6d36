//! Back from a policy to the encryption that it demands, as far as hushfs put the demand there.

use serde_json::Value;

use super::condition_key::{CUSTOMER, KMS_KEY, SSE};
use super::scope::Scope;
use super::statement::Topic;
use super::{PolicyDocument, Requirements};
use crate::object::encryption::{EncryptionContext, ServerEncryption};

impl Requirements {
    /// The kind that statements of hushfs demand of every write in `scope`; `None` without one, and for what no
    /// version of hushfs writes.
    pub fn encryption_demanded_by(policy: &PolicyDocument, scope: &Scope) -> Option<ServerEncryption> {
        let ours = policy.statements().iter().filter(|it| it.topic(scope) == Some(Topic::Encryption));
        let conditions: Vec<Value> = ours
            .filter_map(|it| serde_json::from_str::<Value>(it.json()).ok()?.get("Condition").cloned())
            .collect();
        let wanted = |field| conditions.iter().find_map(|condition| value_of(condition, field));
        if wanted(CUSTOMER).is_some() {
            return Some(ServerEncryption::Customer);
        }
        let kind = match wanted(SSE)?.as_str() {
            "AES256" => return Some(ServerEncryption::S3),
            "aws:kms" => "kms",
            "aws:kms:dsse" => "dsse",
            _ => return None,
        };
        // A key id that may stand in any ARN is demanded as a pattern.
        let key = wanted(KMS_KEY).map(|key| format!(":{}", key.trim_start_matches('*')));
        let text = format!("{kind}{}", key.unwrap_or_default());
        ServerEncryption::new(&text, EncryptionContext::default(), false).ok()
    }
}

/// What `field` must be, else a write is denied. Servers write a list of one as its only member, and the other way round.
fn value_of(condition: &Value, field: &str) -> Option<String> {
    let named = ["StringNotEquals", "StringNotLike"]
        .iter()
        .find_map(|operator| condition.get(operator)?.get(field))?;
    let one = named.as_array().and_then(|list| list.first()).unwrap_or(named);
    one.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_demanded_is_read_back_from_the_policy() {
        let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("kms:arn:aws:kms:eu-central-1:1:key/{uuid}");
        let kinds =
            ["s3", "kms", "kms:testkey-1", &format!("kms:{uuid}"), &arn, "dsse", "dsse:k", "customer"];
        for prefix in ["", "home"] {
            let scope = Scope::new("aws", "bucket", prefix).unwrap();
            for kind in kinds {
                let demanded: ServerEncryption = kind.parse().unwrap();
                let all = Requirements { encryption: Some(demanded.clone()), ..Requirements::default() };
                let text = all.document(&scope).unwrap().to_wire().unwrap();
                let policy = PolicyDocument::parse(&text).unwrap();
                assert_eq!(
                    Requirements::encryption_demanded_by(&policy, &scope),
                    Some(demanded),
                    "{kind} {prefix}"
                );
                let elsewhere = Scope::new("aws", "bucket", "other").unwrap();
                assert_eq!(Requirements::encryption_demanded_by(&policy, &elsewhere), None);
            }
        }
        let tls = Requirements { deny_customer_keys: true, ..Requirements::default() };
        let scope = Scope::new("aws", "bucket", "").unwrap();
        assert_eq!(Requirements::encryption_demanded_by(&tls.document(&scope).unwrap(), &scope), None);
    }
}
