//! What users write where a bucket is meant: `s3://bucket[/prefix]` or `file:///folder`.
//!
//! The text is taken literally: there is no percent-decoding, so that every name has one spelling.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::key::check_key;

/// Where a volume lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A bucket of an S3 server; `prefix` is empty or a key without leading and trailing slash.
    S3 { bucket: String, prefix: String },
    /// A folder of this machine; the path is absolute.
    Folder(PathBuf),
}

/// Why a text names no bucket; the message says how to write it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} names no bucket: {why}")]
pub struct LocationError {
    text: String,
    why: String,
}

impl Location {
    /// Parses `s3://bucket[/prefix]` or `file:///folder`.
    ///
    /// # Errors
    /// Says what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let parsed = match text.split_once("://") {
            Some(("s3", rest)) => parse_s3(rest),
            Some(("file", rest)) => parse_folder(rest),
            // Whatever was typed goes to a terminal: no control characters as they are.
            Some((scheme, _)) => Err(format!(
                "{}:// is not known; write s3://bucket/prefix or file:///folder",
                scheme.escape_debug()
            )),
            None if text.starts_with('/') => {
                Err(format!("a folder is written file://{}", text.escape_debug()))
            }
            None => Err("write s3://bucket/prefix or file:///folder".to_owned()),
        };
        parsed.map_err(|why| LocationError { text: text.to_owned(), why })
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Folder(path) => write!(f, "file://{}", path.display()),
        }
    }
}

fn parse_s3(rest: &str) -> Result<Location, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err("the bucket's name is missing after s3://".to_owned());
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !bucket.chars().all(known) {
        return Err(format!(
            "{bucket:?} cannot be a bucket's name (letters, digits, dots, hyphens; 3 to 63 of them)"
        ));
    }
    if !(3..=63).contains(&bucket.len()) || bucket.starts_with('.') {
        return Err(format!(
            "a bucket's name has 3 to 63 characters and no leading dot, {bucket:?} does not"
        ));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty()
        && let Err(error) = check_key("open", prefix)
    {
        return Err(format!("the prefix {prefix:?} cannot be used: {}", error.source));
    }
    Ok(Location::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn parse_folder(rest: &str) -> Result<Location, String> {
    if !rest.starts_with('/') {
        return Err("the folder needs an absolute path: file:// and then /the/folder, three slashes in all"
            .to_owned());
    }
    if rest.contains('\0') {
        return Err("a path has no NUL byte".to_owned());
    }
    // Normalises repeated and trailing slashes, so that one folder has one name in messages and caches.
    let path: PathBuf = Path::new(rest).components().collect();
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err("the path may not contain `..`".to_owned());
    }
    if path == Path::new("/") {
        return Err("the root of the filesystem cannot be a bucket".to_owned());
    }
    Ok(Location::Folder(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_shown_as_they_are_written() {
        for text in ["s3://bucket", "s3://my.bucket-1/some/prefix", "file:///srv/my bucket%20"] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Location::parse("s3://bucket/").unwrap().to_string(), "s3://bucket");
        assert_eq!(Location::parse("file:///srv//b/").unwrap().to_string(), "file:///srv/b");
    }

    /// Found by the fuzzer.
    #[test]
    fn a_refusal_brings_no_control_characters_to_the_terminal() {
        for text in ["fi\r\0s3://+", "/srv/\x1b[2J", "s3://b\x07b", "file:///\x1b/.."] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for (text, advice) in [
            ("", "s3://bucket/prefix or file:///folder"),
            ("bucket", "s3://bucket/prefix or file:///folder"),
            ("/srv/b", "file:///srv/b"),
            ("gs://bucket", "gs:// is not known"),
            ("S3://bucket", "S3:// is not known"),
            ("s3://", "name is missing"),
            ("s3:///prefix", "name is missing"),
            ("s3://ab", "3 to 63"),
            ("s3://user:secret@bucket", "cannot be a bucket's name"),
            ("s3://bucket/../other", "`..`"),
            ("s3://bucket//x", "empty part"),
            ("file://host/share", "three slashes"),
            ("file://", "three slashes"),
            ("file:///", "root of the filesystem"),
            ("file:///srv/../etc", "`..`"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(advice), "{text:?}: {error}");
        }
    }
}
