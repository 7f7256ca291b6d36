//! The document around the statements: read with bounds, written with everything that is not ours as it came.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::statement::Statement;
use super::{MAX_POLICY_LEN, PolicyError};

/// The version of the policy language that a new document names (IAM reference, "Version").
const LANGUAGE: &str = "2012-10-17";
const STATEMENT: &str = "Statement";
/// The longest policy that is read at all: servers other than AWS have limits of their own.
const MAX_READ_LEN: usize = 16 * MAX_POLICY_LEN;

/// A bucket policy with everybody's statements.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    /// All fields in their order; `None` stands where the statements are.
    fields: Vec<(String, Option<Box<RawValue>>)>,
    statements: Vec<Statement>,
}

impl PolicyDocument {
    /// Reads what a server sent.
    ///
    /// # Errors
    /// What is too long, no JSON object, or ambiguous.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_READ_LEN {
            return Err(PolicyError::Oversized(text.len()));
        }
        let Fields(fields) = serde_json::from_str(text).map_err(PolicyError::Malformed)?;
        let mut document = Self { fields: Vec::new(), statements: Vec::new() };
        for (name, raw) in fields {
            if name == STATEMENT {
                document.statements = statements(raw).map_err(PolicyError::Malformed)?;
                document.fields.push((name, None));
            } else {
                document.fields.push((name, Some(raw)));
            }
        }
        Ok(document)
    }

    /// A policy of `statements` alone.
    ///
    /// # Errors
    /// None that can be met.
    pub fn new(statements: Vec<Statement>) -> Result<Self, PolicyError> {
        let version = to_raw_value(LANGUAGE).map_err(PolicyError::Malformed)?;
        let fields = vec![("Version".to_owned(), Some(version)), (STATEMENT.to_owned(), None)];
        Ok(Self { fields, statements })
    }

    /// The same document with other statements.
    pub(super) fn with_statements(&self, statements: Vec<Statement>) -> Self {
        let mut fields = self.fields.clone();
        if !fields.iter().any(|(_, raw)| raw.is_none()) {
            fields.push((STATEMENT.to_owned(), None));
        }
        Self { fields, statements }
    }

    /// Everybody's statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What is sent: as short as it can be without touching what is others'.
    ///
    /// # Errors
    /// Longer than S3 takes.
    pub fn to_wire(&self) -> Result<String, PolicyError> {
        self.to_wire_after("")
    }

    /// The same in the place of the policy `before`. Other servers take longer ones than S3, and there what makes one
    /// shorter is taken too.
    ///
    /// # Errors
    /// Longer than S3 takes, and than before.
    pub fn to_wire_after(&self, before: &str) -> Result<String, PolicyError> {
        let text = self.text()?;
        if text.len() > MAX_POLICY_LEN.max(before.len()) {
            return Err(PolicyError::TooLong(text.len()));
        }
        Ok(text)
    }

    /// For people: indented, fields in their order.
    ///
    /// # Errors
    /// What only a parser without bounds would read.
    pub fn pretty(&self) -> Result<String, PolicyError> {
        serde_json::to_string_pretty(&self.value()?).map_err(PolicyError::Malformed)
    }

    /// For whoever looks into everybody's statements.
    ///
    /// # Errors
    /// As [`Self::pretty`].
    pub fn value(&self) -> Result<serde_json::Value, PolicyError> {
        serde_json::from_str(&self.text()?).map_err(PolicyError::Malformed)
    }

    fn text(&self) -> Result<String, PolicyError> {
        serde_json::to_string(self).map_err(PolicyError::Malformed)
    }
}

impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, raw) in &self.fields {
            match raw {
                Some(raw) => map.serialize_entry(name, raw)?,
                None => {
                    let all: Vec<&RawValue> = self.statements.iter().map(Statement::raw).collect();
                    map.serialize_entry(name, &all)?;
                }
            }
        }
        map.end()
    }
}

/// One statement, or a list of them.
fn statements(raw: Box<RawValue>) -> Result<Vec<Statement>, serde_json::Error> {
    if raw.get().trim_start().starts_with('[') {
        let list: Vec<Box<RawValue>> = serde_json::from_str(raw.get())?;
        return list.into_iter().map(Statement::parse).collect();
    }
    Ok(vec![Statement::parse(raw)?])
}

/// The fields of a JSON object, in order, each once.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields: Vec<(String, Box<RawValue>)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("the field {name:?} stands there twice")));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}
