//! What a bucket policy does to a request: is it denied?
//!
//! Reads Deny statements as IAM does (IAM User Guide, "JSON policy elements: Condition operators"), as far as they
//! can bear on a write or a read of an object. What is not understood counts as "perhaps": a verdict is never better
//! than what can be proved.

use serde_json::Value;

use crate::object::ServerEncryption;
use crate::object::policy::condition_key::{CUSTOMER, KMS_KEY, PREFIX, SECURE, SSE, TLS_VERSION};

/// A request as policies see it.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// `s3:PutObject` and the like.
    pub action: &'a str,
    /// `bucket/key`.
    pub resource: String,
    /// Condition keys that are present, and their values. Others are absent.
    pub context: Vec<(&'a str, String)>,
}

/// The condition keys that requests here have or lack on purpose; nothing is known of others.
const MODELLED: [&str; 6] = [SECURE, TLS_VERSION, SSE, KMS_KEY, CUSTOMER, PREFIX];

/// Operators that are understood, beside negated ones and `Null`.
const OPERATORS: [&str; 7] = [
    "Bool",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "ArnEquals",
    "ArnLike",
    "NumericLessThan",
];

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    No,
    Perhaps,
    Yes,
}

/// The headers of encryption that go with a write, as condition keys.
pub fn headers(kind: &ServerEncryption) -> Vec<(&'static str, &str)> {
    let mut headers = Vec::new();
    if let Some(algorithm) = kind.algorithm() {
        headers.push((SSE, algorithm));
    }
    if let Some(key) = kind.kms_key() {
        headers.push((KMS_KEY, key));
    }
    if *kind == ServerEncryption::Customer {
        headers.push((CUSTOMER, "AES256"));
    }
    headers
}

/// Whether `policy` denies `request` to everybody.
pub fn denies(policy: &Value, request: &Request<'_>) -> Truth {
    let statements = many(policy.get("Statement"));
    let denials = statements.iter().filter(|it| text(it.get("Effect")) == "Deny");
    denials.map(|it| applies(it, request)).max().unwrap_or(Truth::No)
}

/// Whether `policy` allows something to everybody without a condition: public beyond doubt.
pub fn lets_everybody_in(policy: &Value) -> bool {
    let is_unconditional = |statement: &Value| match statement.get("Condition") {
        Some(condition) => condition.as_object().is_some_and(serde_json::Map::is_empty),
        None => true,
    };
    many(policy.get("Statement")).iter().any(|statement| {
        text(statement.get("Effect")) == "Allow" && means_everybody(statement) && is_unconditional(statement)
    })
}

fn means_everybody(statement: &Value) -> bool {
    match statement.get("Principal") {
        Some(Value::String(who)) => who == "*",
        Some(who) => many(who.get("AWS")).iter().any(|who| text(Some(who)) == "*"),
        None => false,
    }
}

fn applies(statement: &Value, request: &Request<'_>) -> Truth {
    let everybody = means_everybody(statement);
    let names = |field: &str, wanted: &str| {
        let listed = many(statement.get(field));
        listed.iter().any(|it| like(&text(Some(it)), wanted))
    };
    let negative = statement.get("NotPrincipal").is_some()
        || statement.get("NotAction").is_some()
        || statement.get("NotResource").is_some();
    if negative {
        return Truth::Perhaps;
    }
    let resource = |it: &&Value| {
        let arn = text(Some(it));
        let path = arn.rsplit_once(":::").map_or(arn.as_str(), |(_, path)| path).to_owned();
        like(&path, &request.resource)
    };
    if !everybody || !names("Action", request.action) || !many(statement.get("Resource")).iter().any(resource)
    {
        return Truth::No;
    }
    holds(statement.get("Condition"), request)
}

/// All conditions, each for one of its values.
fn holds(condition: Option<&Value>, request: &Request<'_>) -> Truth {
    let Some(condition) = condition else { return Truth::Yes };
    let Some(operators) = condition.as_object() else { return Truth::Perhaps };
    let each = operators.iter().flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| one(operator, key, values, request))
    });
    each.min().unwrap_or(Truth::Yes)
}

fn one(operator: &str, key: &str, values: &Value, request: &Request<'_>) -> Truth {
    if !MODELLED.iter().any(|known| key.eq_ignore_ascii_case(known)) {
        return Truth::Perhaps;
    }
    let found = request
        .context
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.as_str());
    let values: Vec<String> = many(Some(values)).iter().map(|it| text(Some(it))).collect();
    let (operator, if_exists) =
        operator.strip_suffix("IfExists").map_or((operator, false), |operator| (operator, true));
    let any = |test: &dyn Fn(&str, &str) -> bool, found: &str| values.iter().any(|it| test(it, found));
    let equal = |wanted: &str, found: &str| wanted == found;
    let caseless = |wanted: &str, found: &str| wanted.eq_ignore_ascii_case(found);
    let number = |text: &str| text.parse::<f64>().ok();
    let below = |wanted: &str, found: &str| number(found) < number(wanted);
    let holds = match (operator, found) {
        ("Null", found) => values.iter().any(|it| (it == "true") == found.is_none()),
        // An absent key makes a negated operator true, others false unless IfExists is said.
        (
            "StringNotEquals" | "StringNotEqualsIgnoreCase" | "StringNotLike" | "ArnNotEquals" | "ArnNotLike",
            None,
        ) => true,
        (known, None) if OPERATORS.contains(&known) => if_exists,
        ("Bool", Some(found)) => any(&caseless, found),
        ("StringEquals" | "ArnEquals", Some(found)) => any(&equal, found),
        ("StringEqualsIgnoreCase", Some(found)) => any(&caseless, found),
        ("StringLike" | "ArnLike", Some(found)) => any(&|wanted, found| like(wanted, found), found),
        ("StringNotEquals" | "ArnNotEquals", Some(found)) => !any(&equal, found),
        ("StringNotEqualsIgnoreCase", Some(found)) => !any(&caseless, found),
        ("StringNotLike" | "ArnNotLike", Some(found)) => !any(&|wanted, found| like(wanted, found), found),
        ("NumericLessThan", Some(found)) => any(&below, found),
        _ => return Truth::Perhaps,
    };
    if holds { Truth::Yes } else { Truth::No }
}

/// IAM's wildcards: `*` for any letters, `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, from)) = star {
            // The star takes one letter more.
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

/// A value, or each of a list.
fn many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn denied(condition: Value, context: &[(&'static str, &str)]) -> Truth {
        let policy = json!({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}, {
            "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:Put*"], "Condition": condition,
            "Resource": "arn:aws:s3:::bucket/home/*",
        }]});
        let context = context.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        denies(&policy, &Request { action: "s3:PutObject", resource: "bucket/home/log/1".into(), context })
    }

    #[test]
    fn conditions_hold_as_iam_says() {
        let kms = json!({"StringNotEquals": {SSE: "aws:kms"}});
        assert_eq!(denied(kms.clone(), &[]), Truth::Yes, "an absent key is not equal");
        assert_eq!(denied(kms.clone(), &[(SSE, "AES256")]), Truth::Yes);
        assert_eq!(denied(kms, &[(SSE, "aws:kms")]), Truth::No);
        let none = json!({"Null": {SSE: "true"}});
        assert_eq!(denied(none.clone(), &[]), Truth::Yes);
        assert_eq!(denied(none, &[(SSE, "AES256")]), Truth::No);
        for bool in ["Bool", "BoolIfExists"] {
            let plain = json!({bool: {"aws:SecureTransport": "false"}});
            assert_eq!(denied(plain.clone(), &[(SECURE, "false")]), Truth::Yes);
            assert_eq!(denied(plain, &[(SECURE, "true")]), Truth::No);
        }
        let both =
            json!({"Bool": {"aws:SecureTransport": false}, "StringEquals": {"aws:PrincipalTag/x": "y"}});
        assert_eq!(denied(both.clone(), &[(SECURE, "true")]), Truth::No, "all conditions must hold");
        assert_eq!(denied(both, &[(SECURE, "false")]), Truth::Perhaps, "nothing is known of tags");
        let elsewhere = json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}});
        assert_eq!(denied(elsewhere, &[]), Truth::Perhaps, "absent here is not absent");
        let old = json!({"NumericLessThan": {"s3:TlsVersion": 1.3}});
        assert_eq!(denied(old.clone(), &[(TLS_VERSION, "1.2")]), Truth::Yes);
        assert_eq!(denied(old, &[(TLS_VERSION, "1.3")]), Truth::No);
    }

    #[test]
    fn what_is_not_understood_proves_nothing() {
        assert_eq!(denied(json!({"IpAddress": {SECURE: "x"}}), &[(SECURE, "false")]), Truth::Perhaps);
        let negative = json!({"Statement": {"Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*", "Resource": "*"}});
        assert_eq!(denies(&negative, &Request::default()), Truth::Perhaps);
    }

    #[test]
    fn statements_about_others_deny_nothing() {
        for statement in [
            json!({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "*", "Resource": "*"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}),
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
        ] {
            let request =
                Request { action: "s3:PutObject", resource: "bucket/log/1".into(), ..Request::default() };
            assert_eq!(denies(&json!({"Statement": [statement]}), &request), Truth::No, "{statement}");
        }
    }

    #[test]
    fn wildcards_match_like_iams() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("s3:*", "s3:PutObject", true),
            ("s3:Put?bject", "s3:PutObject", true),
            ("*Object", "s3:PutObjectAcl", false),
            ("bucket/*/x*z", "bucket/a/b/xyz", true),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
    }
}
