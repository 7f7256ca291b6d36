//! Listings that are believed only as far as they hold together.
//!
//! Recovery and gc follow listings page by page. A store (or a decorator of one) that repeats keys, goes backwards or
//! answers for another prefix would lead them in circles, so every page is checked against what was asked.

use super::bucket::{Bucket, Page};
use super::error::{BucketError, BucketResult, ErrorKind};

/// One page, as [`Bucket::list`] gives it.
///
/// # Errors
/// Those of the bucket; `Corrupt` when keys do not ascend from `after`, do not start with `prefix`, are more than
/// `limit`, or when more is promised but the page, being empty, does not say where.
pub async fn list_page(
    bucket: &dyn Bucket,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> BucketResult<Page> {
    let page = bucket.list(prefix, after, limit).await?;
    let corrupt = |why: String| Err(BucketError::new(ErrorKind::Corrupt, "list", prefix, why));
    if page.objects.len() > limit {
        return corrupt(format!("{} keys were listed, at most {limit} were asked for", page.objects.len()));
    }
    let mut previous = after;
    for object in &page.objects {
        if !object.key.starts_with(prefix) {
            return corrupt(format!("{:?} does not belong into the list", object.key));
        }
        if previous.is_some_and(|previous| object.key.as_str() <= previous) {
            return corrupt(format!("{:?} is listed out of order", object.key));
        }
        previous = Some(&object.key);
    }
    if page.more && page.objects.is_empty() {
        return corrupt("an empty page says that more follows, but not how to go on".into());
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::Timestamp;
    use crate::object::bucket::Listed;
    use crate::object::{Liar, MemoryBucket};

    fn page(keys: &[&str], more: bool) -> Page {
        let listed = |key: &&str| Listed { key: (*key).into(), len: 1, modified: Timestamp::default() };
        Page { objects: keys.iter().map(listed).collect(), more }
    }

    #[tokio::test]
    async fn a_page_that_contradicts_the_question_is_refused() {
        let liar = Liar::new(Arc::new(MemoryBucket::new()));
        for (what, keys, more) in [
            ("another prefix", &["log/2", "tree/1"][..], false),
            ("descending", &["log/3", "log/2"], true),
            ("repeated", &["log/2", "log/2"], false),
            ("not after the cursor", &["log/1"], true),
            ("too many", &["log/2", "log/3", "log/4"], false),
            ("empty with more", &[], true),
        ] {
            let answer = page(keys, more);
            liar.on_list(move |_, _| Ok(answer.clone()));
            let refused = list_page(&liar, "log/", Some("log/1"), 2).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Corrupt, "{what}");
        }
        liar.on_list(|_, _| Ok(page(&["log/2", "log/2/\u{1b}[2J"], true)));
        assert_eq!(list_page(&liar, "log/", Some("log/1"), 2).await.unwrap().objects.len(), 2);
    }
}
