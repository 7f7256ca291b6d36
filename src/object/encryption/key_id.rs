//! Whether two names of a KMS key mean the same one.
//!
//! Users write an id, an ARN or an alias; AWS answers with the key's ARN, other servers repeat what was sent
//! (KMS API reference, "KeyId").

/// Whether the key that a server names can be the one that was asked for. An alias says nothing about the
/// key behind it: only its being a key at all can be checked.
pub(super) fn may_be_same(asked: &str, said: &str) -> bool {
    if asked == said {
        return true;
    }
    if said.is_empty() {
        return false;
    }
    if is_alias(asked) {
        return !is_alias(said);
    }
    match (asked.starts_with("arn:"), said.starts_with("arn:")) {
        (true, true) => false,
        (true, false) => last_part(asked) == said,
        (false, true) => last_part(said) == asked,
        (false, false) => false,
    }
}

fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || (key.starts_with("arn:") && key.contains(":alias/"))
}

/// What follows `:key/` in an ARN.
fn last_part(arn: &str) -> &str {
    arn.rsplit_once(":key/").map_or("", |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab";

    #[test]
    fn an_id_an_arn_and_an_alias_can_mean_one_key() {
        for (asked, said) in [
            ("1234abcd-12ab", "1234abcd-12ab"),
            ("1234abcd-12ab", ARN),
            (ARN, ARN),
            (ARN, "1234abcd-12ab"),
            ("alias/hushfs", ARN),
            ("arn:aws:kms:eu-central-1:111122223333:alias/hushfs", ARN),
            ("alias/hushfs", "alias/hushfs"),
        ] {
            assert!(may_be_same(asked, said), "{asked} {said}");
        }
    }

    #[test]
    fn another_key_is_another_key() {
        for (asked, said) in [
            ("1234abcd-12ab", "1234abcd-12ac"),
            ("12ab", ARN),
            ("key/1234abcd-12ab", ARN),
            (ARN, "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ac"),
            (ARN, "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab"),
            (ARN, "12ab"),
            ("alias/hushfs", ""),
            ("alias/hushfs", "alias/other"),
            ("1234abcd-12ab", ""),
        ] {
            assert!(!may_be_same(asked, said), "{asked} {said}");
        }
    }
}
