//! The commands: arguments in, messages and exit codes out. The only layer that talks to a person.
//!
//! One file per command. What they share: [`exit`] (exit codes and the mapping of all errors to them),
//! [`unlock`] (where passphrases come from), [`opening`] (from a bucket's name to an unlocked volume),
//! [`control`] (talking to a running mount), [`mount`] (the mount's process itself).
//!
//! Invariants: secrets come from files, descriptors, commands or the terminal, never from argv or the
//! environment; standard output carries results, standard error everything else. Failure: every
//! command ends with one message (what happened, to what, what to do) and a documented exit code.

// First: its macros stand in for those of the standard library in all that follows.
#[macro_use]
mod output;

mod allocator;
mod args;
mod bucket;
mod bucket_args;
mod classify;
mod confirm;
pub mod control;
mod demanded;
mod encryption;
pub mod exit;
mod fold;
mod fsck;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gc;
mod hardening;
mod heeding;
mod init;
mod invocation;
mod kdf;
mod kept;
mod key;
mod logging;
mod maintenance;
pub mod mount;
#[cfg(feature = "null-cipher")]
mod null_cipher;
mod opening;
mod paths;
mod probing;
mod progress;
mod quota;
mod recovery_page;
mod report;
mod runtime;
mod single_writer;
mod size;
mod spot;
mod status;
mod sync;
mod turn;
pub mod unlock;
mod unlocking;
mod unmount;
mod witness;

use std::process::ExitCode;

use anyhow::Result;

use args::Command;
use exit::Exit;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    #[cfg(feature = "null-cipher")]
    if let Err(exit) = null_cipher::insist() {
        return ExitCode::from(exit.code());
    }
    if let Err(error) = allocator::settle(&arguments) {
        eprintln!("hushfs: memory use could not be tuned, going on without: {error}");
    }
    if let Err(error) = hardening::keep_memory_private() {
        eprintln!("hushfs: memory could not be protected from core dumps: {error}");
        return Exit::Failure.code().into();
    }
    let command = match invocation::parse(&arguments) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    let exit = match run(command) {
        Ok(exit) => output::settle(exit),
        Err(error) => report::failure(&error),
    };
    ExitCode::from(exit.code())
}

fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(&args),
        Command::Mount(args) => mount::run(&args),
        Command::Unmount(args) => unmount::run(&args),
        Command::Sync(args) => sync::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Gc(args) => gc::run(&args),
        Command::Quota(args) => quota::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Bucket(args) => bucket::run(&args),
        Command::Unlock(args) => kept::unlock(&args),
        Command::Lock(args) => kept::lock(&args),
        Command::MountInBackground { .. } => mount::background::serve(),
    }
}
