//! One statement: raw as it was read, and how ours are made and recognised.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::scope::Scope;

/// A statement of a policy, byte for byte. Never looked into, but for its Sid.
#[derive(Debug, Clone)]
pub struct Statement {
    raw: Box<RawValue>,
    sid: Option<String>,
}

/// What a statement of ours is about. A demand replaces the earlier one on the same topic and leaves the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Tls,
    Encryption,
    CustomerKeys,
}

impl Topic {
    /// What a Sid ends with. Names stay here after they are no longer made, so that `--remove` finds them.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Tls => &["PlainHttp", "NotTls", "OldTls", "PlainHttpList", "NotTlsList", "OldTlsList"],
            Self::Encryption => &["SseMissing", "SseOther", "KeyMissing", "KeyOther"],
            Self::CustomerKeys => &["SseC"],
        }
    }
}

#[derive(Deserialize)]
#[serde(expecting = "a statement")]
struct OnlySid {
    #[serde(rename = "Sid")]
    sid: Option<Value>,
}

impl Statement {
    /// Takes one as it was read. A Sid that is no text is nobody's.
    ///
    /// # Errors
    /// What is no JSON object.
    pub(super) fn parse(raw: Box<RawValue>) -> Result<Self, serde_json::Error> {
        let only: OnlySid = serde_json::from_str(raw.get())?;
        let sid = only.sid.and_then(|sid| sid.as_str().map(str::to_owned));
        Ok(Self { raw, sid })
    }

    /// One of ours: everybody is denied `action` (one, or a list) on `resource` (the name of the field, and ARNs) when `condition` holds.
    pub(super) fn deny(
        scope: &Scope,
        name: &str,
        action: &Value,
        (field, arns): (&str, &[String]),
        condition: Value,
    ) -> Result<Self, serde_json::Error> {
        let sid = format!("{}{name}", scope.sid_mark());
        let statement = json!({
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            field: arns,
            "Condition": condition,
        });
        Ok(Self { raw: serde_json::value::to_raw_value(&statement)?, sid: Some(sid) })
    }

    /// The topic of a statement of ours within `scope`; `None` for all others, also those of another prefix.
    pub fn topic(&self, scope: &Scope) -> Option<Topic> {
        let name = self.sid.as_deref()?.strip_prefix(&scope.sid_mark())?;
        [Topic::Tls, Topic::Encryption, Topic::CustomerKeys]
            .into_iter()
            .find(|topic| topic.names().contains(&name))
    }

    /// Its name, where it has one.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// The JSON as it was read or made.
    pub fn json(&self) -> &str {
        self.raw.get()
    }

    /// The same, indented and in the same order.
    ///
    /// # Errors
    /// What only a parser without bounds would read.
    pub fn pretty(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(self.json())?)
    }

    pub(super) fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// True when both mean the same: servers reorder fields, and write a list of one as its only member.
    pub(super) fn same_meaning(&self, other: &Self) -> bool {
        let read = |statement: &Self| serde_json::from_str::<Value>(statement.json()).map(unlisted);
        matches!((read(self), read(other)), (Ok(one), Ok(two)) if one == two)
    }
}

fn unlisted(value: Value) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 => list.pop().map(unlisted).unwrap_or_default(),
        Value::Array(list) => list.into_iter().map(unlisted).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, unlisted(value))).collect())
        }
        plain => plain,
    }
}
