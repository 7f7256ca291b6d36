//! What a server answers when it is the KMS key that is the trouble: one table of what the caller can do about it, and
//! what to tell the user.

use crate::object::error::ErrorKind;

const MISSING: &str = "the KMS key is not there: mistyped, deleted, or of another account or region; name one of the \
                       bucket's region by its ARN: --sse kms:KEY-ARN";
const DISABLED: &str = "the KMS key is disabled: enable it, or name another with --sse kms:KEY-ARN";
const STATE: &str = "the KMS key cannot be used as it is, for one because it is about to be deleted: look with `aws \
                     kms describe-key`, cancel the deletion, or name another key with --sse kms:KEY-ARN";
const SORT: &str = "the KMS key is of another sort: it takes a symmetric key for ENCRYPT_DECRYPT";
const REFUSED: &str = "it is the KMS key that these credentials may not use, or that is not there: writing takes \
                       kms:GenerateDataKey and reading kms:Decrypt, in the key's policy or the credentials'";

/// Codes of AWS's KMS, which S3 passes on with this before them (KMS API reference, "GenerateDataKey" and "Decrypt").
const OF_KMS: &str = "KMS.";
const CODES: [(&str, ErrorKind, Option<&str>); 11] = [
    ("NotFoundException", ErrorKind::Encryption, Some(MISSING)),
    ("InvalidArnException", ErrorKind::Encryption, Some(MISSING)),
    ("DisabledException", ErrorKind::Encryption, Some(DISABLED)),
    ("KMSInvalidStateException", ErrorKind::Encryption, Some(STATE)),
    ("InvalidKeyUsageException", ErrorKind::Encryption, Some(SORT)),
    ("AccessDenied", ErrorKind::Denied, Some(REFUSED)),
    ("AccessDeniedException", ErrorKind::Denied, Some(REFUSED)),
    ("KeyUnavailableException", ErrorKind::Transient, Some(STATE)),
    ("ThrottlingException", ErrorKind::Transient, None),
    ("KMSInternalException", ErrorKind::Transient, None),
    ("DependencyTimeoutException", ErrorKind::Transient, None),
];

/// The KMS key that the server was to use cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KmsTrouble {
    pub kind: ErrorKind,
    pub advice: Option<&'static str>,
}

impl KmsTrouble {
    /// What a reply with this S3 error code, HTTP status and message says of the key; `None` for all that is not about it.
    pub fn of(code: Option<&str>, status: u16, message: Option<&str>) -> Option<Self> {
        let code = code?;
        if let Some(name) = code.strip_prefix(OF_KMS) {
            let known = CODES.iter().find(|(known, ..)| *known == name);
            let (kind, advice) = match known {
                Some((_, kind, advice)) => (*kind, *advice),
                None if status < 500 => (ErrorKind::Encryption, None),
                None => (ErrorKind::Transient, None),
            };
            return Some(Self { kind, advice });
        }
        // What the credentials may not do with a key is S3's own code, with the action in the message. Ceph has this
        // code for a key that it does not find.
        let kind = match code {
            "AccessDenied" => ErrorKind::Denied,
            "InvalidAccessKeyId" => ErrorKind::Encryption,
            _ => return None,
        };
        let names_a_key = |message: &str| message.contains("kms:") || message.contains("kms-keyid");
        message.is_some_and(names_a_key).then_some(Self { kind, advice: Some(REFUSED) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kms_key_that_cannot_be_used_is_named_as_the_trouble_with_what_to_do() {
        use ErrorKind::{Denied, Encryption, Transient};
        for (code, status, message, kind, says) in [
            ("KMS.NotFoundException", 400, "Key 'arn:…' does not exist", Encryption, "not there"),
            ("KMS.NotFoundException", 400, "Invalid arn us-west-2", Encryption, "another account or region"),
            ("KMS.InvalidArnException", 400, "", Encryption, "not there"),
            ("KMS.DisabledException", 400, "arn:… is disabled.", Encryption, "enable it"),
            (
                "KMS.KMSInvalidStateException",
                400,
                "arn:… is pending deletion.",
                Encryption,
                "cancel the deletion",
            ),
            ("KMS.InvalidKeyUsageException", 400, "", Encryption, "symmetric"),
            ("KMS.KeyUnavailableException", 500, "", Transient, "describe-key"),
            ("KMS.AccessDeniedException", 400, "", Denied, "may not use"),
            (
                "AccessDenied",
                403,
                "User: x is not authorized to perform: kms:GenerateDataKey",
                Denied,
                "key's policy",
            ),
            (
                "InvalidAccessKeyId",
                403,
                "Failed to retrieve the actual key, kms-keyid: x",
                Encryption,
                "may not use",
            ),
        ] {
            let trouble = KmsTrouble::of(Some(code), status, Some(message)).unwrap();
            assert_eq!(trouble.kind, kind, "{code}");
            assert!(trouble.advice.unwrap().contains(says), "{code} {message}: {trouble:?}");
        }
    }

    #[test]
    fn codes_that_kms_may_add_are_told_by_the_status() {
        let kind = |status| KmsTrouble::of(Some("KMS.NewException"), status, None).unwrap();
        assert_eq!(kind(400), KmsTrouble { kind: ErrorKind::Encryption, advice: None });
        assert_eq!(kind(503), KmsTrouble { kind: ErrorKind::Transient, advice: None });
    }

    #[test]
    fn what_only_has_kms_in_a_name_is_not_about_a_key() {
        for (code, message) in [
            (Some("AccessDenied"), "Access Denied"),
            (
                Some("AccessDenied"),
                "not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::kms/x\"",
            ),
            (Some("InvalidAccessKeyId"), "The AWS Access Key Id you provided does not exist in our records."),
            (Some("SlowDown"), "kms:"),
            (None, "kms:"),
        ] {
            assert_eq!(KmsTrouble::of(code, 403, Some(message)), None, "{code:?} {message}");
        }
    }
}
