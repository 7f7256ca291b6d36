//! Where log lines go: standard error, which is the log file for a mount in the background.

use std::io::Write;

use env_logger::{Builder, Env};

use super::fold::Fold;
use super::report::tame;
use crate::base::{Clock, SystemClock};
use crate::fuse;

/// Starts logging; `default` holds where `RUST_LOG` says nothing ("warn", "hushfs=info,warn", …).
pub fn start(default: &str) {
    // A second call (tests) changes nothing and is no error.
    let fold = Fold::default();
    let mut builder = Builder::from_env(Env::default().default_filter_or(default));
    // One line for each record, whatever a server or a file's name would like to put into the log.
    builder.format(move |line, record| {
        if fuse::says_unawaited(record) {
            return Ok(());
        }
        let text = record.args().to_string();
        if record.level() > log::Level::Warn {
            return writeln!(line, "[{} {:<5}] {}", line.timestamp(), record.level(), tame(&text, false));
        }
        let Some(again) = fold.note(&text, SystemClock.boot()) else { return Ok(()) };
        let text = tame(&text, false);
        writeln!(line, "[{} {:<5}] {text}{again}", line.timestamp(), record.level())
    });
    if let Err(error) = builder.try_init() {
        log::debug!("logging runs already: {error}");
    }
}

/// For commands at a terminal: what is wrong. Requests that fail are part of the final message anyway.
pub const COMMAND: &str = "warn,hushfs::object=error,aws_config=error,aws_smithy_runtime=error";
/// For a mount: its life in outline.
pub const MOUNT: &str = "hushfs=info,warn,aws_config=error,aws_smithy_runtime=error";
