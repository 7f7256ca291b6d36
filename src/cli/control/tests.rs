use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::keys::KeysRequest;
use super::server::{ControlServer, ControlSocket, Operator};
use super::*;
use crate::base::Epoch;
use crate::base::clock::ManualClock;
use crate::cli::exit::Exit;
use crate::volume::{Amount, Announced, Plan, Watcher};

/// A mount that syncs when the test says so.
struct Scripted {
    proceed: Mutex<Receiver<Outcome>>,
    clock: ManualClock,
    step: Duration,
    /// Is told when a re-encryption was ended from outside.
    stopped: Option<Sender<Amount>>,
}

impl Operator for Scripted {
    fn status(&self) -> MountStatus {
        MountStatus { label: "scripted".to_owned(), ..MountStatus::default() }
    }

    fn waiting(&self) -> Waiting {
        self.clock.advance(self.step);
        Waiting { bytes: 7, files: 1, changes: 2, problem: Some("no network".to_owned()) }
    }

    fn sync(&self) -> Outcome {
        self.proceed.lock().recv().expect("the test lives")
    }

    fn unmount(&self, force: bool) -> Outcome {
        Outcome { exit: Exit::Success, message: format!("force {force}") }
    }

    fn set_quota(&self, bytes: Option<u64>, inodes: Option<u64>) -> Outcome {
        Outcome { exit: Exit::Success, message: format!("{bytes:?} {inodes:?}") }
    }

    fn begin_writing(&self) -> Outcome {
        Outcome { exit: Exit::Success, message: String::new() }
    }

    fn remount(&self, options: &str) -> Outcome {
        Outcome { exit: Exit::Success, message: options.to_owned() }
    }

    fn gc(
        &self,
        dry_run: bool,
        grace: Option<Duration>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Collected, Outcome> {
        self.clock.advance(Duration::from_secs(1));
        progress(1, 2);
        match grace {
            Some(grace) => {
                Ok(Collected { objects: u64::from(dry_run), bytes: grace.as_secs(), ..Default::default() })
            }
            None => Err(Outcome { exit: Exit::Denied, message: "no".to_owned() }),
        }
    }

    fn announce_keys(&self) -> Result<Announced, Outcome> {
        Ok(Announced { logged: Epoch(3), now: Epoch(4) })
    }

    fn plan_reencryption(&self, epoch: Epoch) -> Result<Plan, Outcome> {
        Ok(Plan { reads: u64::from(epoch.0), ..Plan::default() })
    }

    /// Moves until it is told not to.
    fn reencrypt(&self, order: ReencryptOrder, watcher: &dyn Watcher) -> Result<Reencrypted, Outcome> {
        let most = order.limit_rate.unwrap_or(u64::MAX);
        let mut moved = Amount::default();
        while moved.objects < most {
            moved.objects += 1;
            self.clock.advance(Duration::from_secs(1));
            let flow = watcher.progress(&moved, &Amount { objects: most, bytes: 0 });
            if flow.is_break() || watcher.pause(Duration::from_millis(1)).is_break() {
                if let Some(stopped) = &self.stopped {
                    stopped.send(moved).expect("the test lives");
                }
                return Ok(Reencrypted { moved, stopped: true, ..Reencrypted::default() });
            }
        }
        Ok(Reencrypted { moved, ..Reencrypted::default() })
    }
}

/// Serves a mount point of its own below `scratch`; the socket is wherever this user's sockets are.
fn serve(scratch: &Path, step: Duration) -> (ControlServer, PathBuf, Sender<Outcome>) {
    let mountpoint = scratch.join("mount");
    let (server, proceed) = serve_at(ControlSocket::bind(&mountpoint).unwrap(), step);
    (server, mountpoint, proceed)
}

fn serve_at(socket: ControlSocket, step: Duration) -> (ControlServer, Sender<Outcome>) {
    let (sender, receiver) = channel();
    let clock = ManualClock::default();
    let operator = Scripted { proceed: Mutex::new(receiver), clock: clock.clone(), step, stopped: None };
    (socket.serve(Arc::new(operator), Arc::new(clock)).unwrap(), sender)
}

/// The socket of a mount that is being made, where, and somebody who asks already.
fn asked_early(scratch: &Path) -> (ControlSocket, PathBuf, Connection) {
    let mountpoint = scratch.join("mount");
    let socket = ControlSocket::bind(&mountpoint).unwrap();
    let early = Connection::open(&mountpoint).unwrap().expect("somebody to ask");
    (socket, mountpoint, early)
}

#[test]
fn a_mount_tells_its_status_and_does_what_it_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let (_server, mountpoint, proceed) = serve(scratch.path(), Duration::ZERO);
    let connect = || Connection::open(&mountpoint).unwrap().expect("somebody serves");
    assert_eq!(connect().status().unwrap().label, "scripted");

    let mut shown = 0;
    let outcome = connect().order(&Request::Sync { timeout_secs: 60 }, |waiting| {
        assert_eq!((waiting.bytes, waiting.changes), (7, 2));
        shown += 1;
        if shown == 2 {
            proceed.send(Outcome { exit: Exit::Success, message: String::new() }).unwrap();
        }
    });
    assert_eq!(outcome.unwrap().exit, Exit::Success);
    let outcome = connect().order(&Request::Unmount { force: true, timeout_secs: 60 }, |_| ()).unwrap();
    assert_eq!(outcome.message, "force true");
    let request = Request::SetQuota { bytes: Some(7), inodes: None };
    assert_eq!(connect().order(&request, |_| ()).unwrap().message, "Some(7) None");
}

#[test]
fn the_status_of_an_older_mount_is_understood() {
    let line = r#"{"reply":"status","mountpoint":"/mnt","volume":"v","space":{"inodes":3,"bytes":4}}"#;
    let Reply::Status(status) = serde_json::from_str(line).unwrap() else { panic!("no status") };
    assert_eq!((status.volume.as_str(), status.space.inodes, status.space.quota_bytes), ("v", 3, 0));
}

#[test]
fn a_mount_collects_garbage_when_asked() {
    let scratch = tempfile::tempdir().unwrap();
    let (_server, mountpoint, _proceed) = serve(scratch.path(), Duration::ZERO);
    let collect = |grace_secs, shown: &mut Vec<(u64, u64)>| {
        let connection = Connection::open(&mountpoint).unwrap().unwrap();
        connection
            .collect(&Request::Gc { dry_run: true, grace_secs }, |done, total| shown.push((done, total)))
    };
    let mut shown = Vec::new();
    let report = collect(Some(3600), &mut shown).unwrap();
    assert_eq!((report.objects, report.bytes, shown), (1, 3600, vec![(1, 2)]));
    let refused = collect(None, &mut Vec::new()).unwrap_err();
    assert_eq!(crate::cli::classify::classify(&refused), Exit::Denied);
}

#[test]
fn an_order_that_does_not_get_on_is_given_up_with_the_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let (_server, mountpoint, _proceed) = serve(scratch.path(), Duration::from_secs(40));
    let connection = Connection::open(&mountpoint).unwrap().unwrap();
    let outcome = connection.order(&Request::Sync { timeout_secs: 60 }, |_| ()).unwrap();
    assert_eq!(outcome.exit, Exit::NotAllStored);
    assert!(outcome.message.contains("no network"), "{}", outcome.message);
}

#[test]
fn a_mount_point_has_one_server_and_none_after_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, mountpoint, _proceed) = serve(scratch.path(), Duration::ZERO);
    let second = ControlSocket::bind(&mountpoint);
    assert_eq!(second.err().map(|error| error.kind()), Some(std::io::ErrorKind::AlreadyExists));
    drop(server);
    assert!(Connection::open(&mountpoint).unwrap().is_none());
}

/// The kernel shows a mount a moment before its process has anything else to do than to say so.
#[test]
fn who_asks_while_a_mount_is_being_made_is_answered_once_it_is() {
    let scratch = tempfile::tempdir().unwrap();
    let (socket, _, early) = asked_early(scratch.path());
    let (_server, _proceed) = serve_at(socket, Duration::ZERO);
    assert_eq!(early.status().unwrap().label, "scripted");
}

#[test]
fn who_asks_for_a_mount_that_fails_is_told_that_it_is_gone() {
    let scratch = tempfile::tempdir().unwrap();
    let (socket, mountpoint, early) = asked_early(scratch.path());
    drop(socket);
    let error = early.status().unwrap_err();
    assert!(error.downcast_ref::<Gone>().is_some(), "{error:#}");
    assert!(Connection::open(&mountpoint).unwrap().is_none());
}

#[test]
fn nonsense_gets_an_answer_instead_of_a_crash() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, mountpoint, _proceed) = serve(scratch.path(), Duration::ZERO);
    for line in ["\n", "{\"command\":\"format-disk\"}\n", &"x".repeat(10_000)] {
        let mut stream = super::socket::connect(&mountpoint).unwrap().unwrap();
        // The server may close before it has read everything.
        let _sent: std::io::Result<()> = stream.write_all(line.as_bytes());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(first_line(stream).contains("does not understand"), "{line:.40}");
    }
    drop(server);
}

fn first_line(stream: UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn a_mount_is_asked_about_its_keys() {
    let scratch = tempfile::tempdir().unwrap();
    let (_server, mountpoint, _proceed) = serve(scratch.path(), Duration::ZERO);
    let connect = || Connection::open(&mountpoint).unwrap().expect("somebody serves");
    let announced = connect().announce_keys().unwrap();
    assert_eq!((announced.logged, announced.now), (Epoch(3), Epoch(4)));
    assert_eq!(connect().plan_reencryption(Epoch(7)).unwrap().reads, 7);
    let mut shown = 0;
    let order = ReencryptOrder { limit_rate: Some(5), grace_secs: None };
    let done = connect().reencrypt(order, |moved, all| shown = moved.objects.max(shown).min(all.objects));
    assert_eq!((done.unwrap().moved.objects, shown), (5, 5));
}

#[test]
fn a_reencryption_ends_when_its_asker_leaves() {
    let scratch = tempfile::tempdir().unwrap();
    let (_proceed, receiver) = channel();
    let (stopped, ended) = channel();
    let clock = ManualClock::default();
    let operator = Scripted {
        proceed: Mutex::new(receiver),
        clock: clock.clone(),
        step: Duration::ZERO,
        stopped: Some(stopped),
    };
    let mountpoint = scratch.path().join("mount");
    let _server =
        ControlSocket::bind(&mountpoint).unwrap().serve(Arc::new(operator), Arc::new(clock)).unwrap();
    let mut connection = Connection::open(&mountpoint).unwrap().expect("somebody serves");
    connection.send(&Request::Keys(KeysRequest::Reencrypt(ReencryptOrder::default()))).unwrap();
    connection.receive().unwrap();
    drop(connection);
    assert!(ended.recv().unwrap().objects > 0);
}
