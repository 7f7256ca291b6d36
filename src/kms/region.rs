//! The region that a key's ARN names.

/// The region of `key` if it is an ARN (`arn:aws:kms:REGION:ACCOUNT:key/ID`). The ARN may come from a bucket,
/// and the region becomes part of a host name, so anything but letters, digits and hyphens is no region.
pub(super) fn region_of(key: &str) -> Option<&str> {
    let mut parts = key.split(':');
    let (arn, _partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fine = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let is_region = (4..=32).contains(&region.len()) && region.bytes().all(fine);
    (arn == "arn" && service == "kms" && is_region).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_arn_of_kms_names_a_region() {
        assert_eq!(region_of("arn:aws:kms:eu-central-1:111122223333:key/1234"), Some("eu-central-1"));
        assert_eq!(region_of("arn:aws-cn:kms:cn-north-1:111122223333:alias/a"), Some("cn-north-1"));
        for key in [
            "alias/mine",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:s3:eu-central-1:1:key/1",
            "arn:aws:kms:evil.example/:1:key/1",
            "arn:aws:kms::1:key/1",
            "arn:aws:kms",
        ] {
            assert_eq!(region_of(key), None, "{key}");
        }
    }
}
