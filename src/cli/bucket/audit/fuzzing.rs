//! What an audit makes of a bucket's policy, for the target in `cli/fuzzing.rs`.

use serde_json::{Value, json};

use super::judge::parsed;
use crate::cli::bucket::policy_effect::{Request, Truth, denies};
use crate::cli::demanded::demanded;
use crate::fuzzing::text;
use crate::object::policy::condition_key::{SECURE, TLS_VERSION};

/// No policy takes back what a statement denies without conditions.
pub(in crate::cli) fn policy_effect(bytes: &[u8]) {
    if let Some(policy) = text(bytes) {
        demanded(policy, "aws", "bucket", "home");
    }
    let Ok(Some(mut policy)) = parsed(text(bytes)) else { return };
    let request = Request {
        action: "s3:PutObject",
        resource: "bucket/home/data/1/00/00".to_owned(),
        context: vec![(SECURE, "false".to_owned()), (TLS_VERSION, "1.2".to_owned())],
    };
    let before = denies(&policy, &request);
    let all = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*" });
    if let Some(Value::Array(statements)) = policy.get_mut("Statement") {
        statements.push(all);
        assert_eq!(denies(&policy, &request), Truth::Yes, "it was {before:?} before");
    }
}
