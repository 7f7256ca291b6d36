//! `hushfs key`: who can open a volume, and from what; and the epochs of its keys. One file per subcommand.
//!
//! Invariants: every change is one replacement of the `volume` object, conditional on the version that was
//! unlocked (If-Match), so that of two changes at once none is lost and a crash leaves the old slots or the
//! new ones. No secret is taken from arguments or the environment.

mod add;
mod change;
pub mod choose;
mod list;
mod new_key;
mod passwd;
mod remove;
mod rotate;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::exit::Exit;
use super::logging;

const EXAMPLES: &str = "\
Examples:
  hushfs key list   file:///srv/bucket
  hushfs key add    file:///srv/bucket --new-recovery-code
  hushfs key passwd file:///srv/bucket
  hushfs key remove file:///srv/bucket recovery-code
  hushfs key rotate file:///srv/bucket --reencrypt";

/// List and change what opens a volume
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    List(list::ListArgs),
    Add(Box<add::AddArgs>),
    Remove(remove::RemoveArgs),
    Passwd(Box<passwd::PasswdArgs>),
    Rotate(Box<rotate::RotateArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(args: &KeyArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    match &args.command {
        KeyCommand::List(args) => list::run(args),
        KeyCommand::Add(args) => add::run(args),
        KeyCommand::Remove(args) => remove::run(args),
        KeyCommand::Passwd(args) => passwd::run(args),
        KeyCommand::Rotate(args) => rotate::run(args),
    }
}
