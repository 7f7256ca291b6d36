//! Who uses a filesystem: processes with a working directory, a root, a program or an open file in it.
//!
//! /proc is only asked for the targets of its links, never for the files themselves: those might be ours to answer
//! for. An ordinary user sees processes of their own.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// So many are named in a message.
const NAMED: usize = 3;

/// Processes, each as its name and number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(Vec<String>);

impl Users {
    /// Nobody, as far as this process can see.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a program that cannot be seen from here");
        }
        f.write_str(&self.0[..self.0.len().min(NAMED)].join(", "))?;
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// Who uses what is shown at `places`, this process aside.
pub fn of(places: &[PathBuf]) -> Users {
    matching(|process| uses(process, places))
}

/// Who has the filesystem `device` (as in `/proc/PID/mountinfo`) in the tree of folders that they see, this process
/// aside.
pub fn seeing(device: &str) -> Users {
    let field = format!(" {device} ");
    matching(|process| {
        fs::read(process.join("mountinfo"))
            .is_ok_and(|table| table.windows(field.len()).any(|window| window == field.as_bytes()))
    })
}

/// Processes come and go while one looks; those that cannot be looked into are somebody else's.
fn matching(matches: impl Fn(&Path) -> bool) -> Users {
    let Ok(processes) = fs::read_dir("/proc") else { return Users::default() };
    let mut users = Vec::new();
    for process in processes.flatten() {
        let number = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(number) = number.filter(|number| *number != std::process::id()) else { continue };
        if matches(&process.path()) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            users.push(format!("{} (process {number})", name.trim_end()));
        }
    }
    Users(users)
}

fn uses(process: &Path, places: &[PathBuf]) -> bool {
    let below = |link: &Path| {
        fs::read_link(link).is_ok_and(|target| places.iter().any(|place| target.starts_with(place)))
    };
    if ["cwd", "root", "exe"].iter().any(|link| below(&process.join(link))) {
        return true;
    }
    let Ok(mut files) = fs::read_dir(process.join("fd")) else { return false };
    files.any(|file| file.is_ok_and(|file| below(&file.path())))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_found_by_its_working_directory_and_by_its_open_files() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        assert!(of(std::slice::from_ref(&place)).is_empty());
        let file = fs::File::create(place.join("file")).unwrap();
        let within = |command: &mut Command| {
            let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
            let named = format!("cat (process {})", child.id());
            // It is seen once it has become cat.
            let found = (0..1000).any(|_| {
                std::thread::yield_now();
                of(std::slice::from_ref(&place)).to_string() == named
            });
            drop(child.stdin.take());
            child.wait().unwrap();
            assert!(found, "{named}");
        };
        within(Command::new("cat").current_dir(&place).stdout(Stdio::null()));
        within(Command::new("cat").stdout(file));
        assert!(of(&[place]).is_empty());
    }

    #[test]
    fn a_crowd_is_counted() {
        let users = Users((1..=4).map(|number| format!("cat (process {number})")).collect());
        assert_eq!(users.to_string(), "cat (process 1), cat (process 2), cat (process 3) (and 1 more)");
    }
}
