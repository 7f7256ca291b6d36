//! The command line as a whole; each command's own arguments stand in its file.

use clap::{Parser, Subcommand};

use super::exit::EXIT_CODES_HELP;
use super::{bucket, fsck, gc, init, kept, key, mount, quota, status, sync, unmount};

const EXAMPLES: &str = "\
Two commands to begin with:
  hushfs init  file:///srv/bucket
  hushfs mount file:///srv/bucket ~/sealed

The same with an S3 bucket:
  hushfs init  s3://my-bucket/home --region eu-central-1
  hushfs mount s3://my-bucket/home ~/sealed --region eu-central-1

In /etc/fstab (one line):
  s3://my-bucket/home /srv/home fuse.hushfs _netdev,allow_other,key-file=/etc/hushfs/home.key 0 0";

/// An encrypted filesystem on object storage: a bucket as a directory.
///
/// Everything that leaves this machine is sealed first: contents, names, sizes, times and the shape of
/// the tree. BUCKET is s3://bucket[/prefix] or file:///folder.
#[derive(Debug, Parser)]
#[command(name = "hushfs", version, max_term_width = 100)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES_HELP}"))]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::InitArgs),
    Mount(Box<mount::MountArgs>),
    #[command(visible_alias = "umount")]
    Unmount(unmount::UnmountArgs),
    Sync(sync::SyncArgs),
    Status(status::StatusArgs),
    Fsck(fsck::FsckArgs),
    Gc(gc::GcArgs),
    Quota(quota::QuotaArgs),
    Key(key::KeyArgs),
    Bucket(bucket::BucketArgs),
    Unlock(Box<kept::UnlockCommandArgs>),
    Lock(kept::LockArgs),
    /// The background half of `mount`: takes its orders from standard input.
    #[command(hide = true, name = mount::background::COMMAND)]
    MountInBackground {
        bucket: String,
        mountpoint: std::path::PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        for command in Cli::command().get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            let help = command.render_long_help().to_string();
            let example = format!("  hushfs {} ", command.get_name());
            assert!(help.contains("Example") && help.contains(&example), "{}:\n{help}", command.get_name());
        }
    }

    #[test]
    fn no_argument_takes_a_secret_itself() {
        fn look_into(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!["passphrase", "password", "key", "secret"].contains(&name), "--{name}");
            }
            command.get_subcommands().for_each(look_into);
        }
        look_into(&Cli::command());
    }

    #[test]
    fn help_documents_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for exit in super::super::exit::Exit::ALL {
            assert!(help.contains(exit.meaning()), "{exit:?} is missing");
        }
    }
}
