//! What kind of S3 request it is, of which bucket, and which part of a hushfs volume it touches.

use crate::message::RequestHead;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub bucket: String,
    pub kind: &'static str,
    /// `log`, `tree` or `data` of a hushfs volume; empty for everything else.
    pub area: &'static str,
}

/// Sorts a request into its group. Buckets are addressed in the path.
pub fn group(head: &RequestHead) -> Group {
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Group { bucket: bucket.to_owned(), kind: kind(head, key, query), area: area(key) }
}

fn kind(head: &RequestHead, key: &str, query: &str) -> &'static str {
    let asks = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    match (head.method.as_str(), key.is_empty()) {
        ("PUT", false) if head.copies => "copy",
        ("PUT", false) if asks("partNumber") => "put-part",
        ("PUT", false) => "put",
        ("POST", false) if asks("uploads") => "multipart-create",
        ("POST", false) if asks("uploadId") => "multipart-complete",
        ("POST", true) if asks("delete") => "delete-many",
        ("GET", false) => "get",
        ("GET", true) if asks("list-type") || asks("prefix") || asks("delimiter") => "list",
        ("HEAD", _) => "head",
        ("DELETE", false) => "delete",
        _ => "other",
    }
}

fn area(key: &str) -> &'static str {
    let known = |part: &str| ["log", "tree", "data"].into_iter().find(|area| *area == part);
    key.split('/').take(2).find_map(known).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Body;

    fn group_of(method: &str, target: &str) -> (String, &'static str, &'static str) {
        let head = RequestHead {
            method: method.into(),
            target: target.into(),
            copies: false,
            body: Body::Length(0),
        };
        let group = group(&head);
        (group.bucket, group.kind, group.area)
    }

    #[test]
    fn requests_are_sorted_by_method_key_and_query() {
        assert_eq!(group_of("PUT", "/b/v/log/00ff?x-id=PutObject"), ("b".into(), "put", "log"));
        assert_eq!(group_of("PUT", "/b/k?partNumber=1&uploadId=2").1, "put-part");
        assert_eq!(group_of("GET", "/b/?list-type=2&prefix=v%2F").1, "list");
        assert_eq!(group_of("GET", "/b/data/1/ab/id"), ("b".into(), "get", "data"));
        assert_eq!(group_of("POST", "/b/?delete").1, "delete-many");
        assert_eq!(group_of("GET", "/b?encryption").1, "other");
    }
}
