//! One line of an audit: a check, its verdict, what was found, what to do.

use std::fmt;

use serde::Serialize;

use super::findings::Known;
use super::remedy::Remedy;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Ok,
    /// Could be better.
    Warn,
    /// Must not stay so.
    Fail,
    /// Nobody can tell; the finding has the reason.
    Unknown,
    /// A folder has nothing of the kind.
    NotApplicable,
}

/// A line of the table. The names of the checks are part of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub check: &'static str,
    pub verdict: Verdict,
    pub finding: String,
    pub remedy: Remedy,
}

impl Row {
    /// Nothing to do.
    pub fn ok(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, finding: finding.into(), remedy: Remedy::none() }
    }

    /// Could be better.
    pub fn warn(check: &'static str, finding: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { check, verdict: Verdict::Warn, finding: finding.into(), remedy: remedy.into() }
    }

    /// Must not stay so.
    pub fn fail(check: &'static str, finding: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, finding, remedy) }
    }

    /// Nobody can tell.
    pub fn unknown(check: &'static str, finding: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { verdict: Verdict::Unknown, ..Self::warn(check, finding, remedy) }
    }

    /// Judges an answer, where there is one.
    pub fn judge<T>(check: &'static str, known: &Known<T>, judge: impl FnOnce(&T) -> Self) -> Self {
        match known {
            Known::Is(value) => judge(value),
            Known::Denied(permission) => {
                Self::unknown(check, "not permitted to look", format!("allow {permission}"))
            }
            Known::Unsupported(words) => {
                Self::unknown(check, format!("the server does not say: {words}"), Remedy::none())
            }
            Known::Failed(words) => Self::unknown(check, format!("no answer: {words}"), "try again"),
            Known::NoServer => Self {
                check,
                verdict: Verdict::NotApplicable,
                finding: "a folder has none".into(),
                remedy: Remedy::none(),
            },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Unknown => "unknown",
            Self::NotApplicable => "n/a",
        })
    }
}
