//! The ways hushfs is called, turned into one: as a person does, as mount(8) does, with own options in
//! `-o`.
//!
//! mount(8) calls a helper for `fuse.hushfs`: `mount.fuse3`, which runs `hushfs SOURCE MOUNTPOINT -o OPTIONS`,
//! or `mount.fuse.hushfs` (a link to this program, like `mount.hushfs`) with `SOURCE MOUNTPOINT [-sfnv]
//! [-o OPTIONS] [-t TYPE]` (mount(8), "EXTERNAL HELPERS"). mount(8) leaves out what is its own default, `suid` and
//! `dev` among it, and names the opposite where it is meant; for ordinary users it always does.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, Parser};

use super::args::{Cli, Command};
use super::mount::kernel;

/// Parses the arguments of the process.
///
/// # Errors
/// A clap error that prints help, version or what is wrong.
pub fn parse(arguments: &[OsString]) -> Result<Command, clap::Error> {
    let mut arguments = match helper_call(arguments) {
        Some(link) => from_helper(arguments, link && rustix::process::geteuid().is_root()),
        None => arguments.to_vec(),
    };
    let command = Cli::try_parse_from(&arguments)?.command;
    let Command::Mount(mount) = &command else { return Ok(command) };
    let own = own_options(&mount.options)?;
    if own.is_empty() {
        return Ok(command);
    }
    // Behind `hushfs mount`, before everything else.
    arguments.splice(2..2, own);
    Ok(Cli::try_parse_from(&arguments)?.command)
}

/// A link named mount.* (true), or a source where the command's name would be (false).
fn helper_call(arguments: &[OsString]) -> Option<bool> {
    let name = arguments.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
    let starts = |text: &OsStr, with: &str| text.to_string_lossy().starts_with(with);
    let link = starts(name, "mount.");
    let source = arguments.get(1).is_some_and(|first| starts(first, "s3://") || starts(first, "file://"));
    (link || source).then_some(link)
}

/// `SOURCE MOUNTPOINT -sfnv -o OPTIONS -t TYPE` becomes `mount SOURCE MOUNTPOINT -o OPTIONS`; with `defaults`, those
/// of mount(8) stand first.
fn from_helper(arguments: &[OsString], defaults: bool) -> Vec<OsString> {
    let mut result: Vec<OsString> = vec!["hushfs".into(), "mount".into()];
    if defaults {
        result.extend(["-o".into(), "suid,dev".into()]);
    }
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("-t") => {
                rest.next();
            }
            // Sloppy, no mtab, verbose: nothing to do for a FUSE filesystem.
            Some(flags)
                if flags.len() > 1
                    && flags.starts_with('-')
                    && flags[1..].chars().all(|c| "snv".contains(c)) => {}
            _ => result.push(argument.clone()),
        }
    }
    result
}

/// hushfs's own long options among the words of `-o`, as separate arguments.
fn own_options(words: &[String]) -> Result<Vec<OsString>, clap::Error> {
    let mut cli = Cli::command();
    cli.build();
    let Some(mount) = cli.find_subcommand_mut("mount") else { return Ok(Vec::new()) };
    let mut own = Vec::new();
    for word in words {
        if kernel::knows(word) {
            continue;
        }
        if !is_long_option(mount, word) {
            // The value may be a secret that somebody mistook for an option: it is not repeated.
            let message =
                format!("-o: the option {:?} is not known, or not with this value", option_word(word));
            return Err(mount.error(clap::error::ErrorKind::InvalidValue, message));
        }
        own.push(format!("--{word}").into());
    }
    Ok(own)
}

/// The word without its value.
fn option_word(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

fn is_long_option(mount: &clap::Command, word: &str) -> bool {
    let name = option_word(word);
    mount
        .get_arguments()
        .any(|argument| argument.get_long() == Some(name) && !["help", "version"].contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::mount::MountArgs;

    fn mount(words: &[&str]) -> MountArgs {
        let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        match parse(&arguments).unwrap() {
            Command::Mount(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mount_fuse3_and_mount_8_call_us_their_way() {
        for words in [
            &["hushfs", "s3://bucket/p", "/mnt", "-o", "ro,noatime,noexec,nosuid,nodev"][..],
            &["/sbin/mount.fuse.hushfs", "s3://bucket/p", "/mnt", "-o", "ro,_netdev,user,nofail"],
            &["/sbin/mount.hushfs", "s3://bucket/p", "/mnt", "-sn", "-v", "-t", "fuse.hushfs", "-o", "ro"],
            &["hushfs", "mount", "s3://bucket/p", "/mnt", "-oro,x-systemd.automount,x-gvfs-show"],
        ] {
            let args = mount(words);
            assert_eq!(
                (args.bucket.to_string().as_str(), args.mountpoint.to_str()),
                ("s3://bucket/p", Some("/mnt"))
            );
            assert!(args.options.contains(&"ro".to_owned()));
        }
    }

    #[test]
    fn own_options_work_in_fstab() {
        let args = mount(&[
            "hushfs",
            "s3://bucket",
            "/mnt",
            "-o",
            "rw,passphrase-file=/etc/hushfs/pass,endpoint-url=http://127.0.0.1:8333,path-style,cache-size=1G",
        ]);
        assert_eq!(args.unlock.passphrase_file.as_deref(), Some(Path::new("/etc/hushfs/pass")));
        assert_eq!(args.s3.endpoint_url.as_deref(), Some("http://127.0.0.1:8333"));
        assert!(args.s3.path_style);
        assert_eq!(args.cache_size, 1 << 30);
    }

    #[test]
    fn an_unknown_option_is_refused_without_its_value() {
        let arguments: Vec<OsString> = ["hushfs", "mount", "s3://bucket", "/mnt", "-o", "passphrase=geheim"]
            .iter()
            .map(OsString::from)
            .collect();
        let error = parse(&arguments).unwrap_err().to_string();
        assert!(error.contains("\"passphrase\"") && !error.contains("geheim"), "{error}");
    }
}
