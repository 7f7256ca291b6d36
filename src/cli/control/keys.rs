//! Orders about epochs of keys: to take over newer ones, to say what re-encryption would cost, to do it.

use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::client::{Connection, unexpected};
use super::message::{Outcome, Reply, Request};
use super::server::{Operator, PROGRESS_EVERY, send};
use crate::base::{Clock, Epoch};
use crate::cli::exit::refuse;
use crate::volume::{Amount, Announced, Leftovers, Plan, ReencryptReport, Watcher};

/// An order about keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum KeysRequest {
    /// Take over what is newer in the volume header, and tell others.
    Announce,
    /// What re-encryption to `epoch` would move.
    Plan { epoch: u32 },
    /// Move everything to the newest epoch. Ends when the asker leaves; another order goes on from there.
    Reencrypt(ReencryptOrder),
}

/// How to re-encrypt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReencryptOrder {
    /// Bytes per second.
    pub limit_rate: Option<u64>,
    /// Grace period of gc, in seconds.
    pub grace_secs: Option<u64>,
}

/// An answer about keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum KeysReply {
    /// The epoch of the newest log entry before, and of everything from now on.
    Announced {
        logged: u32,
        now: u32,
    },
    Planned(Plan),
    Moving {
        moved: Amount,
        all: Amount,
    },
    Reencrypted(Reencrypted),
}

/// What a re-encryption came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reencrypted {
    /// The epoch that everything was moved to.
    pub epoch: u32,
    pub moved: Amount,
    /// Objects that gc deleted.
    pub deleted: u64,
    /// What is still there under older epochs.
    pub left: Leftovers,
    /// Chunks that could not be read.
    pub unreadable: u64,
    /// It ended before everything was moved.
    pub stopped: bool,
    /// Hosts that have the volume mounted, or had when they were last heard of.
    pub others: Vec<String>,
}

impl From<ReencryptReport> for Reencrypted {
    fn from(report: ReencryptReport) -> Self {
        Self {
            epoch: report.epoch.0,
            moved: report.moved,
            deleted: report.gc.objects,
            left: report.left,
            unreadable: report.unreadable,
            stopped: report.stopped,
            others: report.others,
        }
    }
}

/// Carries an order out in this thread.
pub(super) fn serve(
    operator: &dyn Operator,
    clock: &dyn Clock,
    stream: &UnixStream,
    request: &KeysRequest,
) -> Reply {
    let answer = match request {
        KeysRequest::Announce => operator
            .announce_keys()
            .map(|announced| KeysReply::Announced { logged: announced.logged.0, now: announced.now.0 }),
        KeysRequest::Plan { epoch } => operator.plan_reencryption(Epoch(*epoch)).map(KeysReply::Planned),
        KeysRequest::Reencrypt(order) => {
            let asker = Asker { stream, clock, last: Mutex::new(Duration::ZERO) };
            operator.reencrypt(*order, &asker).map(KeysReply::Reencrypted)
        }
    };
    match answer {
        Ok(reply) => Reply::Keys(reply),
        Err(outcome) => Reply::Finished(outcome),
    }
}

/// Who gave the order, and watches while the conversation lasts.
struct Asker<'a> {
    stream: &'a UnixStream,
    clock: &'a dyn Clock,
    last: Mutex<Duration>,
}

impl Asker<'_> {
    /// Waits for the asker to leave, at most for `time`. Askers say nothing after their order.
    fn left_within(&self, time: Duration) -> bool {
        // Zero would mean to wait for ever.
        let time = time.max(Duration::from_micros(1));
        let mut stream = self.stream;
        match stream.set_read_timeout(Some(time)).and_then(|()| stream.read(&mut [0])) {
            Ok(bytes) => bytes == 0,
            Err(error) => {
                !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        }
    }
}

impl Watcher for Asker<'_> {
    fn progress(&self, moved: &Amount, all: &Amount) -> ControlFlow<()> {
        {
            let mut last = self.last.lock();
            let now = self.clock.boot();
            if now.saturating_sub(*last) < PROGRESS_EVERY {
                return ControlFlow::Continue(());
            }
            *last = now;
        }
        let mut stream = self.stream;
        let reply = Reply::Keys(KeysReply::Moving { moved: *moved, all: *all });
        match send(&mut stream, &reply) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                log::info!("re-encryption ends here, as nobody waits for it any more: {error}");
                ControlFlow::Break(())
            }
        }
    }

    fn pause(&self, time: Duration) -> ControlFlow<()> {
        if self.left_within(time) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Connection {
    /// Has the mount take over newer keys and tell others.
    ///
    /// # Errors
    /// The mount's own failure, with its exit code; when the process goes away.
    pub fn announce_keys(self) -> Result<Announced> {
        match self.ask_about_keys(KeysRequest::Announce, |_, _| {})? {
            KeysReply::Announced { logged, now } => Ok(Announced { logged: Epoch(logged), now: Epoch(now) }),
            _ => unexpected(),
        }
    }

    /// What the mount would have to move.
    ///
    /// # Errors
    /// As [`Self::announce_keys`].
    pub fn plan_reencryption(self, epoch: Epoch) -> Result<Plan> {
        match self.ask_about_keys(KeysRequest::Plan { epoch: epoch.0 }, |_, _| {})? {
            KeysReply::Planned(plan) => Ok(plan),
            _ => unexpected(),
        }
    }

    /// Has the mount move everything.
    ///
    /// # Errors
    /// As [`Self::announce_keys`].
    pub fn reencrypt(self, order: ReencryptOrder, show: impl FnMut(&Amount, &Amount)) -> Result<Reencrypted> {
        match self.ask_about_keys(KeysRequest::Reencrypt(order), show)? {
            KeysReply::Reencrypted(report) => Ok(report),
            _ => unexpected(),
        }
    }

    fn ask_about_keys(
        mut self,
        request: KeysRequest,
        mut show: impl FnMut(&Amount, &Amount),
    ) -> Result<KeysReply> {
        self.send(&Request::Keys(request))?;
        loop {
            match self.receive()? {
                Reply::Keys(KeysReply::Moving { moved, all }) => show(&moved, &all),
                Reply::Keys(reply) => return Ok(reply),
                Reply::Finished(Outcome { exit, message }) => return Err(refuse(exit, message)),
                Reply::Status(_) | Reply::Progress(_) | Reply::Steps { .. } | Reply::Collected(_) => {
                    return unexpected();
                }
            }
        }
    }
}
