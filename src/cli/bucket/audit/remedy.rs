//! Remedies as commands that can be typed as they stand: with everything that the audit itself was told about the
//! server, and quoted for a shell.

use std::borrow::Cow;

use crate::cli::bucket_args::S3Args;
use crate::object::{ServerEncryption, TlsMin};

/// A word for a shell. What holds a NUL can be no argument of a command at all; it is left empty.
pub fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or(Cow::Borrowed("''"))
}

/// The options of hushfs that choose `kind`.
pub fn choosing(kind: &ServerEncryption) -> String {
    let mut words = format!("--sse {}", quoted(&kind.to_string()));
    for (name, value) in kind.context().iter().flat_map(|context| context.pairs()) {
        words.push_str(&format!(" --sse-context {}", quoted(&format!("{name}={value}"))));
    }
    if let ServerEncryption::Kms { bucket_key: true, .. } = kind {
        words.push_str(" --bucket-key");
    }
    words
}

/// Adds to the commands in `remedy` how the server was reached, as far as options said so.
pub fn reaching(remedy: &str, s3: &S3Args) -> String {
    let mut both = String::new();
    let mut option = |name: &str, value: Option<Cow<'_, str>>| {
        if let Some(value) = value {
            both.push_str(&format!(" {name} {}", quoted(&value)));
        }
    };
    option("--endpoint-url", s3.endpoint_url.as_deref().map(Cow::from));
    option("--region", s3.region.as_deref().map(Cow::from));
    option("--profile", s3.profile.as_deref().map(Cow::from));
    option("--ca-bundle", s3.ca_bundle.as_ref().map(|file| file.to_string_lossy()));
    let mut ours = both.clone();
    if s3.path_style {
        ours.push_str(" --path-style");
    }
    if s3.tls_min != TlsMin::default() {
        ours.push_str(&format!(" --tls-min {}", s3.tls_min));
    }
    let remedy = remedy.replace("aws s3", &format!("aws{both} s3"));
    if !remedy.starts_with("hushfs ") && !remedy.contains(": hushfs ") {
        return remedy;
    }
    match remedy.split_once(" && ") {
        Some((first, then)) => format!("{first}{ours} && {then}"),
        None => remedy + &ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_to_the_server_that_was_audited() {
        let s3 = S3Args {
            endpoint_url: Some("https://s3.example:9000".into()),
            ca_bundle: Some("/etc/my ca.pem".into()),
            path_style: true,
            ..S3Args::default()
        };
        assert_eq!(
            reaching("hushfs gc s3://b/v", &s3),
            "hushfs gc s3://b/v --endpoint-url https://s3.example:9000 --ca-bundle '/etc/my ca.pem' --path-style"
        );
        assert_eq!(
            reaching("aws s3api x | aws s3 rm y", &s3)
                .matches("aws --endpoint-url https://s3.example:9000")
                .count(),
            2
        );
        let both = reaching("hushfs fsck s3://b && aws s3 rm y", &s3);
        assert!(both.contains("--path-style && aws --endpoint-url"), "{both}");
        assert_eq!(reaching("try again", &s3), "try again");
        assert_eq!(reaching("hushfs gc s3://b", &S3Args::default()), "hushfs gc s3://b");
    }

    #[test]
    fn words_of_others_stay_one_word() {
        for (word, shown) in [
            ("s3://b/v", "s3://b/v"),
            ("a b", "'a b'"),
            ("it's", r#""it's""#),
            ("", "''"),
            ("$(x)", "'$(x)'"),
            ("a\0b", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
        for word in ["a b", "it's", "`$(x)\"\\!'^~", "\u{202e}ü\n"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]));
        }
    }

    #[test]
    fn a_kind_is_chosen_with_all_that_belongs_to_it() {
        let context = crate::object::EncryptionContext::parse(["team=a b"]).unwrap();
        let kind = ServerEncryption::new("kms:k", context, true).unwrap();
        assert_eq!(choosing(&kind), "--sse kms:k --sse-context 'team=a b' --bucket-key");
        assert_eq!(choosing(&ServerEncryption::S3), "--sse s3");
    }
}
