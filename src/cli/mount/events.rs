//! What ends a mount: signals, and the end of the session with the kernel.

use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Something that the main thread has to react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM, SIGINT or SIGHUP.
    Signal,
    /// The kernel has let go of the filesystem: it was unmounted, by whomever.
    SessionEnded,
}

/// Sends an event for each signal from now on; the signals' default effects are off.
///
/// # Errors
/// When handlers cannot be installed.
pub fn forward_signals(runtime: &Handle, events: &Sender<Event>) -> Result<()> {
    let _inside = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let stream = signal(kind).context("installing signal handlers")?;
        runtime.spawn(forward(stream, events.clone()));
    }
    Ok(())
}

async fn forward(mut stream: Signal, events: Sender<Event>) {
    while stream.recv().await.is_some() {
        if events.send(Event::Signal).is_err() {
            return;
        }
    }
}
