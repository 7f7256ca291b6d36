//! The answering side: a thread that accepts, and one for each conversation.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::keys::{self, ReencryptOrder, Reencrypted};
use super::message::{Collected, MountStatus, Outcome, Reply, Request, Waiting};
use super::socket;
use crate::base::{Clock, Epoch};
use crate::cli::exit::Exit;
use crate::volume::{Announced, Plan, Watcher};

/// How often progress is sent.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How long the asker of a quota, or to write, waits for a bucket that does not answer.
const BUCKET_PATIENCE: Duration = Duration::from_secs(150);
/// The longest request line, in bytes.
const MAX_REQUEST: u64 = 4096;
/// Conversations at the same time; more are turned away.
const MAX_CONVERSATIONS: usize = 16;
/// How long the end of a mount waits for the last answers to be sent: the one to an unmount comes when the
/// kernel has let go, which takes seconds for a million inodes.
const FAREWELL: Duration = Duration::from_secs(60);

/// What a mount can do for those who ask. Methods may be called from several threads at once; `sync`
/// and `unmount` block until they are done.
pub trait Operator: Send + Sync + 'static {
    /// A reading of everything.
    fn status(&self) -> MountStatus;
    /// What is not in the bucket yet.
    fn waiting(&self) -> Waiting;
    /// Puts everything accepted so far into the bucket.
    fn sync(&self) -> Outcome;
    /// Takes the filesystem away after a sync; with `force` even when that fails.
    fn unmount(&self, force: bool) -> Outcome;
    /// Sets the quota (0: no limit, `None`: as it is) and puts that into the bucket.
    fn set_quota(&self, bytes: Option<u64>, inodes: Option<u64>) -> Outcome;
    /// Has a mount that only looked write; nothing happens where it does.
    fn begin_writing(&self) -> Outcome;
    /// Takes over what mount options say of access times.
    fn remount(&self, options: &str) -> Outcome;
    /// Deletes what nothing needs; `progress` is called with steps done and steps in all.
    ///
    /// # Errors
    /// What the volume says.
    fn gc(
        &self,
        dry_run: bool,
        grace: Option<Duration>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Collected, Outcome>;
    /// Takes over newer keys of the volume, and tells others.
    ///
    /// # Errors
    /// What the volume says.
    fn announce_keys(&self) -> Result<Announced, Outcome>;
    /// What a re-encryption to `epoch` would move.
    ///
    /// # Errors
    /// What the volume says.
    fn plan_reencryption(&self, epoch: Epoch) -> Result<Plan, Outcome>;
    /// Moves everything to the newest epoch; `watcher` may end it.
    ///
    /// # Errors
    /// What the volume says; what was moved stays moved.
    fn reencrypt(&self, order: ReencryptOrder, watcher: &dyn Watcher) -> Result<Reencrypted, Outcome>;
}

/// The socket of a mount that is about to be made. Whoever asks already waits until it is served; dropping it removes
/// the socket and turns them away.
pub struct ControlSocket {
    listener: UnixListener,
    path: SocketPath,
}

/// Answers for one mount; dropping it removes the socket and waits a moment for conversations to end.
pub struct ControlServer {
    path: Option<SocketPath>,
    running: Arc<Running>,
}

/// Where the socket is, as long as it is there.
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            log::warn!("the control socket {} stays behind: {error}", self.0.display());
        }
    }
}

/// How many conversations there are.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

#[derive(Clone)]
struct Conversations {
    operator: Arc<dyn Operator>,
    clock: Arc<dyn Clock>,
    running: Arc<Running>,
}

impl ControlSocket {
    /// Takes the place of whoever answers for `mountpoint` (canonical). Before the kernel has the mount: who sees that it
    /// is mounted must find somebody to ask.
    ///
    /// # Errors
    /// `AlreadyExists` when another process serves it; else why there is no socket.
    pub fn bind(mountpoint: &Path) -> io::Result<Self> {
        let (listener, path) = socket::bind(mountpoint)?;
        Ok(Self { listener, path: SocketPath(path) })
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn serve(self, operator: Arc<dyn Operator>, clock: Arc<dyn Clock>) -> io::Result<ControlServer> {
        let Self { listener, path } = self;
        let running = Arc::<Running>::default();
        let conversations = Conversations { operator, clock, running: Arc::clone(&running) };
        thread::Builder::new().name("control".to_owned()).spawn(move || conversations.accept(&listener))?;
        Ok(ControlServer { path: Some(path), running })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // Nobody comes in any more while those inside end.
        self.path.take();
        let mut count = self.running.count.lock();
        while *count > 0 {
            if self.running.ended.wait_for(&mut count, FAREWELL).timed_out() {
                return;
            }
        }
    }
}

/// One conversation; dropping it makes room for another.
struct Guest(Arc<Running>);

impl Running {
    fn enter(self: &Arc<Self>) -> Option<Guest> {
        let mut count = self.count.lock();
        if *count >= MAX_CONVERSATIONS {
            return None;
        }
        *count += 1;
        Some(Guest(Arc::clone(self)))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        *self.0.count.lock() -= 1;
        self.0.ended.notify_all();
    }
}

impl Conversations {
    /// Runs until the process ends.
    fn accept(self, listener: &UnixListener) {
        for stream in listener.incoming() {
            let started = stream.and_then(|stream| self.begin(stream));
            if let Err(error) = started {
                log::warn!("control socket: {error}");
            }
        }
    }

    fn begin(&self, stream: UnixStream) -> io::Result<()> {
        let guest = self.running.enter().ok_or_else(|| io::Error::other("too many conversations"))?;
        let this = self.clone();
        thread::Builder::new().name("control".to_owned()).spawn(move || {
            if let Err(error) = this.converse(stream) {
                log::debug!("control socket: {error}");
            }
            drop(guest);
        })?;
        Ok(())
    }

    fn converse(&self, mut stream: UnixStream) -> io::Result<()> {
        let mut line = String::new();
        BufReader::new(stream.try_clone()?.take(MAX_REQUEST)).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Request::Status) => send(&mut stream, &Reply::Status(Box::new(self.operator.status()))),
            Ok(Request::Sync { timeout_secs }) => {
                let operator = Arc::clone(&self.operator);
                self.follow(&mut stream, timeout_secs, move || operator.sync())
            }
            Ok(Request::Unmount { force, timeout_secs }) => {
                let operator = Arc::clone(&self.operator);
                self.follow(&mut stream, timeout_secs, move || operator.unmount(force))
            }
            Ok(Request::Gc { dry_run, grace_secs }) => {
                let grace = grace_secs.map(Duration::from_secs);
                send(&mut stream.try_clone()?, &self.collect(&stream, dry_run, grace))
            }
            Ok(Request::Keys(request)) => {
                let reply = keys::serve(&*self.operator, &*self.clock, &stream, &request);
                send(&mut stream, &reply)
            }
            Ok(Request::SetQuota { bytes, inodes }) => {
                let operator = Arc::clone(&self.operator);
                self.follow(&mut stream, BUCKET_PATIENCE.as_secs(), move || operator.set_quota(bytes, inodes))
            }
            Ok(Request::BeginWriting) => {
                let operator = Arc::clone(&self.operator);
                self.follow(&mut stream, BUCKET_PATIENCE.as_secs(), move || operator.begin_writing())
            }
            Ok(Request::Remount { options }) => {
                send(&mut stream, &Reply::Finished(self.operator.remount(&options)))
            }
            Err(error) => {
                let message = format!("this hushfs does not understand the request: {error}");
                send(&mut stream, &Reply::Finished(Outcome { exit: Exit::Usage, message }))
            }
        }
    }

    /// Runs `work` in a thread of its own and reports until it ends, or until nothing has moved for
    /// `timeout_secs`: then the asker is told so, and the work goes on.
    fn follow(
        &self,
        stream: &mut UnixStream,
        timeout_secs: u64,
        work: impl FnOnce() -> Outcome + Send + 'static,
    ) -> io::Result<()> {
        let (done, outcome) = channel();
        thread::Builder::new().name("control-work".to_owned()).spawn(move || {
            if done.send(work()).is_err() {
                log::info!("an order has ended after its asker left");
            }
        })?;
        let finished = self.report(stream, &outcome, Duration::from_secs(timeout_secs))?;
        send(stream, &Reply::Finished(finished))
    }

    /// Runs a collection in this thread. An asker who leaves does not stop it.
    fn collect(&self, stream: &UnixStream, dry_run: bool, grace: Option<Duration>) -> Reply {
        let last = Mutex::new(Duration::ZERO);
        let progress = |done, total| {
            let mut last = last.lock();
            let now = self.clock.boot();
            if now.saturating_sub(*last) < PROGRESS_EVERY {
                return;
            }
            *last = now;
            let mut stream = stream;
            if let Err(error) = send(&mut stream, &Reply::Steps { done, total }) {
                log::debug!("nobody looks at the collection any more: {error}");
            }
        };
        match self.operator.gc(dry_run, grace, &progress) {
            Ok(report) => Reply::Collected(report),
            Err(outcome) => Reply::Finished(outcome),
        }
    }

    fn report(
        &self,
        stream: &mut UnixStream,
        outcome: &Receiver<Outcome>,
        patience: Duration,
    ) -> io::Result<Outcome> {
        let mut last = self.operator.waiting();
        let mut moved = self.clock.boot();
        loop {
            send(stream, &Reply::Progress(last.clone()))?;
            match outcome.recv_timeout(PROGRESS_EVERY) {
                Ok(outcome) => return Ok(outcome),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Outcome {
                        exit: Exit::Failure,
                        message: "the order was abandoned".to_owned(),
                    });
                }
            }
            let waiting = self.operator.waiting();
            if waiting != last {
                moved = self.clock.boot();
            } else if self.clock.boot().saturating_sub(moved) >= patience {
                return Ok(Outcome { exit: Exit::NotAllStored, message: stuck(&waiting, patience) });
            }
            last = waiting;
        }
    }
}

fn stuck(waiting: &Waiting, patience: Duration) -> String {
    let why = waiting.problem.as_deref().unwrap_or("the bucket does not answer");
    format!("nothing has moved for {} seconds: {why}", patience.as_secs())
}

pub(super) fn send(stream: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}
