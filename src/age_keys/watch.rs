//! A plugin of age is a program of somebody else: it is stopped when it says nothing for long, or far too much.
//!
//! The library starts it as a child of this process and waits for its lines without any limit. So a thread looks for the
//! child in /proc (proc_pid_children(5)) while the library works, and kills it when a limit is passed: its output ends
//! then, and the library's call fails. In the end the child is reaped, which the library leaves out; until then its id
//! is taken, so that nothing else can be hit.
//!
//! Limits: [`Limits::silence`] without a word; [`Limits::talking`] after it told the user something, such as to touch a
//! key; none while the user is being asked. [`Limits::output`] bytes in all.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::conversation::Conversation;
use super::error::AgeError;
use crate::base::{Clock, SystemClock};
use crate::crypto::SecretBytes;

/// How often the child is looked at: what it writes in between is kept in memory.
const GLANCE: Duration = Duration::from_millis(20);

/// What is borne from a plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub silence: Duration,
    pub talking: Duration,
    /// In bytes; a slot's stanzas have some hundreds.
    pub output: u64,
}

impl Limits {
    pub const USUAL: Limits =
        Limits { silence: Duration::from_secs(60), talking: Duration::from_secs(300), output: 1 << 20 };
}

/// What the user and a plugin said to each other lately.
struct Talk {
    since: Duration,
    /// The plugin told the user something, and goes on when they have done it.
    told: bool,
    /// The user is being asked.
    asking: bool,
}

/// The conversation, overheard.
struct Overheard {
    inner: Arc<dyn Conversation>,
    talk: Arc<Mutex<Talk>>,
    /// Where the library works. It also says by itself that it is waiting, on a thread of its own.
    worker: ThreadId,
}

impl Overheard {
    fn asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.talk.lock().asking = true;
        let answer = ask();
        *self.talk.lock() = Talk { since: SystemClock.boot(), told: false, asking: false };
        answer
    }
}

impl Conversation for Overheard {
    fn show(&self, message: &str) {
        if thread::current().id() == self.worker {
            let mut talk = self.talk.lock();
            (talk.since, talk.told) = (SystemClock.boot(), true);
        }
        self.inner.show(message);
    }

    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.asking(|| self.inner.confirm(question, yes, no))
    }

    fn ask(&self, question: &str) -> Option<String> {
        self.asking(|| self.inner.ask(question))
    }

    fn ask_secret(&self, question: &str) -> Option<SecretBytes> {
        self.asking(|| self.inner.ask_secret(question))
    }
}

/// Does `work`, which may run plugins that talk to `conversation`, within `limits`.
///
/// # Errors
/// Those of `work`; `PluginStopped` when a limit was passed.
pub(super) fn watched<T>(
    conversation: Arc<dyn Conversation>,
    limits: Limits,
    work: impl FnOnce(Arc<dyn Conversation>) -> Result<T, AgeError>,
) -> Result<T, AgeError> {
    let talk = Arc::new(Mutex::new(Talk { since: SystemClock.boot(), told: false, asking: false }));
    let worker = thread::current().id();
    let overheard = Overheard { inner: conversation, talk: Arc::clone(&talk), worker };
    let parent = rustix::thread::gettid();
    let before = children_of(rustix::process::getpid(), parent);
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            let mut watch = Watch { parent, before, limits, talk, stopped: None };
            while ended.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                watch.glance();
            }
            watch.reap();
            watch.stopped
        });
        let outcome = work(Arc::new(overheard));
        drop(done);
        match watcher.join() {
            Ok(Some(why)) if outcome.is_err() => Err(AgeError::PluginStopped(why)),
            Ok(_) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The thread that looks on.
struct Watch {
    /// The thread that starts plugins, as the kernel counts.
    parent: Pid,
    /// What it had started already.
    before: Vec<Pid>,
    limits: Limits,
    talk: Arc<Mutex<Talk>>,
    /// Why a plugin was stopped.
    stopped: Option<String>,
}

impl Watch {
    fn glance(&mut self) {
        for plugin in self.plugins() {
            if let Some(why) = self.too_much(plugin) {
                let name = name_of(plugin);
                // A child of the plugin's may hold its output open.
                for process in with_descendants(plugin) {
                    if let Err(error) = kill_process(process, Signal::KILL) {
                        log::debug!("stopping {name}: {error}");
                    }
                }
                self.stopped.get_or_insert(format!("{name} {why}"));
            }
        }
    }

    fn too_much(&self, plugin: Pid) -> Option<String> {
        // A program that hides its counters is bounded by time alone.
        if with_descendants(plugin).into_iter().filter_map(written_by).sum::<u64>() > self.limits.output {
            return Some(format!("wrote more than {} bytes", self.limits.output));
        }
        let talk = self.talk.lock();
        let limit = if talk.told { self.limits.talking } else { self.limits.silence };
        let quiet = SystemClock.boot().saturating_sub(talk.since);
        (!talk.asking && quiet >= limit).then(|| format!("did not go on for {} seconds", limit.as_secs()))
    }

    /// The plugins, running or not: what the worker has started since.
    fn plugins(&self) -> Vec<Pid> {
        let mut children = children_of(rustix::process::getpid(), self.parent);
        children.retain(|child| !self.before.contains(child));
        children
    }

    /// Waits for nobody: what still runs has lost its input and output, and ends by itself.
    fn reap(&self) {
        for plugin in self.plugins() {
            if let Err(error) = waitpid(Some(plugin), WaitOptions::NOHANG) {
                log::debug!("reaping {plugin}: {error}");
            }
        }
    }
}

/// What a plugin is called, as far as its command line says so.
fn name_of(plugin: Pid) -> String {
    let line = fs::read(format!("/proc/{plugin}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    // Of a script it is the word after the interpreter.
    let name = line
        .split('\0')
        .filter_map(|word| word.rsplit('/').next())
        .find(|word| word.starts_with("age-plugin-"));
    name.unwrap_or("the plugin").to_owned()
}

/// The children that a thread of a process has started.
fn children_of(process: Pid, thread: Pid) -> Vec<Pid> {
    // One that has just ended has none.
    let listed = fs::read_to_string(format!("/proc/{process}/task/{thread}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}

/// A process and what it has started, as far as those who started it still run.
fn with_descendants(process: Pid) -> Vec<Pid> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(process) = all.get(at).copied() {
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let threads = threads.filter_map(|thread| Pid::from_raw(thread.file_name().to_str()?.parse().ok()?));
        all.extend(threads.flat_map(|thread| children_of(process, thread)));
        at += 1;
    }
    all
}

/// Bytes that a process has written so far, to whatever (proc_pid_io(5)).
fn written_by(process: Pid) -> Option<u64> {
    let counters = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    counters.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    struct Patient;

    impl Conversation for Patient {
        fn show(&self, _: &str) {}
        fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
            None
        }
        fn ask(&self, _: &str) -> Option<String> {
            thread::park_timeout(Duration::from_millis(300));
            Some("answer".to_owned())
        }
        fn ask_secret(&self, _: &str) -> Option<SecretBytes> {
            None
        }
    }

    const SHORT: Limits =
        Limits { silence: Duration::from_millis(150), talking: Duration::from_secs(120), output: 1 << 16 };

    /// Runs a plugin as the library does: starts it, asks the user for each line it prints, reads to its end and leaves
    /// it unreaped.
    #[expect(clippy::zombie_processes, reason = "whoever watches reaps it")]
    fn plugin(script: &str, limits: Limits, tells: bool) -> Result<usize, AgeError> {
        watched(Arc::new(Patient), limits, |conversation| {
            let mut child = Command::new("sh")
                .args(["-c", script, "/usr/bin/age-plugin-test", "--age-plugin=identity-v1"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            if tells {
                conversation.show("touch it");
            }
            if conversation.ask("a PIN?").is_some() && tells {
                conversation.show("touch it");
                child.stdin.as_mut().unwrap().write_all(b"go on\n").unwrap();
            }
            let mut output = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
            if output.ends_with(b"done\n") { Ok(output.len()) } else { Err(AgeError::NoMatch) }
        })
    }

    fn stopped(outcome: Result<usize, AgeError>) -> String {
        match outcome {
            Err(AgeError::PluginStopped(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plugin_that_hangs_is_stopped_with_its_children_and_named() {
        for script in ["read never", "(read never </dev/zero) & wait"] {
            let why = stopped(plugin(script, SHORT, false));
            assert!(why.starts_with("age-plugin-test did not go on for"), "{why}");
        }
    }

    #[test]
    fn a_plugin_that_writes_without_end_is_stopped() {
        let endless = Limits { silence: Duration::from_secs(120), ..SHORT };
        for script in ["cat /dev/zero", "exec 2>&-; while :; do echo line; done"] {
            let why = stopped(plugin(script, endless, false));
            assert!(why.contains("wrote more than 65536 bytes"), "{why}");
        }
    }

    #[test]
    fn neither_a_question_nor_a_touch_is_cut_short_by_the_limit_of_silence() {
        // Twice the limit for the answer, twice for the touch.
        let script = "read answer; sleep 0.3; echo done";
        assert_eq!(plugin(script, SHORT, true).unwrap(), 5);
    }
}
