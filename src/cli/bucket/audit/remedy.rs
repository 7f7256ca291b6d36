//! What to do about a finding: words, and commands that can be typed as they stand, with everything that the audit itself
//! was told about the server, and quoted for a shell.

use std::borrow::Cow;

use crate::cli::bucket_args::S3Args;
use crate::object::{ServerEncryption, TlsMin};

/// Words and commands in the order in which they are shown; nothing where nothing is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remedy(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Shown as they are: they may hold names of others, and are never taken for a command.
    Words(String),
    /// The arguments of hushfs.
    Hushfs(String),
    /// Those of the AWS CLI.
    Aws(String),
}

impl Remedy {
    /// Nothing is to be done.
    pub fn none() -> Self {
        Self::default()
    }

    /// The command `hushfs ARGUMENTS`.
    pub fn hushfs(arguments: impl Into<String>) -> Self {
        Self(vec![Part::Hushfs(arguments.into())])
    }

    /// The command `aws ARGUMENTS`.
    pub fn aws(arguments: impl Into<String>) -> Self {
        Self(vec![Part::Aws(arguments.into())])
    }

    /// This, followed by `next` at once.
    pub fn with(mut self, next: impl Into<Self>) -> Self {
        self.0.extend(next.into().0);
        self
    }

    /// As text. Its commands go to the server that `s3` reaches, as far as options said so.
    pub fn reaching(&self, s3: &S3Args) -> String {
        let options = Options::of(s3);
        let each = self.0.iter().map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Hushfs(arguments) => format!("hushfs {arguments}{}{}", options.both, options.ours),
            Part::Aws(arguments) => format!("aws{} {arguments}", options.both),
        });
        each.collect()
    }
}

impl From<&str> for Remedy {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<String> for Remedy {
    fn from(words: String) -> Self {
        Self(if words.is_empty() { Vec::new() } else { vec![Part::Words(words)] })
    }
}

/// How the server was reached, as words that begin with a blank.
struct Options {
    /// Options that the AWS CLI and hushfs have in common.
    both: String,
    /// Those of hushfs alone.
    ours: String,
}

impl Options {
    fn of(s3: &S3Args) -> Self {
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
        let mut ours = String::new();
        if s3.path_style {
            ours.push_str(" --path-style");
        }
        if s3.insecure_http {
            ours.push_str(" --insecure-http");
        }
        if s3.tls_min != TlsMin::default() {
            ours.push_str(&format!(" --tls-min {}", s3.tls_min));
        }
        Self { both, ours }
    }
}

/// A word for a shell. What a terminal would obey is spelled in digits (`$'\x1b'`, POSIX.1-2024, 2.2.4). What holds a
/// NUL can be no argument of a command at all; it is left empty.
pub fn quoted(word: &str) -> Cow<'_, str> {
    if word.contains('\0') || word.chars().all(is_printable) {
        return shlex::try_quote(word).unwrap_or(Cow::Borrowed("''"));
    }
    let mut spelled = "$'".to_owned();
    for letter in word.chars() {
        match letter {
            '\'' | '\\' => spelled.extend(['\\', letter]),
            letter if is_printable(letter) => spelled.push(letter),
            letter => {
                spelled.extend(letter.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}")))
            }
        }
    }
    spelled.push('\'');
    Cow::Owned(spelled)
}

/// Whether a terminal shows a letter and does nothing else.
pub fn is_printable(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '\\') || letter.escape_debug().len() == 1
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
        let gc = Remedy::hushfs("gc s3://b/v");
        assert_eq!(
            gc.reaching(&s3),
            "hushfs gc s3://b/v --endpoint-url https://s3.example:9000 --ca-bundle '/etc/my ca.pem' --path-style"
        );
        let plain = S3Args { insecure_http: true, ..S3Args::default() };
        assert_eq!(gc.reaching(&plain), "hushfs gc s3://b/v --insecure-http");
        let all = Remedy::from("first: ").with(gc.clone()).with(" && ").with(Remedy::aws("s3 rm y"));
        assert_eq!(
            all.reaching(&s3),
            format!(
                "first: {} && aws --endpoint-url https://s3.example:9000 --ca-bundle '/etc/my ca.pem' s3 rm y",
                gc.reaching(&s3)
            )
        );
        assert_eq!(all.reaching(&S3Args::default()), "first: hushfs gc s3://b/v && aws s3 rm y");
        assert_eq!(Remedy::from(""), Remedy::none());
    }

    #[test]
    fn names_that_look_like_commands_stay_names() {
        let s3 = S3Args { region: Some("eu-west-1".into()), ..S3Args::default() };
        for name in ["'hushfs gc s3://b && aws s3 rm x'", "hushfs x", "say: hushfs y", "aws s3"] {
            let remedy = Remedy::aws(format!("s3 rm {name}"));
            assert_eq!(remedy.reaching(&s3), format!("aws --region eu-west-1 s3 rm {name}"));
            assert_eq!(Remedy::from(name).reaching(&s3), name);
        }
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
        for word in ["a b", "it's", "`$(x)\"\\!'^~"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]));
        }
    }

    #[test]
    fn a_word_that_a_terminal_would_obey_is_spelled_and_means_the_same_to_a_shell() {
        assert_eq!(quoted("a\u{1b}[2J"), r"$'a\x1b[2J'");
        for word in ["\u{202e}ü\n", "\u{9b}31m", "it's \\ \"x\" $(id)\r", "\t\u{1f600}%s"] {
            let quoted = quoted(word);
            assert!(quoted.chars().all(is_printable), "{quoted}");
            let echo = format!("printf %s {quoted}");
            let said = std::process::Command::new("bash").args(["-c", &echo]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
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
