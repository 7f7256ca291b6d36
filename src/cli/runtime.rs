//! The asynchronous runtime that bucket requests run on.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// Enough for the parallel requests of one volume; sealing and disk I/O have the blocking threads.
const WORKERS: usize = 4;
/// Threads for sealing, opening and local files.
const BLOCKING: usize = 24;

/// Starts the runtime.
///
/// # Errors
/// When threads cannot be made.
pub fn start() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, WORKERS))
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(Duration::from_secs(10))
        .thread_name("hushfs")
        .enable_all()
        .build()
        .context("the runtime could not be started")
}

/// Runs `request` to its end on a thread and a runtime of its own: whoever asks may be inside of a runtime already.
///
/// # Errors
/// When the runtime cannot be started.
pub fn apart<T: Send>(request: impl Future<Output = T> + Send) -> Result<T> {
    let run = || -> Result<T> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(runtime.context("the runtime could not be started")?.block_on(request))
    };
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
